"""Build the object that `merge --summary json` prints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

if TYPE_CHECKING:
    from tp_tools.merging.output import Counts
    from tp_tools.merging.preparation import MergePlan


def summary(prepared: MergePlan) -> dict[str, Any]:
    """Return the facts about a merge that are known before its output is written.

    Times are ns. `offset_ns` holds in the middle of the rank's trace, `drift_ppb` around it.
    """
    matches = prepared.alignment.matches
    return {
        "ranks": [
            {
                "rank": rank.rank,
                "file": Path(rank.file).name,
                "labels": rank.labels,
                "rank_from": rank.by,
                "offset_ns": aligned.clock.offset_ns,
                "drift_ppb": aligned.clock.drift_ppb,
                "offset_at_ns": aligned.clock.at_ns,
                "residual_ns": aligned.residual_ns,
                "residual_p95_ns": aligned.residual_p95_ns,
                "collectives": aligned.used,
                "aligned_by": aligned.how,
                "not_aligned_because": aligned.why or None,
                "damage": summary.damage.as_object(),
            }
            for rank, summary, aligned in zip(
                prepared.ranks, prepared.summaries, prepared.alignment.ranks, strict=True
            )
        ],
        "missing_ranks": prepared.missing,
        "left_out": [{"file": Path(file.file).name, "why": file.why} for file in prepared.left_out],
        "matched_collectives": {
            "total": len(matches),
            "by": dict(sorted(Counter(matches.method).items())),
            "confidence": dict(sorted(Counter(matches.confidence).items())),
        },
        "align": prepared.options.align,
        "clock_groups": prepared.alignment.groups,
    }


def numbers(prepared: MergePlan, counts: Counts) -> dict[str, Any]:
    """Return the facts about a merge that was written: those of `summary`, hosts, and its counts.

    The merged trace itself names no machine.
    """
    counted = asdict(counts)
    if not prepared.options.short_names:
        del counted["short_names"]
    known = summary(prepared)
    for rank, read in zip(known["ranks"], prepared.summaries, strict=True):
        rank["host"] = read.host or None
    return {**known, **counted}
