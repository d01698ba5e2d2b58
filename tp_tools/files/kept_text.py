"""Keep the text of an export in a temporary file, so that it is converted once."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from isal import isal_zlib

from tp_tools.files import temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_LEVEL = 0
_BLOCK = 1 << 18


class KeptText:
    """Keeps a text, compressed, after it was read to its end; until it is closed.

    Without room for it, the text is made anew each time, as it is by several readers at a time.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._path: Path | None = None

    def blocks(self, make: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield the text.

        Args:
            make: makes it, in blocks; always the same text.
        """
        if self._path is not None:
            yield from _read(self._path)
            return
        with ExitStack() as stack:
            kept = _Writing(stack)
            for block in make():
                kept.write(block)
                yield block
            if self._path is None and (path := kept.end()):
                self._path = path
                self._stack.push(stack.pop_all())

    def close(self) -> None:
        """Remove what is kept."""
        self._path = None
        self._stack.close()


class _Writing:
    """Writes a text into a temporary file, as long as there is room."""

    def __init__(self, stack: ExitStack) -> None:
        self._compress = isal_zlib.compressobj(_LEVEL)
        self._file: BinaryIO | None = None
        with suppress(OSError):  # no room, or no folder
            handle, self._path = stack.enter_context(temporary.file())
            self._file = stack.enter_context(os.fdopen(handle, "wb"))

    def write(self, block: bytes) -> None:
        """Write a block."""
        self._put(self._compress.compress(block))

    def end(self) -> Path | None:
        """End the file; return None where there was no room for it."""
        self._put(self._compress.flush())
        if self._file is None:
            return None
        self._file.close()
        return self._path

    def _put(self, data: bytes) -> None:
        if self._file is not None:
            try:
                self._file.write(data)
            except OSError:  # the disk is full
                self._file = None


def _read(path: Path) -> Iterator[bytes]:
    """Yield the text of a file that was written here."""
    decompress = isal_zlib.decompressobj()
    with path.open("rb") as file:
        while data := file.read(_BLOCK):
            if text := decompress.decompress(data):
                yield text
