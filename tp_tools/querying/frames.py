"""Answers as files that other programs read: CSV, JSON, Parquet. No value is rounded.

Integers stay whole, floats are written with the digits that give them back. NULL is an empty
field in CSV and null in JSON.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tp_tools.errors import UsageError
from tp_tools.library import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.engine import Rows

Format = Literal["csv", "json", "parquet"]

ROWS_AT_ONCE = 10_000


def written(answer: Rows, form: Format) -> Iterator[bytes]:
    """The bytes of the file, in blocks.

    Raises:
        UsageError: this answer cannot be written so, or a package for it is missing.
    """
    return _WRITERS[form](answer)


def _csv(answer: Rows) -> Iterator[bytes]:
    """RFC 4180 with a header, UTF-8, lines ending in a newline alone."""
    yield _csv_lines([answer.columns])
    for rows in _batches(answer):
        yield _csv_lines(rows)


def _csv_lines(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([map(_in_text, row) for row in rows])
    return text.getvalue().encode()


def _json(answer: Rows) -> Iterator[bytes]:
    """An array with an object per row, each on a line of its own."""
    _check_names(answer, "JSON")
    yield b"["
    separator = b"\n"
    for rows in _batches(answer):
        objects = [
            {name: _in_text(cell) for name, cell in zip(answer.columns, row, strict=True)}
            for row in rows
        ]
        yield separator + b",\n".join(map(msgspec.json.encode, objects))
        separator = b",\n"
    yield b"\n]\n"


def _in_text(cell: object) -> object:
    """A BLOB as hexadecimal digits; all else as it is."""
    return cell.hex() if isinstance(cell, bytes) else cell


def _parquet(answer: Rows) -> Iterator[bytes]:
    """One table; each column has one type."""
    _check_names(answer, "Parquet")
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'tp-tools[parquet]'.") from error
    try:
        table = pa.Table.from_pandas(files.frame(answer), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UsageError(
            f"Parquet has one type per column, and this answer does not: {error}. "
            "CAST the column in SQL, or use --format csv."
        ) from error
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    yield buffer.getvalue()


def _check_names(answer: Rows, form: str) -> None:
    for i, name in enumerate(answer.columns):
        if name in answer.columns[:i]:
            raise UsageError(
                f"two columns are named {name}, which {form} has no way to write: use AS."
            )


def _batches(answer: Rows) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, len(answer.rows), ROWS_AT_ONCE):
        yield answer.rows[start : start + ROWS_AT_ONCE]


_WRITERS: dict[Format, Callable[[Rows], Iterator[bytes]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
