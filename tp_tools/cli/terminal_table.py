"""Lay out an answer for a terminal: the columns that answer first, times in readable units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tp_tools.cli.table import table
from tp_tools.engine import Rows
from tp_tools.trace.short_names import short_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tp_tools.library import Header

ROWS_ON_TERMINAL = 20
ROOM_FOR_NAMES = 24
"""Characters that columns which the header does not list leave to names of kernels."""

_ROWS_TO_MEASURE = 100
"""Rows by which columns are chosen."""

_LATE_NS = 10**9
"""Times from which on (ns) they count from the earliest, where the trace's start is unknown."""

_UNITS = ((10**7, 10**6, "ms"), (10**4, 10**3, "us"))
"""From which largest value on (ns) a unit is used, its length in ns, its name."""


class Layout(Struct, frozen=True):
    """A table for a terminal.

    Attributes:
        lines: its text, header first.
        empty: the columns without any value, which are hidden; not those of unknown ids.
        left_out: the columns that found no room.
        omitted: rows that are not shown.
        start_ns: the time from which the times count; None where no shown time is late enough.
        starts_trace: whether that is the start of the trace; else it is the earliest of the rows.
    """

    lines: list[str]
    empty: list[str]
    left_out: list[str]
    omitted: int
    start_ns: int | None = None
    starts_trace: bool = False


def lay_out(answer: Rows, header: Header, width: int | None, most_rows: int) -> Layout:
    """Lay out an answer for a line of `width` characters.

    Args:
        answer: the rows.
        header: header of the query, which says what columns come first and which name kernels.
        width: characters in a line; None for all columns.
        most_rows: rows that are shown; 0 for all.
    """
    rows = answer.rows[:most_rows] if most_rows else answer.rows
    shown = Rows(answer.columns, rows)
    empty = [
        name
        for place, name in enumerate(shown.columns)
        if rows and all(row[place] is None for row in answer.rows)
    ]
    unsaid = [name for name in empty if name not in answer.unknown_ids]
    shown = _select(shown, [name for name in shown.columns if name not in empty])
    start_ns = _start(answer)
    shown = shown if start_ns is None else _counted_from(start_ns, shown)
    shown = _with_units(_with_short_names(shown, header.kernels))
    first = [*header.first, *(name for name in answer.columns if name not in header.first)]
    order = sorted(range(len(shown.columns)), key=lambda i: first.index(_source(shown, answer, i)))
    needed = sum(_source(shown, answer, i) in header.first for i in order)
    spare = ROOM_FOR_NAMES if any(name in header.kernels for name in shown.columns) else 0
    chosen = (
        order
        if width is None
        else _that_fit(shown, _without_twins(shown, order), width, needed, spare)
    )
    kept = _select(shown, [name for i, name in enumerate(shown.columns) if i in set(chosen)])
    laid_out = table(kept, width)
    said = start_ns if any(map(_is_time, kept.columns)) else None
    left_out = [shown.columns[i] for i in order if i not in set(chosen)]
    omitted = len(answer.rows) - len(rows)
    return Layout(
        laid_out.lines,
        unsaid,
        [*left_out, *laid_out.left_out],
        omitted,
        said,
        starts_trace=answer.start_ns is not None,
    )


def sort_rows(answer: Rows, column: str) -> Rows:
    """Sort rows by a column: numbers from the largest on, text from A to Z, NULL last.

    Raises:
        ValueError: there is no such column.
    """
    place = answer.columns.index(column)
    known = [row for row in answer.rows if row[place] is not None]
    is_number = all(isinstance(row[place], int | float) for row in known)
    key: Callable[[tuple[object, ...]], object] = lambda row: (  # noqa: E731  typed
        row[place] if is_number else str(row[place])
    )
    ordered = sorted(known, key=key, reverse=is_number)  # type: ignore[arg-type]
    unknown = (row for row in answer.rows if row[place] is None)
    return replace(answer, rows=[*ordered, *unknown])


def _source(shown: Rows, answer: Rows, place: int) -> str:
    """Find the column of the answer from which a shown one, with another unit, was made."""
    name = shown.columns[place]
    stem = name.rpartition("_")[0]
    return next(it for it in (name, f"{stem}_ns", f"{stem}_us", stem) if it in answer.columns)


def _that_fit(shown: Rows, order: list[int], width: int, needed: int, spare: int) -> list[int]:
    """Choose as many columns as fit, in the order of their importance; one at least.

    Columns beyond those that are needed shorten no two texts to the same one.

    Args:
        shown: the rows.
        order: places of the columns, the most important first.
        width: characters in a line.
        needed: columns that may narrow the names of kernels as far as they need.
        spare: characters that further columns leave to the names.
    """
    sample = replace(shown, rows=shown.rows[:_ROWS_TO_MEASURE])
    for count in range(len(order), 1, -1):
        names = [name for i, name in enumerate(sample.columns) if i in set(order[:count])]
        room = width if count <= needed else width - spare
        tried = table(_select(sample, names), room)
        if not tried.left_out and (count <= needed or not tried.is_blurred):
            return order[:count]
    return order[:1]


def _without_twins(shown: Rows, order: list[int]) -> list[int]:
    """Leave out `short_name`, by the rules of SQL, beside names that are shown short already."""
    return [i for i in order if shown.columns[i] != "short_name" or "name" not in shown.columns]


def _select(answer: Rows, names: Sequence[str]) -> Rows:
    places = [answer.columns.index(name) for name in names]
    return Rows(tuple(names), [tuple(row[i] for i in places) for row in answer.rows])


def _with_short_names(answer: Rows, columns: Sequence[str]) -> Rows:
    places = {i for i, name in enumerate(answer.columns) if name in columns}
    names = {row[i] for row in answer.rows for i in places if isinstance(row[i], str)}
    short = short_names(names)
    rows = [
        tuple(short.get(cell, cell) if i in places else cell for i, cell in enumerate(row))
        for row in answer.rows
    ]
    return Rows(answer.columns, rows)


def _with_units(answer: Rows) -> Rows:
    """Show durations in us or ms, each column in one unit, which its name says."""
    names, scales = list(answer.columns), [1.0] * len(answer.columns)
    for place, name in enumerate(answer.columns):
        stem, ns = _duration(name)
        cells = [row[place] for row in answer.rows if row[place] is not None]
        if not ns or not cells or not all(isinstance(cell, int | float) for cell in cells):
            continue
        largest = ns * max(map(abs, cells))
        unit = next(((size, it) for least, size, it in _UNITS if largest >= least), None)
        if unit is not None and unit[0] != ns:
            names[place], scales[place] = f"{stem}_{unit[1]}", ns / unit[0]
    if len(set(names)) < len(names):
        return answer
    rows = [
        tuple(
            cell if scale == 1.0 or cell is None else cell * scale
            for cell, scale in zip(row, scales, strict=True)
        )
        for row in answer.rows
    ]
    return Rows(tuple(names), rows)


def _start(answer: Rows) -> int | None:
    """Return the time from which times count, ns; None if they can be read as they are.

    It is the start of the trace, or where that is not known, the earliest of these times.
    """
    places = [place for place, name in enumerate(answer.columns) if _is_time(name)]
    times = [row[place] for row in answer.rows for place in places if row[place] is not None]
    if not times or not all(isinstance(time, int) for time in times):
        return None
    if answer.start_ns is not None:
        return answer.start_ns or None
    start: int = min(times)
    return start if start >= _LATE_NS else None


def _counted_from(start_ns: int, answer: Rows) -> Rows:
    """Count times in ns from the earliest; they stay exact."""
    places = {place for place, name in enumerate(answer.columns) if _is_time(name)}
    rows = [
        tuple(
            cell - start_ns if place in places and cell is not None else cell
            for place, cell in enumerate(row)
        )
        for row in answer.rows
    ]
    return Rows(answer.columns, rows)


def _is_time(name: str) -> bool:
    return name == "ts" or name.endswith(("_ts", "_arrival", "window_end"))


def _duration(name: str) -> tuple[str, int]:
    """Split the name of a duration from its unit, in ns; 0 if it is no duration."""
    stem, _, unit = name.rpartition("_")
    if unit in {"ns", "us"} and stem:
        return stem, {"ns": 1, "us": 1000}[unit]
    return (name, 1) if name == "dur" or name.endswith("_dur") else (name, 0)
