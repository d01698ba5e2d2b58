"""What a merge did: the object of --summary json, and its lines for the terminal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools.alignment.alignment import BY_BASE, BY_COLLECTIVES, BY_HOST
from tp_tools.alignment.connected import LEAST
from tp_tools.formatting import plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.merging.preparation import Prepared

_MOST = 8


def summary(prepared: Prepared) -> dict[str, Any]:
    """All that is known before the output is written, as the contract has it.

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
            }
            for rank, aligned in zip(prepared.ranks, prepared.alignment.ranks, strict=True)
        ],
        "missing_ranks": prepared.missing,
        "matched_collectives": {
            "total": len(matches),
            "by": dict(sorted(Counter(matches.method).items())),
            "confidence": dict(sorted(Counter(matches.confidence).items())),
        },
        "align": prepared.wishes.align,
    }


def lines(prepared: Prepared) -> Iterator[str]:
    """The terminal's account of the merge."""
    counts = prepared.counts
    written = (
        f", {plural(counts.events, 'event')}, {plural(counts.slices, 'slice')}, "
        f"{plural(counts.flows, 'arrow')}, {plural(counts.links, 'arrow')} between ranks"
    )
    yield plural(len(prepared.ranks), "rank") + (written if counts.events else "")
    if prepared.missing:
        yield f"  missing  {_numbers(prepared.missing)}"
    matches = prepared.alignment.matches
    kinds = Counter(matches.confidence)
    said = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "none"
    yield f"  matched  {plural(len(matches), 'collective')} across ranks ({said})"
    yield from _clocks(prepared)


def _clocks(prepared: Prepared) -> Iterator[str]:
    by_why: dict[tuple[str, str], list[int]] = {}
    for rank, aligned in zip(prepared.ranks, prepared.alignment.ranks, strict=True):
        by_why.setdefault((aligned.how, aligned.why), []).append(rank.rank)
    for (how, why), numbers in by_why.items():
        because = f": {why}" if why else ""
        yield f"  clock    {_HOW.get(how, 'times as they are written')}{because}; {_named(numbers)}"
    if any(it.how == BY_BASE and it.why and it.used < LEAST for it in prepared.alignment.ranks):
        yield "           skew between machines is then only as good as their clocks; NCCL kernels"
        yield "           say their Seq where CPU activities were profiled too, not in CUDA graphs"
    known = [it for it in prepared.alignment.ranks if it.how == BY_COLLECTIVES]
    if known:
        largest = max(abs(it.clock.offset_ns) for it in known)
        drift = max(abs(it.clock.drift_ppb) for it in known) / 1000
        residual = max(it.residual_ns or 0 for it in known)
        most = max(it.residual_p95_ns or 0 for it in known)
        yield (
            f"           offsets up to {span(largest)}, drift up to {drift:.2f} ppm; ends of one "
            f"collective agree to {span(residual)} (median), {span(most)} (95 %)"
        )


_HOW = {
    BY_COLLECTIVES: "fitted to the ends of common collectives",
    BY_HOST: "as others on the same machine",
    BY_BASE: "base times",
}


def _named(numbers: list[int]) -> str:
    return f"rank {numbers[0]}" if len(numbers) == 1 else f"ranks {_numbers(numbers)}"


def _numbers(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_MOST]))
    return f"{shown}, ... {numbers[-1]}" if len(numbers) > _MOST else shown
