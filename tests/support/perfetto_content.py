"""Content of a trace in TraceProcessor, in a form in which JSON and `.pftrace` can be compared."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.handmade import overlap_options, source_of
from tp_tools import engine
from tp_tools.files.source import DEFAULT_SIZES, ReadSizes
from tp_tools.repair.analysis import analyze, rewrite
from tp_tools.writing.pftrace.header import HEADER_CATEGORY
from tp_tools.writing.pftrace.options import PftraceOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source

ALONE = PftraceOptions()
"""A trace that has the file to itself, as `fix` writes it."""

Slice = tuple[Any, ...]
"""(ts, dur, name, category, depth, args); args are one text, without what is to differ."""

ARGS = """
SELECT
  arg_set_id,
  GROUP_CONCAT(
    IIF(key GLOB 'debug.*', SUBSTR(key, 7), key) || ' ' || value_type || ' '
    || COALESCE(CAST(int_value AS TEXT), string_value, CAST(real_value AS TEXT), 'NULL'),
    CHAR(10) ORDER BY key
  )
FROM args
WHERE key != 'debug.args.tpt_pid'
GROUP BY arg_set_id
"""
SLICES = """
SELECT
  s.id,
  s.arg_set_id,
  s.parent_id,
  COALESCE(
    EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
    EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid'),
    thread.tid
  ),
  s.ts,
  s.dur,
  s.name,
  s.category,
  s.depth
FROM slice AS s
LEFT JOIN thread_track ON thread_track.id = s.track_id
LEFT JOIN thread USING (utid)
"""
ARROWS = "SELECT slice_out, slice_in FROM flow"
COUNTERS = "SELECT c.ts, t.name, c.value FROM counter AS c JOIN track AS t ON t.id = c.track_id"


@dataclass(frozen=True)
class Content:
    """Content of a loaded trace.

    Attributes:
        slices: each with its parent and the tid of its row, as recorded.
        arrows: (from, to); not those from the first slice of all: see below.
        counters: (ts, name, value).

    TraceProcessor draws an arrow from slice 0 for an `f` that binds to the next slice and has no
    beginning. No `.pftrace` should repeat that.
    """

    slices: Counter[tuple[Slice, Slice | None, int | None]]
    arrows: Counter[tuple[Slice, Slice]]
    counters: Counter[tuple[int, str, float]]


def content(tp: Processor) -> Content:
    """Read the content of the trace that is loaded."""
    args: dict[int | None, str] = dict(engine.rows(tp, ARGS))
    slices: dict[int, Slice] = {}
    rows: dict[int, tuple[int | None, int | None]] = {}
    for number, arg_set, parent, tid, *rest in engine.rows(tp, SLICES):
        slices[number] = (*rest, args.get(arg_set, ""))
        rows[number] = parent, tid
    return Content(
        Counter(
            (it, None if rows[number][0] is None else slices[rows[number][0]], rows[number][1])
            for number, it in slices.items()
            if it[3] != HEADER_CATEGORY
        ),
        Counter((slices[a], slices[b]) for a, b in engine.rows(tp, ARROWS) if a),
        Counter(engine.rows(tp, COUNTERS)),
    )


def both(
    source: Source, part: PftraceOptions = ALONE, *, lossy: bool = False
) -> tuple[Content, Content]:
    """Content of the repaired trace as JSON, and as `.pftrace`.

    Args:
        source: the file as recorded.
        part: how the `.pftrace` is to look.
        lossy: whether the JSON may be one of which TraceProcessor loses something.
    """
    analysis = analyze(source, overlap_options())
    blocks = rewrite(source, analysis)
    with engine.load(blocks, source="as JSON", allow_loss=lossy) as tp:
        as_json = content(tp)
    with engine.load(rewrite(source, analysis, pftrace=part), source="as .pftrace") as tp:
        return as_json, content(tp)


def pftrace_of(
    data: bytes,
    part: PftraceOptions = ALONE,
    sizes: ReadSizes = DEFAULT_SIZES,
) -> bytes:
    """The repaired trace as `.pftrace`."""
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(data, Path(folder), sizes)
        return b"".join(rewrite(source, analyze(source, overlap_options()), pftrace=part))


def rows_in(data: bytes | Iterable[bytes], sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on a `.pftrace`, of which nothing may be lost."""
    chunks = [data] if isinstance(data, bytes) else data
    with engine.load(chunks, source="as .pftrace") as tp:
        return engine.rows(tp, sql)
