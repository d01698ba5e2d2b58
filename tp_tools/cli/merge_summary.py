"""What a merge did, as lines for the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.alignment.alignment import BY_BASE, BY_COLLECTIVES, BY_HOST
from tp_tools.alignment.connected import LEAST
from tp_tools.formatting import plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.merging.preparation import MergePlan

_MOST = 8


def lines(prepared: MergePlan) -> Iterator[str]:
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


def _clocks(prepared: MergePlan) -> Iterator[str]:
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
