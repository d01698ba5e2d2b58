"""What is done to each rank by itself, in a worker: examined first, written once clocks are known.

In between it lies in a temporary file, so that memory holds no more ranks than there are workers.
"""

from __future__ import annotations

import functools
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tp_tools import ids, plan
from tp_tools.chrome.events import UNTIMED, is_phase
from tp_tools.chrome.read import read
from tp_tools.chrome.source import Source
from tp_tools.decide import Judge, decide
from tp_tools.errors import InputError
from tp_tools.jobs import said
from tp_tools.recognise import Recogniser
from tp_tools.rewrite import merged_json, merged_pftrace
from tp_tools.rewrite.merged import placed
from tp_tools.rewrite.merged_json import Match
from tp_tools.rewrite.merged_pftrace import FIRST_ARROW
from tp_tools.slices import slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Trace
    from tp_tools.collectives import Collectives
    from tp_tools.jobs import Said
    from tp_tools.plan import Plan
    from tp_tools.rewrite.merged import Placed, Placement, Selection
    from tp_tools.slices import Slices

Form = Literal["json", "pftrace"]

TOLERANCE_NS = 1000
"""What counts as jitter: the default of `tp-tools fix`."""


@dataclass(frozen=True)
class Files:
    """The files of a rank.

    Attributes:
        trace: what was recorded.
        spool: where it is kept between reading and writing.
        part: its part of the merged trace.
    """

    trace: str
    spool: Path
    part: Path


@dataclass(frozen=True)
class Matched:
    """The collectives of a rank that are matched with those of others.

    Attributes:
        event: their events.
        number: the numbers of the collectives.
        links: whether arrows join the ranks.
        is_first: whether the arrow begins at this rank.
    """

    event: Ints
    number: Ints
    links: bool
    is_first: NDArray[np.bool_]

    def by_event(self, *, carried: bool) -> dict[int, Match]:
        """By event what it is a part of; `carried` says whether events carry arrows themselves."""
        columns = (self.event.tolist(), self.number.tolist(), self.is_first.tolist())
        return {
            event: Match(number, FIRST_ARROW + number if self.links and carried else None, first)
            for event, number, first in zip(*columns, strict=True)
        }


@dataclass(frozen=True)
class Gathered:
    """What the merge has to know of a rank.

    Attributes:
        file: its trace.
        said: what it says about its job.
        collectives: what it shares with other ranks.
        base_ns: what its times are counted from, ns since the epoch.
        links: how many ids its arrows have.
        size: bytes of its events as JSON.
        first_ns, last_ns: when it begins and ends, ns on its own clock; None if it has no events.
    """

    file: str
    said: Said
    collectives: Collectives
    base_ns: int
    links: int
    size: int
    first_ns: int | None
    last_ns: int | None


@dataclass(frozen=True)
class Written:
    """A rank as it was written.

    Attributes:
        events, slices, flows: how many it has.
        row: pid and tid of each matched collective, (n, 2).
        ts, end: of each, ns in the merged trace.
        shown: whether it was written.
    """

    events: int
    slices: int
    flows: int
    row: Ints
    ts: Ints
    end: Ints
    shown: Ints


@functools.cache
def _recogniser(engine: str | None) -> Recogniser:
    """One per worker: ranks run the same kernels, so SQL is asked about each name once."""
    return Recogniser(engine, _say_nothing)


def _say_nothing(_line: str) -> None:
    pass


def gather(file: str, spool: Path, engine: str | None, *, based: bool) -> Gathered:
    """Examines a rank and keeps it in a temporary file.

    Args:
        file: the trace.
        spool: where to keep it.
        engine: the TraceProcessor to ask; None for the default.
        based: whether its base time counts; else its times are taken as they are written.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
    """
    source = Source(Path(file), file)
    trace = read(source)
    table = slices(trace)
    edits = _plan(source, trace, table, engine)
    about = said(trace, file)
    base = about.base_ns if based else 0
    collectives = _recogniser(engine).collectives(source, trace, base)
    with spool.open("wb") as kept:
        pickle.dump((source, trace, edits, table), kept, pickle.HIGHEST_PROTOCOL)
    first, last = _span(trace, base)
    size = sum(span.length for span in trace.spans)
    return Gathered(file, about, collectives, base, len(trace.links), size, first, last)


def _plan(source: Source, trace: Trace, table: Slices, engine: str | None) -> Plan:
    """The repairs, as `fix.examine` finds them; what was hidden is of no interest here."""
    try:
        repairs = decide(trace, table, Judge(TOLERANCE_NS, engine, _say_nothing))
        return plan.make(trace, table, repairs, ids.choose(trace))
    except InputError as error:
        raise InputError(f"{source.name}: {error}") from error


def _span(trace: Trace, base: int) -> tuple[int | None, int | None]:
    timed = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    if not timed.any():
        return None, None
    ts = trace.ts[timed]
    return int(ts.min()) + base, int((ts + np.maximum(trace.dur[timed], 0)).max()) + base


def write(
    files: Files, where: Placement, wanted: Selection, matched: Matched, form: Form
) -> Written:
    """Writes a rank's part of the merged trace.

    Args:
        files: where it lies, and where its part goes.
        where: its place in the merged trace.
        wanted: which events.
        matched: its matched collectives.
        form: what the output is.

    Raises:
        InputError: the file changed meanwhile, or the rank has too many ids.
    """
    source, trace, edits, table = _kept(files.spool)
    rank = placed(trace, edits, table, where, wanted)
    events = matched.by_event(carried=form == "pftrace")
    if form == "pftrace":
        between = files.part.with_suffix(".json")
        blocks = merged_pftrace.fragment(source, rank, where, events, between)
    else:
        blocks = merged_json.fragment(source, rank, where, events)
    with files.part.open("wb") as out:
        for block in blocks:
            out.write(block)
    return _written(rank, table, matched.event)


def _kept(spool: Path) -> tuple[Source, Trace, Plan, Slices]:
    with spool.open("rb") as kept:
        source, trace, edits, table = pickle.load(kept)  # noqa: S301  what `gather` wrote
    return source, trace, edits, table


def _written(rank: Placed, table: Slices, events: Ints) -> Written:
    trace, keep = rank.trace, rank.keep
    rows = [rank.row_of(event) for event in events.tolist()]
    return Written(
        events=int(keep.sum()),
        slices=int(keep[table.event].sum()),
        flows=int((keep & is_phase(trace, "f")).sum()),
        row=np.array(rows, np.int64).reshape(-1, 2),
        ts=trace.ts[events],
        end=trace.ts[events] + trace.dur[events],
        shown=keep[events].astype(np.int64),
    )
