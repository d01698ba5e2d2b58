"""Split the time that ranks spend in collectives into waiting for other ranks and the rest.

Who waited for whom only all ranks together tell: they are merged, and asked once more. All other
numbers are those of each trace as it was recorded, by its own clock.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.comparison import ranks
from tp_tools.comparison.model import COMMUNICATION, TIME, WAITING, Key
from tp_tools.engine import query_rows
from tp_tools.errors import EngineOutOfMemory, InputError
from tp_tools.querying import job_loader, lookup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.comparison.ranks import RankSamples
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions

_COMMUNICATION, _WAITING = Key(TIME, COMMUNICATION), Key(TIME, WAITING)


def split(
    read: Sequence[tuple[str, RankSamples]], how: LoadOptions, reporter: Reporter
) -> list[RankSamples]:
    """Return the samples of a job, with the waiting of each step taken from its communication.

    Args:
        read: each trace with its samples, as it alone gives them.
        how: options of loading.
        reporter: receives the stages of the work, and a note where ranks cannot be merged.

    Raises:
        EngineError: TraceProcessor failed.
    """
    alone = [it for _, it in read]
    if len(read) == 1 or not any(_timed(it) for it in alone):
        return alone
    try:
        waits = _waits([file for file, _ in read], how, reporter)
    except (InputError, EngineOutOfMemory) as error:
        reporter.note(f"Waiting for other ranks counts as communication: not merged: {error}")
        return alone
    return [_with_waits(it, waits.get(file, ())) for file, it in read]


def _timed(samples: RankSamples) -> list[int]:
    """Return the places of the steps with time on the GPU."""
    return [at for at, step in enumerate(samples.steps) if _COMMUNICATION in step.rows]


def _waits(files: list[str], how: LoadOptions, reporter: Reporter) -> dict[str, list[float]]:
    """Merge the ranks; return the waiting of each step of each file, in order, ns."""
    query = lookup.from_file(ranks.SAMPLES)
    how = replace(how, needs=query.header.needs)
    tp, plan = job_loader.load_job(files, query.header, how, reporter=reporter)
    with tp, reporter.stage("asking SQL"):
        answer = query_rows(tp, query.sql, query.name)
    found = defaultdict[int, list[tuple[int, float]]](list)
    for values in answer.rows:
        row = dict(zip(answer.columns, values, strict=True))
        if row["reason"] is None and (row["level"], row["name"]) == (TIME, WAITING):
            found[row["rank"]].append((row["step_ts"] or 0, row["total_ns"]))
    return {rank.file: [ns for _, ns in sorted(found[rank.rank])] for rank in plan.ranks}


def _with_waits(samples: RankSamples, waits: Sequence[float]) -> RankSamples:
    """Take the waiting of each step out of its communication; not where steps are others."""
    places = _timed(samples)
    if len(waits) != len(places):
        return samples
    steps = list(samples.steps)
    for at, waited in zip(places, waits, strict=True):
        rows = dict(steps[at].rows)
        count, communication = rows[_COMMUNICATION]
        ns = min(waited, communication)  # the merge may have corrected the clock by some ppm
        rows[_COMMUNICATION] = count, communication - ns
        rows[_WAITING] = count, ns
        steps[at] = replace(steps[at], rows=rows)
    return replace(samples, steps=steps)
