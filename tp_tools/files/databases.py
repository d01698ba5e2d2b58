"""Open the databases of exports for readers of their tables."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.files import exports
from tp_tools.files.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def opened(file: str) -> Iterator[Path]:
    """Yield the database of an export: a file, plain or compressed, or a folder of Parquet files.

    Args:
        file: its path.

    Yields:
        An SQLite database.

    Raises:
        InputError: it cannot be read.
        UsageError: pyarrow is not installed.
        OutputError: the disk is too full for a temporary copy.
    """
    if Path(file).is_dir():
        with exports.opened_folder(Path(file), file) as path:
            yield path
        return
    source = source_of(file)
    export = exports.Export(source.readable(), file, lambda: source.truncated)
    with exports.seekable(export, source.stored()) as path:
        yield path
