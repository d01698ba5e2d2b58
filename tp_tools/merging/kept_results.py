"""Keep results about ranks in a folder, by input, version and question, so that each is made once.

A kept result is one of this very program: its key holds the text of the package and of its SQL.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tp_tools.chrome.stream import LONGEST_VARIABLE
from tp_tools.engine.cache import is_private, write_whole
from tp_tools.errors import UsageError
from tp_tools.library import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.files import Source

T = TypeVar("T")

_VARIABLES = ("TP_TOOLS_ENGINE", LONGEST_VARIABLE)
"""Settings by which a result may differ."""

_CHECKSUM_BYTES = 32
_BLOCK = 1 << 20


class KeptResults(Struct, frozen=True):
    """Results in a folder of this user; the machine that works on a rank looks and keeps.

    Attributes:
        folder: the folder; it is made if it is missing.
    """

    folder: Path

    def result(self, source: Source, question: object, call: Callable[[], T]) -> T:
        """Return the kept result about a file, or make it and keep it.

        Args:
            source: the file. One on a server that gives no version of it is looked at anew.
            question: what is made of it: its `repr` is the same in every process.
            call: makes the result, which can be pickled.

        Raises:
            UsageError: others than this user can write to the folder.
            InputError: the file cannot be read.
            Exception: whatever `call` raises; errors are not kept.
        """
        self.check()
        identity = _identity(source)
        if identity is None:
            return call()
        settings = [os.environ.get(name) for name in _VARIABLES]
        key = _digest(repr((_program(), settings, identity, question)).encode()).hex()
        path = self.folder / f"{key}.kept"
        with suppress(OSError):
            data = path.read_bytes()
            if _digest(data[_CHECKSUM_BYTES:]) == data[:_CHECKSUM_BYTES]:
                kept: T = pickle.loads(data[_CHECKSUM_BYTES:])  # noqa: S301  in a private folder
                return kept
        result = call()
        data = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
        with suppress(OSError):  # on a full disk it is made anew another time
            write_whole(path, _digest(data), data)
        return result

    def check(self) -> None:
        """Make the folder if it is missing, and check that it is this user's.

        Raises:
            UsageError: it cannot be made, or others than this user can write to it.
        """
        if not is_private(self.folder):
            raise UsageError(
                f"{self.folder}: results are kept in a folder that you can write to, and nobody "
                "else. Name another with --keep."
            )


def _identity(source: Source) -> object:
    """Return what tells this file from any other and from its former contents; None if unknown."""
    if source.remote is not None:
        remote = source.remote
        return (remote.url, remote.size, remote.version) if remote.version else None
    if not source.path.is_file():
        return None  # a pipe can be read only once
    status = source.path.stat()
    text = hashlib.sha256()
    with source.path.open("rb") as file:
        while block := file.read(_BLOCK):
            text.update(block)
    path = str(source.path.absolute())
    return source.name, path, status.st_size, status.st_mtime_ns, text.hexdigest()


@functools.cache
def _program() -> str:
    """Return the checksum of the package and of its SQL."""
    text = hashlib.sha256()
    package = Path(__file__).parents[1]
    for root, pattern in ((package, "*.py"), (files.folder(), "*.sql")):
        for path in sorted(root.rglob(pattern)):
            text.update(f"{path.relative_to(root)}\0".encode())
            text.update(path.read_bytes())
    return text.hexdigest()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
