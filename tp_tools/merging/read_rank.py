"""What is done to each rank first, by itself, in a worker: it is read, and its repairs planned.

Until it is written (`parts`) it lies in a temporary file, so that memory holds no more ranks than
there are workers.
"""

from __future__ import annotations

import functools
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.file_damage import damage
from tp_tools.chrome.metadata import metadata
from tp_tools.chrome.reader import read
from tp_tools.errors import EngineError, EngineOutOfMemory, InputError
from tp_tools.files.source import Source
from tp_tools.merging.find_collectives import CollectiveFinder
from tp_tools.repair.analysis import place_slices, plan_alone
from tp_tools.repair.overlaps import OverlapOptions
from tp_tools.trace.model import UNTIMED, is_phase

if TYPE_CHECKING:
    from tp_tools.alignment.collectives import Collectives
    from tp_tools.chrome.file_damage import FileDamage
    from tp_tools.chrome.metadata import TraceMetadata
    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices


@dataclass(frozen=True)
class RankSummary:
    """What the merge has to know of a rank.

    Attributes:
        file: its trace.
        metadata: of its trace.
        damage: of its file.
        collectives: what it shares with other ranks.
        base_ns: what its times are counted from, ns since the epoch.
        links: how many ids its arrows may have.
        size: bytes of its events as JSON.
        first_ns, last_ns: when it begins and ends, ns on its own clock; None if it has no events.
    """

    file: str
    metadata: TraceMetadata
    damage: FileDamage
    collectives: Collectives
    base_ns: int
    links: int
    size: int
    first_ns: int | None
    last_ns: int | None


@functools.cache
def _recogniser(engine: str | None) -> CollectiveFinder:
    """One per worker: ranks run the same kernels, so SQL is asked about each name once."""
    return CollectiveFinder(engine, _say_nothing)


def _say_nothing(_line: str) -> None:
    pass


def read_rank(file: str, spool: Path, engine: str | None, *, based: bool) -> RankSummary:
    """Examines a rank and keeps it in a temporary file.

    Args:
        file: the trace.
        spool: where to keep it.
        engine: the TraceProcessor to ask; None for the default.
        based: whether its base time counts; else its times are taken as they are written.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
        EngineOutOfMemory: the rank does not fit into memory.
    """
    try:
        return _gathered(file, spool, engine, based=based)
    except EngineError as error:
        if str(error).startswith(file):
            raise
        raise type(error)(f"{file}: {error}") from error
    except MemoryError as error:
        raise EngineOutOfMemory(f"{file}: does not fit into memory. Give fewer --jobs.") from error


def _gathered(file: str, spool: Path, engine: str | None, *, based: bool) -> RankSummary:
    source = Source(Path(file), file)
    trace = read(source)
    placed = place_slices(trace)
    edits = plan_alone(source, placed, OverlapOptions(engine=engine))
    about = metadata(trace)
    if about.wrong_base:
        raise InputError(f"{file}: baseTimeNanoseconds is {about.wrong_base}, not an integer.")
    base = (about.base_ns or 0) if based else 0
    collectives = _recogniser(engine).collectives(source, trace, base)
    with spool.open("wb") as kept:
        pickle.dump((source, trace, edits, placed.table), kept, pickle.HIGHEST_PROTOCOL)
    first, last = _span(trace, base)
    size = sum(span.length for span in trace.batches)
    wrong = damage(trace, source)
    links = len(trace.links) + len(set(edits.flows.ids.values()))
    return RankSummary(file, about, wrong, collectives, base, links, size, first, last)


def _span(trace: Trace, base: int) -> tuple[int | None, int | None]:
    timed = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    if not timed.any():
        return None, None
    ts = trace.ts[timed]
    return int(ts.min()) + base, int((ts + np.maximum(trace.dur[timed], 0)).max()) + base


def load_rank(spool: Path) -> tuple[Source, Trace, Plan, Slices]:
    """What `read_rank` kept of a rank: the file, its columns, its repairs, its slices."""
    with spool.open("rb") as file:
        source, trace, edits, table = pickle.load(file)  # noqa: S301  what `read_rank` wrote
    return source, trace, edits, table
