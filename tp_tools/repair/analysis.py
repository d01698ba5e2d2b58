"""The main job: one trace, from file to repaired file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tp_tools.chrome.reader import read
from tp_tools.errors import InputError
from tp_tools.processes.pool import ALONE
from tp_tools.progress import silent
from tp_tools.repair import ids, planner
from tp_tools.repair.hidden import hidden_of_placed
from tp_tools.repair.lanes import assign_lanes
from tp_tools.repair.overlaps import decide_repairs
from tp_tools.trace.slices import slices
from tp_tools.writing.json import writer as json_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.files.source import Source
    from tp_tools.processes.pool import Pool
    from tp_tools.progress import Progress
    from tp_tools.repair.overlaps import OverlapOptions
    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.plan import Plan, Repair
    from tp_tools.trace.slices import Slices
    from tp_tools.writing.pftrace.options import PftraceOptions


@dataclass(frozen=True)
class Analysis:
    """A trace and what is to be done about it.

    Attributes:
        trace: its events as columns.
        table: its slices, as recorded.
        lane: their lossless lanes, 0 for the row itself.
        repairs: what SQL decided about overlaps.
        plan: the edits.
        hidden: numbers of the events that Perfetto v51 to v56 would not have shown.
    """

    trace: Trace
    table: Slices
    lane: Ints
    repairs: list[Repair]
    plan: Plan
    hidden: Ints

    def is_sound(self) -> bool:
        """Whether there is nothing to repair."""
        return self.plan.is_empty() and not self.trace.repairs


@dataclass(frozen=True)
class PlacedSlices:
    """A trace that was read, and its slices on lanes on which Perfetto keeps every one.

    Attributes:
        trace: its events as columns.
        table: its slices, as recorded.
        lane: int array (slices,), 0 for the slice's own track.
    """

    trace: Trace
    table: Slices
    lane: Ints

    def hidden(self) -> Ints:
        """Numbers of the events that Perfetto v51 to v56 would not show."""
        return hidden_of_placed(self.trace, self.table, self.lane)


def place_slices(trace: Trace) -> PlacedSlices:
    """Find the slices of a trace, and a lane for each."""
    table = slices(trace)
    return PlacedSlices(trace, table, assign_lanes(table))


def analyze(
    source: Source,
    judge: OverlapOptions,
    progress: Progress = silent,
    pool: Pool = ALONE,
) -> Analysis:
    """Reads a trace and finds what is to be repaired; changes nothing.

    Args:
        source: the file.
        judge: how SQL is asked.
        progress: shows what is done.
        pool: processes that read together.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
    """
    with progress(f"reading {source.name}", source.size()) as seen:
        trace = read(source, seen, pool)
    with progress("placing slices"):
        placed = place_slices(trace)
    with progress("asking SQL about overlaps"), ThreadPoolExecutor(1) as beside:
        # on this thread, which a signal can interrupt, runs what may take long
        beside_sql = beside.submit(lambda: (placed.hidden(), ids.choose_ids(trace)))
        with naming(source):
            repairs = decide_repairs(trace, placed.table, judge, placed.lane)
            hidden, chosen = beside_sql.result()
            plan = planner.make_plan(trace, placed.table, repairs, chosen)
    return Analysis(trace, placed.table, placed.lane, repairs, plan, hidden)


def plan_alone(source: Source, placed: PlacedSlices, judge: OverlapOptions) -> Plan:
    """Plan the repairs of a trace that was read, as `analyze` does, but in this thread alone.

    What viewers would hide is not looked for: a merge needs it of no rank.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
    """
    with naming(source):
        repairs = decide_repairs(placed.trace, placed.table, judge, placed.lane)
        return planner.make_plan(placed.trace, placed.table, repairs, ids.choose_ids(placed.trace))


@contextmanager
def naming(source: Source) -> Iterator[None]:
    """Name the file in what is said to be wrong with its trace."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{source.name}: {error}") from error


def rewrite(
    source: Source,
    examined: Analysis,
    seen: Callable[[int], None] = lambda _: None,
    part: PftraceOptions | None = None,
    pool: Pool = ALONE,
    *,
    packed: bool = False,
) -> Iterator[bytes]:
    """The repaired trace.

    Args:
        source: the file.
        examined: what was found in it.
        seen: told bytes read from disk, as they are.
        part: how it is to look as `.pftrace`; without it, it is written as Chrome JSON, and of a
            sound trace every byte as it was.
        pool: processes that write JSON together.
        packed: whether JSON is compressed as gzip.
    """
    trace, edits = examined.trace, examined.plan
    if part is None:
        return json_writer.rewrite(source, trace, edits, seen, pool=pool, packed=packed)
    from tp_tools.writing.pftrace import writer as pftrace  # noqa: PLC0415  most want JSON

    return pftrace.rewrite(source, trace, examined.table, edits, part=part, seen=seen)
