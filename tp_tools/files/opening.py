"""Open the trace that a command line names: a file, standard input, a pipe, or an export."""

from __future__ import annotations

import stat
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tp_tools.errors import InputError
from tp_tools.files import copies
from tp_tools.files.kept_text import KeptText
from tp_tools.files.remote import is_url
from tp_tools.files.source import Source, read_error
from tp_tools.files.sources import source_of
from tp_tools.files.spool import spooled

if TYPE_CHECKING:
    from collections.abc import Iterator

_COPY = 1 << 20


@contextmanager
def open_source(name: str) -> Iterator[Source]:
    """Open the trace that a command line names.

    Standard input and pipes are copied to a temporary file, since a trace is read several times.

    Args:
        name: a path, "-" for standard input, or a URL, whose file is fetched when it is read.

    Yields:
        The source; its temporary file is removed at the end of the block.

    Raises:
        InputError: the file does not exist, is a folder that is no export, or cannot be read.
    """
    if name == "-":
        if sys.stdin is None:
            raise InputError("-: standard input is closed.")
        with spooled(_read_blocks("-", sys.stdin.buffer)) as path:
            yield Source(path, "-")
        return
    if is_url(name):
        with copies.kept() as fetched, closing(KeptText()) as kept:
            source = source_of(name, is_whole=True)
            source.kept = kept
            try:
                yield source
            finally:
                fetched.drop(name)
        return
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{name}: no such file.") from None
    except OSError as error:
        raise read_error(name, error) from error
    if stat.S_ISDIR(mode):
        from tp_tools.files import exports  # noqa: PLC0415  few inputs are exports

        with exports.opened_folder(path, name) as copy, closing(KeptText()) as kept:
            yield Source(copy, name, kept=kept)
        return
    if stat.S_ISREG(mode):
        with closing(KeptText()) as kept:
            yield Source(path, name, kept=kept)
        return
    try:
        pipe = path.open("rb")
    except OSError as error:
        raise read_error(name, error) from error
    with pipe, spooled(_read_blocks(name, pipe)) as copy:
        yield Source(copy, name)


def _read_blocks(name: str, stream: BinaryIO) -> Iterator[bytes]:
    try:
        while block := stream.read(_COPY):
            yield block
    except OSError as error:
        raise read_error(name, error) from error
