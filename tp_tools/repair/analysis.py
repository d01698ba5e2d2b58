"""Analyze one trace and write it repaired: the steps of `tp-tools fix`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tp_tools.chrome import read
from tp_tools.chrome.reread import external_ids
from tp_tools.errors import InputError
from tp_tools.processes.pool import ALONE
from tp_tools.progress import SILENT
from tp_tools.repair import ids, planner
from tp_tools.repair.hidden import find_hidden
from tp_tools.repair.lanes import assign_lanes
from tp_tools.repair.launch_flows import with_flows
from tp_tools.repair.overlaps import decide_repairs
from tp_tools.trace import gpu_names
from tp_tools.trace.renaming import kernel_names, new_names
from tp_tools.trace.slices import slices
from tp_tools.writing.json import writer as json_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.files import Source
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.repair.overlaps import OverlapOptions
    from tp_tools.trace import Plan, Repair, Slices, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.trace.plan import Ids
    from tp_tools.writing import PftraceOptions


class Analysis(Struct, frozen=True):
    """A trace and its plan of repair.

    Attributes:
        trace: the events as columns.
        table: the slices, as recorded.
        lane: int (slices,), lossless lanes of the slices, 0 for the track itself.
        repairs: decisions of SQL about overlaps, in the order of the file.
        plan: the edits.
        hidden: numbers of the events that Perfetto v51 to v56 does not show, ascending.
    """

    trace: Trace
    table: Slices
    lane: Ints
    repairs: list[Repair]
    plan: Plan
    hidden: Ints

    def is_sound(self) -> bool:
        """Tell whether there is nothing to repair."""
        return self.plan.is_empty() and not self.trace.repairs


def with_short_names(analysis: Analysis) -> Analysis:
    """Return the analysis with a plan that gives kernels their short names, too."""
    short = new_names(kernel_names(analysis.trace))
    return replace(analysis, plan=replace(analysis.plan, short_names=short))


def with_gpu_names(analysis: Analysis) -> Analysis:
    """Return the analysis with a plan that names GPUs, too, unless no event has to change."""
    if analysis.plan.is_empty():
        return analysis
    return replace(analysis, plan=gpu_names.with_gpu_names(analysis.trace, analysis.plan))


class PlacedSlices(Struct, frozen=True):
    """A trace, and its slices on lanes on which Perfetto keeps all of them.

    Attributes:
        trace: the events as columns.
        table: the slices, as recorded.
        lane: int (slices,), lossless lanes of the slices, 0 for the track itself.
    """

    trace: Trace
    table: Slices
    lane: Ints

    def hidden(self) -> Ints:
        """List the events that Perfetto v51 to v56 does not show, ascending."""
        return find_hidden(self.trace, self.table, self.lane)


def place_slices(trace: Trace) -> PlacedSlices:
    """List the slices of a trace, and assign a lane to each."""
    table = slices(trace)
    return PlacedSlices(trace, table, assign_lanes(table))


class PlannedTrace(Struct, frozen=True):
    """A trace and its plan of repair, for those who load it.

    Attributes:
        trace: the events as columns.
        table: the slices, as recorded.
        plan: the edits.
    """

    trace: Trace
    table: Slices
    plan: Plan


def analyze(
    source: Source,
    options: OverlapOptions,
    reporter: Reporter = SILENT,
    pool: Pool = ALONE,
) -> Analysis:
    """Read a trace and plan its repair; change nothing.

    Args:
        source: the file.
        options: how to ask SQL about overlaps.
        reporter: receives the stages of the work, and notes.
        pool: processes that read together with this one.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
    """
    return analyze_placed(source, read_placed(source, reporter, pool), options, reporter)


def analyze_placed(
    source: Source,
    placed: PlacedSlices,
    options: OverlapOptions,
    reporter: Reporter = SILENT,
    beside_sql: Callable[[], object] | None = None,
) -> Analysis:
    """Plan the repair of a trace that is read already; else as `analyze`.

    `beside_sql` is called on a thread while SQL is asked: imports for what comes next.
    """
    trace = placed.trace
    with (
        reporter.stage("asking SQL about overlaps") as stage,
        ThreadPoolExecutor(1) as thread,
    ):
        # SQL may take long: it runs on this thread, which a signal can interrupt
        found = thread.submit(lambda: (placed.hidden(), ids.choose_ids(trace)))
        if beside_sql is not None:
            thread.submit(beside_sql)
        with naming(source):
            repairs = decide_repairs(trace, placed.table, options, placed.lane, stage)
            hidden, chosen = found.result()
            plan = _plan(source, placed, repairs, chosen)
    return Analysis(trace, placed.table, placed.lane, repairs, plan, hidden)


def plan_trace(
    source: Source,
    options: OverlapOptions,
    reporter: Reporter = SILENT,
    pool: Pool = ALONE,
    *,
    flows: bool = True,
) -> PlannedTrace:
    """Read a trace and plan its repair, as `analyze` does, without a look for hidden events.

    Args:
        source: the file.
        options: how to ask SQL about overlaps.
        reporter: receives the stages of the work, and notes.
        pool: processes that read together with this one.
        flows: whether to plan repairs of flows, for those who load or count flow events.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
    """
    placed = read_placed(source, reporter, pool)
    with reporter.stage("asking SQL about overlaps") as stage:
        plan = plan_alone(source, placed, options, stage, flows=flows)
    return PlannedTrace(placed.trace, placed.table, plan)


def read_placed(source: Source, reporter: Reporter, pool: Pool = ALONE) -> PlacedSlices:
    """Read a trace and place its slices; arguments and errors as of `analyze`."""
    with reporter.stage(f"reading {source.name}", source.size()) as stage:
        trace = read(source, stage, pool)
    with reporter.stage("placing slices"):
        return place_slices(trace)


def plan_alone(
    source: Source,
    placed: PlacedSlices,
    options: OverlapOptions,
    reporter: Reporter = SILENT,
    *,
    flows: bool = True,
) -> Plan:
    """Plan the repair of a trace that is read already, as `analyze` does, in this thread alone.

    Args:
        source: the file, for its name in errors.
        placed: the trace and its slices.
        options: how to ask SQL about overlaps.
        reporter: receives a note about a step that takes seconds.
        flows: as in `plan_trace`.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
    """
    with naming(source):
        repairs = decide_repairs(placed.trace, placed.table, options, placed.lane, reporter)
        return _plan(source, placed, repairs, ids.choose_ids(placed.trace), flows=flows)


def _plan(
    source: Source, placed: PlacedSlices, repairs: list[Repair], chosen: Ids, *, flows: bool = True
) -> Plan:
    plan = planner.make_plan(placed.trace, placed.table, repairs, chosen)
    if not flows:
        return plan
    read_ids = partial(external_ids, source, placed.trace)
    return with_flows(placed.trace, placed.table, plan, read_ids)


@contextmanager
def naming(source: Source) -> Iterator[None]:
    """Put the name of the file before the text of an InputError about its trace."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{source.name}: {error}") from error


def rewrite(
    source: Source,
    analysis: Analysis,
    reporter: Reporter = SILENT,
    pftrace: PftraceOptions | None = None,
    pool: Pool = ALONE,
    *,
    packed: bool = False,
) -> Iterator[bytes]:
    """Write the repaired trace.

    Args:
        source: the file; it is read again.
        analysis: its analysis.
        reporter: receives the number of bytes read from disk.
        pftrace: how to write a `.pftrace`; None to write Chrome JSON, in which a trace that needs
            no repair keeps every byte.
        pool: processes that write together with this one.
        packed: whether to compress JSON as gzip.

    Returns:
        Blocks of bytes.
    """
    trace, plan = analysis.trace, analysis.plan
    if pftrace is None:
        return json_writer.rewrite(source, trace, plan, reporter, pool=pool, packed=packed)
    from tp_tools.writing.pftrace import writer as pftrace_writer  # noqa: PLC0415  most write JSON

    return pftrace_writer.rewrite(
        source, trace, analysis.table, plan, options=pftrace, reporter=reporter, pool=pool
    )
