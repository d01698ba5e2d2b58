"""The main job: one trace, from file to repaired file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tp_tools.chrome.crew import ALONE
from tp_tools.chrome.reader import read
from tp_tools.errors import InputError
from tp_tools.progress import silent
from tp_tools.repair import ids, planner
from tp_tools.repair.hidden import hidden_of_placed
from tp_tools.repair.lanes import place
from tp_tools.repair.overlaps import decide
from tp_tools.trace.slices import slices
from tp_tools.writing.json import writer as json_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.chrome.crew import Crew
    from tp_tools.files.source import Source
    from tp_tools.progress import Progress
    from tp_tools.repair.overlaps import Judge
    from tp_tools.repair.planner import Plan, Repair
    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slices import Slices
    from tp_tools.writing.pftrace.options import Part


@dataclass(frozen=True)
class Examined:
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


def examine(
    source: Source,
    judge: Judge,
    progress: Progress = silent,
    crew: Crew = ALONE,
) -> Examined:
    """Reads a trace and finds what is to be repaired; changes nothing.

    Args:
        source: the file.
        judge: how SQL is asked.
        progress: shows what is done.
        crew: who helps.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor could not answer.
    """
    with progress(f"reading {source.name}", source.size()) as seen:
        trace = read(source, seen, crew)
    with progress("placing slices"):
        table = slices(trace)
        lane = place(table)
    with progress("asking SQL about overlaps"), ThreadPoolExecutor(1) as beside:
        decided = beside.submit(decide, trace, table, judge, lane)
        missing, chosen = hidden_of_placed(trace, table, lane), ids.choose(trace)
        try:
            repairs = decided.result()
            edits = planner.make(trace, table, repairs, chosen)
        except InputError as error:
            raise InputError(f"{source.name}: {error}") from error
    return Examined(trace, table, lane, repairs, edits, missing)


def rewritten(
    source: Source,
    examined: Examined,
    seen: Callable[[int], None] = lambda _: None,
    part: Part | None = None,
    crew: Crew = ALONE,
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
        crew: who helps with writing JSON.
        packed: whether JSON is compressed as gzip.
    """
    trace, edits = examined.trace, examined.plan
    if part is None:
        return json_writer.rewrite(source, trace, edits, seen, crew=crew, packed=packed)
    from tp_tools.writing.pftrace import writer as pftrace  # noqa: PLC0415  most want JSON

    return pftrace.rewrite(source, trace, examined.table, edits, part=part, seen=seen)
