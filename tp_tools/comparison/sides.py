"""Make a side of a comparison from the samples of its ranks."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from tp_tools.comparison.model import Facts, Key, Samples, Side
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tp_tools.comparison.ranks import RankSamples, Step

Number = tuple[int | None, int]
"""Number of a step, and how many of this number come before."""

RECORDINGS = 3
"""Recordings of one program from which on each is a sample."""


def phases(ranks: Iterable[RankSamples]) -> dict[str, float]:
    """Return the time of all steps by phase, ns."""
    found: dict[str, float] = defaultdict(float)
    for rank in ranks:
        for step in rank.steps:
            found[step.phase] += step.ns
    return found


def largest(ranks: Iterable[RankSamples]) -> str | None:
    """Return the phase that takes most time; None where there are no steps."""
    found = phases(ranks)
    return max(sorted(found), key=lambda it: found[it], default=None)


def common_phase(a: Iterable[RankSamples], b: Iterable[RankSamples]) -> str | None:
    """Return the phase that takes most time of those that both sides have; None if none is."""
    of_a, of_b = phases(a), phases(b)
    both = of_a.keys() & of_b.keys()
    return max(sorted(both), key=lambda it: of_a[it] + of_b[it], default=None)


def side(name: str, ranks: Sequence[RankSamples], phase: str) -> Side:
    """Make a side: a sample is one step, with the mean of its ranks.

    Args:
        name: as the user gave it.
        ranks: the samples of its ranks.
        phase: takes steps of this phase alone.

    Raises:
        InputError: it has no step of the phase, its ranks have no step in common, or it has neither
            steps nor GPU work.
    """
    by_rank = [_numbered(it for it in rank.steps if it.phase == phase) for rank in ranks]
    common = [it for it in by_rank[0] if all(it in others for others in by_rank)] if by_rank else []
    if not common:
        there = ", ".join(sorted(it or "unknown" for it in phases(ranks)))
        of_all = f" that all {len(ranks)} ranks recorded" if len(ranks) > 1 else ""
        raise InputError(
            f"{name}: there is no step of phase {phase or 'unknown'}{of_all}; there are steps of "
            f"phase {there}."
        )
    rows = {
        key: _samples(key, [[rank[number] for rank in by_rank] for number in common])
        for key in {key for rank in by_rank for number in common for key in rank[number].rows}
    }
    made = Side(name, len(common), rows, ranks[0].launches.get(phase), _facts(ranks, phase))
    if made.step not in rows:
        raise InputError(f"{name}: has neither steps nor GPU work to compare.")
    return made


def _numbered(steps: Iterable[Step]) -> dict[Number, Step]:
    seen = Counter[int | None]()
    found = {}
    for step in steps:
        found[step.number, seen[step.number]] = step
        seen[step.number] += 1
    return found


def _samples(key: Key, steps: Sequence[Sequence[Step]]) -> Samples:
    """Return the mean of the ranks of each sample; a rank without the row counts 0."""
    cells = np.array([[step.rows.get(key, (0, 0)) for step in ranks] for ranks in steps], float)
    mean = cells.mean(axis=1)
    return Samples(mean[:, 0], mean[:, 1])


def _facts(ranks: Sequence[RankSamples], phase: str) -> Facts:
    stated = [it.stated for it in ranks if it.stated is not None]
    left_out: dict[str, int] = defaultdict(int)
    for step in ranks[0].steps:
        if step.phase != phase:
            left_out[step.phase] += 1
    return Facts(
        gpu=stated[0].gpu_name if stated else "",
        versions=dict(stated[0].versions) if stated else {},
        ranks=len(ranks),
        unit="recording" if ranks[0].steps[0].number is None else "step",
        phase=phase,
        left_out=dict(left_out),
        outside_ns=sum(it.outside_ns for it in ranks) / len(ranks),
    )


def pooled(name: str, recordings: Sequence[Side]) -> Side:
    """Make one side of several recordings of one program.

    Steps of one recording share its clocks, caches and neighbours on the machine. So of
    `RECORDINGS` or more a typical step of each is a sample; of fewer, steps are, as of one
    recording.

    Args:
        name: the name of the side.
        recordings: a side for each.
    """
    first = recordings[0]
    if len(recordings) == 1:
        return replace(first, name=name)
    by_recording = len(recordings) >= RECORDINGS
    rows = {
        key: _joined([_row(it, key) for it in recordings], by_recording=by_recording)
        for key in {key for it in recordings for key in it.rows}
    }
    samples = len(recordings) if by_recording else sum(it.samples for it in recordings)
    unit = "recording" if by_recording else first.facts.unit
    facts = replace(first.facts, unit=unit)
    return replace(first, name=name, samples=samples, rows=rows, facts=facts)


def _row(side: Side, key: Key) -> Samples:
    return side.rows.get(key) or Samples(np.zeros(side.samples), np.zeros(side.samples))


def _joined(parts: Sequence[Samples], *, by_recording: bool) -> Samples:
    counts, ns = [it.counts for it in parts], [it.ns for it in parts]
    if by_recording:
        typical = [part.typical_ns() for part in parts]
        return Samples(np.array([it.mean() for it in counts]), np.array(typical))
    return Samples(np.concatenate(counts), np.concatenate(ns))
