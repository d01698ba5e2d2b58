"""Read one rank in a worker: its columns, its repairs, its collectives.

A temporary file holds the rank until `write_rank` writes it, so that memory holds no more ranks
than there are workers.
"""

from __future__ import annotations

import functools
import pickle
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.chrome import read
from tp_tools.chrome.file_damage import damage
from tp_tools.chrome.metadata import metadata
from tp_tools.errors import EngineError, EngineOutOfMemory, InputError
from tp_tools.files import Source
from tp_tools.merging.find_collectives import CollectiveFinder
from tp_tools.merging.hosts import host_of
from tp_tools.repair import OverlapOptions
from tp_tools.repair.analysis import place_slices, plan_alone
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.pairs import swapped_pairs
from tp_tools.trace.points import with_points
from tp_tools.trace.renaming import kernel_names

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.alignment import Collectives
    from tp_tools.chrome import TraceMetadata
    from tp_tools.chrome.file_damage import FileDamage
    from tp_tools.merging.kept_results import KeptResults
    from tp_tools.trace import Plan, Slices, Trace

_YEAR_NS = 31_557_600 * 10**9
_LATEST_NS = 1 << 62
"""Furthest time from 1970, the year 2116, so that times can be added and compared as int64."""


class RankSummary(Struct, frozen=True):
    """The facts about a rank that placing it takes; its columns stay in the temporary file.

    Attributes:
        file: path of its trace.
        file_bytes: size of the file.
        metadata: job, rank, GPUs and base time that the trace states.
        damage: text that the file lost.
        collectives: its collectives, to match with those of other ranks.
        base_ns: time that its timestamps count from, ns since the epoch.
        kernel_names: names of its kernels.
        categories: categories of its events.
        links: upper bound of the number of its flow ids.
        first_ns, last_ns: first start and last end of its events, ns on its own clock; None if no
            event has a time.
        host: name of its machine; "" if it is not known.
        unsorted: number of its slices of 0 ns of B and E events that Perfetto shows as recorded in
            its own file, but not in one that it sorts.
        has_complete: whether it has an X event: with one Perfetto sorts the merged file.
        text_bytes: length of its text.
    """

    file: str
    file_bytes: int
    metadata: TraceMetadata
    damage: FileDamage
    collectives: Collectives
    base_ns: int
    kernel_names: frozenset[str]
    categories: frozenset[str]
    links: int
    first_ns: int | None
    last_ns: int | None
    host: str = ""
    unsorted: int = 0
    has_complete: bool = False
    text_bytes: int = 0


class StoredRank(Struct, frozen=True):
    """A rank that was read.

    Attributes:
        source: its file.
        trace: its events as columns.
        plan: the edits of its repair.
        table: its slices, as recorded.
    """

    source: Source
    trace: Trace
    plan: Plan
    table: Slices


@functools.cache
def _collective_finder(engine: str | None) -> CollectiveFinder:
    """Return the finder of this worker: ranks run the same kernels, so SQL gets each name once."""
    return CollectiveFinder(engine)


def read_rank(
    source: Source,
    spool: Path,
    engine: str | None,
    *,
    based: bool,
    kept: KeptResults | None = None,
) -> RankSummary:
    """Analyze a rank and store it in a temporary file.

    Args:
        source: the file of the trace.
        spool: path of the temporary file.
        engine: the TraceProcessor that answers; None for the default.
        based: whether to add the trace's base time to its timestamps.
        kept: where to look for the rank first, and to keep it; None for nowhere.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
        EngineOutOfMemory: the rank does not fit into memory.
    """
    try:
        if kept is None or type(source) is not Source:
            return _summarize(source, spool, engine, based=based)
        made = partial(_stored, source, spool, engine, based=based)
        summary, content = kept.result(source, ("rank", engine, based), made)
        spool.write_bytes(content)
    except EngineError as error:
        if str(error).startswith(source.name):
            raise
        raise type(error)(f"{source.name}: {error}") from error
    except MemoryError as error:
        raise EngineOutOfMemory(
            f"{source.name}: does not fit into memory. Give fewer --jobs."
        ) from error

    return summary


def _stored(
    source: Source, spool: Path, engine: str | None, *, based: bool
) -> tuple[RankSummary, bytes]:
    """Read a rank; return what is known of it, and the content of its temporary file."""
    summary = _summarize(source, spool, engine, based=based)
    return summary, spool.read_bytes()


def _summarize(source: Source, spool: Path, engine: str | None, *, based: bool) -> RankSummary:
    trace = with_points(read(source), 0)  # Perfetto sorts the merged file
    placed = place_slices(trace)
    edits = plan_alone(source, placed, OverlapOptions(engine=engine))
    stated = metadata(trace)
    if stated.wrong_base:
        raise InputError(
            f"{source.name}: baseTimeNanoseconds is {stated.wrong_base}, not an integer."
        )
    base = (stated.base_ns or 0) if based else 0
    first, last = _first_and_last(trace, base)
    if last is not None and abs(last) > _LATEST_NS:
        raise InputError(
            f"{source.name}: by its baseTimeNanoseconds of {base} it ends some "
            f"{abs(last) // _YEAR_NS} years from 1970. Correct it, or merge with --align none."
        )
    collectives = _collective_finder(engine).collectives(source, trace, base)
    store_rank(StoredRank(source, trace, edits, placed.table), spool)
    lost = damage(trace, source)
    links = len(trace.links) + len(set(edits.flows.ids.values()))
    names = kernel_names(trace)
    return RankSummary(
        source.name,
        source.size(),
        stated,
        lost,
        collectives,
        base,
        names,
        frozenset(filter(None, trace.cats)),
        links,
        first,
        last,
        host_of(source.name, trace, stated),
        len(swapped_pairs(trace, 0)[0]) - len(swapped_pairs(trace)[0]),
        bool(is_phase(trace, "X").any()),
        trace.text_size(),
    )


def _first_and_last(trace: Trace, base: int) -> tuple[int | None, int | None]:
    """Return the first start and the last end of the timed events, ns; None if none is timed."""
    timed = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    if not timed.any():
        return None, None
    ts = trace.ts[timed]
    return int(ts.min()) + base, int((ts + np.maximum(trace.dur[timed], 0)).max()) + base


def store_rank(stored: StoredRank, spool: Path) -> None:
    """Store a rank in a temporary file, for `load_rank`."""
    with spool.open("wb") as out:
        pickle.dump(stored, out, pickle.HIGHEST_PROTOCOL)


def load_rank(spool: Path) -> StoredRank:
    """Load a rank that `store_rank` stored, maybe on another machine."""
    with spool.open("rb") as file:
        stored: StoredRank = pickle.load(file)  # noqa: S301  what `store_rank` wrote
    return stored
