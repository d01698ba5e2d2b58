"""What is in a trace that is no Chrome JSON: asked of TraceProcessor, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools import engine, library
from tp_tools.inspection.inventory import Category, Inventory, Kernels, Stream
from tp_tools.trace.tracks import natural_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.engine.processor import Processor

COMPLETE = "X"


def contents(tp: Processor) -> Inventory:
    """The same counts as of Chrome JSON; every event is a slice then, and steps are not told apart.

    Raises:
        EngineError: TraceProcessor failed.
    """
    by_category = list(_rows(tp, "contents"))
    streams = list(_rows(tp, "streams"))
    slices = sum(row["slices"] for row in by_category)
    ranks = {f"rank {row['rank']}" for row in streams if row["rank"] is not None}
    return Inventory(
        events=slices,
        phases={COMPLETE: slices},
        categories=[
            Category(row["category"] or "", row["slices"], row["slices"], row["total_ns"])
            for row in by_category
        ],
        start_ns=min((row["first_ts"] for row in by_category), default=None),
        end_ns=max((row["last_ts"] for row in by_category), default=None),
        streams=[
            Stream(
                pid=row["device"],
                process=None if row["rank"] is None else f"rank {row['rank']}",
                name=f"stream {row['stream']}",
                work=row["events"],
                busy_ns=row["busy_ns"],
            )
            for row in streams
        ],
        merged=sorted(ranks, key=natural_key),
        steps=None,
        kernels=[
            Kernels(row["name"], row["count"], row["total_ns"])
            for row in _rows(tp, "kernels")
            if row["kind"] != "copy"
        ],
    )


def _rows(tp: Processor, query: str) -> Iterator[dict[str, Any]]:
    answer = engine.run_file(tp, library.find(query))
    for row in answer.rows:
        yield dict(zip(answer.columns, row, strict=True))
