"""Write answers as pandas frames, and as files: CSV, JSON, Parquet. No value is rounded.

Integers stay whole, floats are written with the digits that give them back. NULL is an empty
field in CSV and null in JSON.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tp_tools.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from tp_tools.engine import Rows

Format = Literal["csv", "json", "parquet"]

ROWS_AT_ONCE = 10_000
"""Rows per block of a file."""

EXACT_IN_FLOAT = 1 << 53
"""Above it, a float64 does not hold every integer."""


def written(answer: Rows, form: Format, at_once: int = ROWS_AT_ONCE) -> Iterator[bytes]:
    """Write an answer as the bytes of a file, in blocks.

    Args:
        answer: the rows.
        form: the format of the file.
        at_once: rows per block, in formats that are written in blocks.

    Raises:
        UsageError: the format cannot hold this answer, or a package for it is missing.
    """
    return _WRITERS[form](answer, at_once)


def _csv(answer: Rows, at_once: int) -> Iterator[bytes]:
    """Write RFC 4180 with a header, UTF-8, lines ending in a newline alone."""
    yield _csv_lines([answer.columns])
    for rows in _batches(answer, at_once):
        yield _csv_lines(rows)


def _csv_lines(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([map(_text_cell, row) for row in rows])
    return text.getvalue().encode()


def _json(answer: Rows, at_once: int) -> Iterator[bytes]:
    """Write an array with an object per row, each on a line of its own."""
    _check_names(answer, "JSON")
    yield b"["
    separator = b"\n"
    for rows in _batches(answer, at_once):
        objects = [
            {name: _text_cell(cell) for name, cell in zip(answer.columns, row, strict=True)}
            for row in rows
        ]
        yield separator + b",\n".join(map(msgspec.json.encode, objects))
        separator = b",\n"
    yield b"\n]\n"


def _text_cell(cell: object) -> object:
    """Return a BLOB as hexadecimal digits, any other value as it is."""
    return cell.hex() if isinstance(cell, bytes) else cell


def _parquet(answer: Rows, _at_once: int) -> Iterator[bytes]:
    """Write one table; each column has one type."""
    _check_names(answer, "Parquet")
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install pyarrow.") from error
    try:
        table = pa.Table.from_pandas(frame(answer), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UsageError(
            f"Parquet has one type per column, and this answer does not: {error}. "
            "CAST the column in SQL, or use --format csv."
        ) from error
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    yield buffer.getvalue()


def _check_names(answer: Rows, form: str) -> None:
    """Raise UsageError where two columns have one name."""
    for i, name in enumerate(answer.columns):
        if name in answer.columns[:i]:
            raise UsageError(
                f"two columns are named {name}, which {form} has no way to write: use AS."
            )


def _batches(answer: Rows, at_once: int) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, len(answer.rows), at_once):
        yield answer.rows[start : start + at_once]


def frame(answer: Rows) -> pd.DataFrame:
    """Return rows as a frame; an empty answer keeps its columns (of dtype object).

    Whole numbers stay whole: SQL has a type per cell, so a column of integers is int64, or Int64
    where there are NULLs, and never a float, which would round nanoseconds. Where integers and
    floats mix, it is float64 if that holds them exactly, else object. Text is as pandas makes it.
    """
    import pandas as pd  # noqa: PLC0415  0.3 s, and `fix` needs no frame

    columns = zip(*answer.rows, strict=True) if answer.rows else [()] * len(answer.columns)
    series = [pd.Series(list(cells), dtype=_dtype(cells)) for cells in columns]
    # By position, since SQL allows two columns of one name.
    table = pd.concat(series, axis=1) if series else pd.DataFrame()
    return table.set_axis(list(answer.columns), axis=1)


def _dtype(cells: tuple[Any, ...]) -> str | None:
    """Choose the pandas dtype of a column; None leaves it to pandas."""
    types = {type(cell) for cell in cells}
    known = types - {type(None)}
    if not known:
        return "object"
    if known == {int}:
        return "int64" if known == types else "Int64"
    if known == {float}:
        return "float64"
    if known == {int, float}:
        whole = (abs(cell) for cell in cells if isinstance(cell, int))
        return "float64" if max(whole) <= EXACT_IN_FLOAT else "object"
    return None if known == {str} else "object"


_WRITERS: dict[Format, Callable[[Rows, int], Iterator[bytes]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
