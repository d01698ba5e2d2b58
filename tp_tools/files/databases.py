"""Open the databases of exports for readers of their tables."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools import nsys, rocpd
from tp_tools.files import exports
from tp_tools.files.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.files.source import Source
    from tp_tools.nsys.beginnings import Beginning


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
    with _seekable(source_of(file)) as path:
        yield path


def is_export(file: str) -> bool:
    """Tell whether a database is the export of a profiler.

    Raises:
        InputError: it cannot be read.
        OutputError: the disk is too full for a temporary copy.
    """
    with opened(file) as path:
        return any(reader.is_export(path, file) for reader in (nsys, rocpd))


def beginning(source: Source) -> Beginning | None:
    """Return what a database tells before its events; None where it is no export.

    Raises:
        InputError: it cannot be read.
        OutputError: the disk is too full for a temporary copy.
    """
    with _seekable(source) as path:
        for reader in (nsys, rocpd):
            if reader.is_export(path, source.name):
                start: Beginning = reader.beginning(path, source.name)
                return start
    return None


@contextmanager
def _seekable(source: Source) -> Iterator[Path]:
    export = exports.Export(source.readable(), source.name, lambda: source.truncated)
    with exports.seekable(export, source.stored()) as path:
        yield path
