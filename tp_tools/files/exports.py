"""Read databases that profilers export as the traces that they hold."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools import nsys, rocpd, xplane
from tp_tools.errors import InputError
from tp_tools.files import temporary
from tp_tools.files.spool import spooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tp_tools.files.kept_text import KeptText

_BLOCK = 1 << 20
_MAGIC = b"SQLite format 3\0"


class Export(Struct, frozen=True):
    """A database, as it is stored.

    Attributes:
        path: the file.
        name: its name in messages.
        is_cut: tells, once its bytes were read, whether their compressed stream ended too early.
    """

    path: Path
    name: str
    is_cut: Callable[[], bool]


def read(export: Export, stored: Iterator[bytes], kept: KeptText | None = None) -> Iterator[bytes]:
    """Yield the text of the trace that an SQLite database holds.

    A compressed one is copied to a temporary file, since SQLite wants to seek.

    Args:
        export: the database.
        stored: its decompressed bytes.
        kept: keeps the text for the next time; None to keep none.

    Returns:
        Chrome JSON; of a database of another program its bytes.

    Raises:
        InputError: it is damaged, locked, or of an unknown version.
    """

    def made() -> Iterator[bytes]:
        with seekable(export, stored) as path:
            yield from text(path, export.name)

    yield from made() if kept is None else kept.blocks(made)
    for _ in stored:  # so that its bytes are counted
        pass


@contextmanager
def seekable(export: Export, stored: Iterable[bytes]) -> Iterator[Path]:
    """Yield a database that is not compressed: the file itself, or a temporary copy of it.

    Args:
        export: the database.
        stored: its decompressed bytes.

    Raises:
        InputError: it was cut short.
        OutputError: the disk is too full for a copy.
    """
    if _is_database(export.path):
        yield export.path
        return
    with spooled(stored) as copy:
        if export.is_cut():
            raise InputError(f"{export.name}: was cut short. Copy the file again.")
        yield copy


def read_profile(
    name: str, stored: Iterator[bytes], kept: KeptText | None = None
) -> Iterator[bytes]:
    """Yield the text of the trace that a profile of XLA holds.

    Args:
        name: its name.
        stored: its decompressed bytes.
        kept: keeps the text for the next time; None to keep none.

    Raises:
        InputError: it is damaged.
    """

    def made() -> Iterator[bytes]:
        with closing(xplane.read_text(b"".join(stored), name)) as text:
            yield from text

    yield from made() if kept is None else kept.blocks(made)
    for _ in stored:  # so that its bytes are counted
        pass


@contextmanager
def opened_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield a temporary SQLite database of the tables that a folder of Parquet files holds.

    Args:
        folder: holds an export of Nsight Systems, one file a table.
        name: its name in messages.

    Raises:
        UsageError: pyarrow is not installed.
        InputError: it is another folder, or a file is damaged.
        OutputError: the disk is too full.
    """
    if not nsys.is_parquet_folder(folder):
        raise InputError(f"{name}: is a folder. Give one trace file.")
    with spooled([]) as copy:
        with temporary.full_disk_named():
            nsys.write_database(folder, copy, name)
        yield copy


def _is_database(path: Path) -> bool:
    if not path.is_file():  # it is on a server
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def text(path: Path, name: str) -> Iterator[bytes]:
    """Yield the text of the trace that an SQLite database holds; else its bytes.

    Args:
        path: the database.
        name: its name in messages.

    Raises:
        InputError: it is damaged, locked, or of an unknown version.
    """
    for reader in (nsys, rocpd):
        if reader.is_export(path, name):
            with closing(reader.read_text(path, name)) as blocks:
                yield from blocks
            return
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
