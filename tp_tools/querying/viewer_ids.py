"""Give slices and tracks in an answer the ids that they have in the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from tp_tools.engine import Rows
    from tp_tools.engine.processor import Processor
    from tp_tools.progress import Reporter
    from tp_tools.trace.model import Ints

SLICES = frozenset({"id", "slice_id", "other_id"})
"""Columns with ids of slices."""

TRACKS = frozenset({"track_id"})
"""Columns with ids of tracks."""


def as_in_viewer(answer: Rows, tp: Processor, reporter: Reporter) -> Rows:
    """Replace ids of slices and tracks by those of the viewer; by NULL where these are unknown.

    Args:
        answer: rows of a query, with ids in columns of the names in `SLICES` and `TRACKS`.
        tp: the trace that the query ran on.
        reporter: receives a note where ids are unknown.
    """
    if not tp.is_partial or not answer.rows:
        return answer
    known = dict.fromkeys(SLICES, tp.slice_ids) | dict.fromkeys(TRACKS, tp.track_ids)
    if not known.keys() & set(answer.columns):
        return answer
    unknown = tuple(it for it in answer.columns if it in known and known[it] is None)
    if unknown:
        reporter.say(
            f"{', '.join(unknown)}: NULL, since only the events that the query needs were loaded; "
            "--all-categories gives these ids."
        )
    columns = [
        _renumbered(cells, known[name]) if name in known else cells
        for name, cells in zip(answer.columns, zip(*answer.rows, strict=True), strict=True)
    ]
    return replace(answer, rows=list(zip(*columns, strict=True)), unknown_ids=unknown)


def _renumbered(cells: tuple[object, ...], ids: Ints | None) -> list[int | None]:
    """Look ids up; what is no id of the trace becomes NULL."""
    numbers = [] if ids is None else ids.tolist()
    count = len(numbers)
    return [numbers[it] if isinstance(it, int) and 0 <= it < count else None for it in cells]
