"""Ask a trace that is loaded; ids in its rows are those of the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.engine import Rows, query_rows
from tp_tools.querying.viewer_ids import as_in_viewer

if TYPE_CHECKING:
    from tp_tools.engine.processor import Processor
    from tp_tools.progress import Reporter
    from tp_tools.querying.lookup import Query


def answer(query: Query, tp: Processor, reporter: Reporter) -> Rows:
    """Run a query on a loaded trace.

    Args:
        query: the query.
        tp: the trace.
        reporter: receives the stage, and what is said of ids.

    Raises:
        SqlError: TraceProcessor refused the query.
        EngineError: it failed otherwise.
    """
    with reporter.stage(f"asking {query.name or 'SQL'}"):
        rows = query_rows(tp, query.sql_on(tp.gpu), query.name)
    return as_in_viewer(replace(rows, start_ns=tp.start_ns), tp, reporter)
