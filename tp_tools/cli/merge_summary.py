"""Write the summary and the warnings of a merge as lines for the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.alignment.alignment import BY_BASE, BY_COLLECTIVES, BY_HOST
from tp_tools.alignment.connected import LEAST
from tp_tools.formatting import plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.merging import MergePlan
    from tp_tools.merging.output import Counts

_MOST = 8


def lines(plan: MergePlan, counts: Counts) -> Iterator[str]:
    """Write the summary of a merge.

    Args:
        plan: the ranks, their clocks and their matches.
        counts: numbers of events that were written.
    """
    written = (
        f", {plural(counts.events, 'event')}, {plural(counts.slices, 'slice')}, "
        f"{plural(counts.flows, 'arrow')}, {plural(counts.links, 'arrow')} between ranks"
    )
    yield plural(len(plan.ranks), "rank") + (written if counts.events else "")
    if counts.short_names:
        yield (
            f"  named    {plural(counts.short_names, 'kernel')} by "
            f"{plural(len(plan.short_names()), 'short name')}; the full ones are in args"
        )
    if plan.missing:
        yield f"  missing  {_numbers(plan.missing)}"
    yield from _nodes(plan)
    matches = plan.alignment.matches
    counted = sorted(Counter(matches.confidence).items())
    confidence = ", ".join(f"{count:,} {level}" for level, count in counted) or "none"
    yield f"  matched  {plural(len(matches), 'collective')} across ranks ({confidence})"
    yield from _clocks(plan)


def _nodes(plan: MergePlan) -> Iterator[str]:
    """Say how many machines the ranks ran on, where there are several."""
    ranks = Counter(read.host for read in plan.summaries)
    unknown = ranks.pop("", 0)
    if len(ranks) > 1:
        least, most = min(ranks.values()), max(ranks.values())
        each = f"{least}" if least == most else f"{least} to {most}"
        rest = f"; of {plural(unknown, 'rank')} the machine is not known" if unknown else ""
        yield f"  nodes    {len(ranks):,}, with {each} of the ranks each{rest}"


def _clocks(plan: MergePlan) -> Iterator[str]:
    """Say how the clocks of the ranks were aligned, and how well."""
    ranks_by_method: dict[tuple[str, str], list[int]] = {}
    for rank, aligned in zip(plan.ranks, plan.alignment.ranks, strict=True):
        ranks_by_method.setdefault((aligned.how, aligned.why), []).append(rank.rank)
    for (how, why), numbers in ranks_by_method.items():
        because = f": {why}" if why else ""
        yield f"  clock    {_HOW.get(how, 'times as they are written')}{because}; {_ranks(numbers)}"
    if any(
        aligned.how == BY_BASE and aligned.why and aligned.used < LEAST
        for aligned in plan.alignment.ranks
    ):
        yield "           skew between machines is then only as good as their clocks; NCCL kernels"
        yield "           say their Seq where CPU activities were profiled too, not in CUDA graphs"
    fitted = [aligned for aligned in plan.alignment.ranks if aligned.how == BY_COLLECTIVES]
    if fitted:
        offset = max(abs(aligned.clock.offset_ns) for aligned in fitted)
        drift = max(abs(aligned.clock.drift_ppb) for aligned in fitted) / 1000
        residual = max(aligned.residual_ns or 0 for aligned in fitted)
        residual_p95 = max(aligned.residual_p95_ns or 0 for aligned in fitted)
        yield (
            f"           offsets up to {span(offset)}, drift up to {drift:.2f} ppm; ends of one "
            f"collective agree to {span(residual)} (median), {span(residual_p95)} (95 %)"
        )
    if (groups := plan.alignment.groups) > 1:
        yield f"           in {groups:,} groups that share no collectives: between them base times"
        yield "           stand, and times may be wrong by as much as these differ"


_HOW = {
    BY_COLLECTIVES: "fitted to the ends of common collectives",
    BY_HOST: "as others on the same machine",
    BY_BASE: "base times",
}


def _ranks(numbers: list[int]) -> str:
    """Write "rank 3" or "ranks 0, 1, 3"."""
    return f"rank {numbers[0]}" if len(numbers) == 1 else f"ranks {_numbers(numbers)}"


def _numbers(numbers: list[int]) -> str:
    """Write the first numbers, and the last where there are more."""
    shown = ", ".join(map(str, numbers[:_MOST]))
    return f"{shown}, ... {numbers[-1]}" if len(numbers) > _MOST else shown
