"""Load a trace whose repair is planned, and ask queries of a report; a call for workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tp_tools.engine.loader import text_limit
from tp_tools.merging.read_rank import load_rank
from tp_tools.progress import Recorder, unreported
from tp_tools.querying.trace_loader import load_planned
from tp_tools.querying.unknown_devices import Devices, unknown_devices
from tp_tools.reporting import questions

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.engine import Rows
    from tp_tools.files import Source
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.trace_loader import Planned


class Part(Struct, frozen=True):
    """What to ask about a trace.

    Attributes:
        queries: the queries.
        loading: what they need of the trace, and the engine.
        doing: text of the stage: "asking rank 3".
        asks_devices: whether to look for devices that the library does not know.
    """

    queries: list[Query]
    loading: LoadOptions
    doing: str = "asking SQL"
    asks_devices: bool = True


class Answers(Struct, frozen=True):
    """What was said of a trace.

    Attributes:
        rows: the rows of each query, by its name; ids are those of the viewer.
        devices: devices that the library does not know, in place of GPU work.
        lines: what nobody has reported yet.
    """

    rows: dict[str, Rows]
    devices: Devices = ()
    lines: Recorder = field(default_factory=Recorder)


def engines_at_a_time(text_bytes: int, options: LoadOptions) -> int:
    """Return how many TraceProcessors fit into memory together, each with its queries; at least 1.

    Args:
        text_bytes: length of the JSON that each loads, at most.
        options: the engine, and the memory that it may take.
    """
    return max(1, text_limit(options.engine, options.memory) // max(1, text_bytes))


def ask_planned(source: Source, planned: Planned, part: Part, reporter: Reporter) -> Answers:
    """Load a trace and ask a part of the questions.

    Args:
        source: the file.
        planned: its analysis, or what was stored of it.
        part: what to ask.
        reporter: receives the stages of the work, and warnings of lost data.

    Raises:
        EngineError: TraceProcessor failed.
    """
    tp = load_planned(source, planned, part.loading, reporter)
    with tp, reporter.stage(part.doing):
        rows = questions.ask(tp, part.queries)
        devices = unknown_devices(source, tp, part.loading.engine) if part.asks_devices else ()
        return Answers(rows, devices, unreported(reporter))


def ask_stored(part: Part, reporter: Reporter, spool: Path) -> Answers:
    """Do `ask_planned` with what `store_rank` stored."""
    stored = load_rank(spool)
    return ask_planned(stored.source, stored, part, reporter)
