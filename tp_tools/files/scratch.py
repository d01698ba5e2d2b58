"""Put the columns of a large trace into files that are mapped into memory, so that they take none.

The system writes their pages to the disk where memory is short, and reads them when they are used.
A file has no name from the moment at which it is mapped, so that nothing is left of it, however the
process ends; its bytes are free once no array needs them.
"""

from __future__ import annotations

import mmap
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from msgspec import Struct

from tp_tools.files import temporary

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray


SPARE = 2 << 30
"""Bytes that stay free on the disk: for the output, and the text that is kept of an export."""


class _Allocate(Protocol):
    def __call__(self, file: int, mode: int, start: int, size: int, /) -> int: ...


class Scratch(Struct, frozen=True):
    """Where the columns of a trace lie.

    Attributes:
        folder: of the files; None for memory.
        least: values of a column from which it lies in a file.
        spare: bytes that stay free on its disk.
    """

    folder: Path | None = None
    least: int = 0
    spare: int = SPARE

    def empty(self, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """Make a column whose values are undefined; in memory where the disk has no room for it.

        Args:
            count: number of its values.
            dtype: their type.

        Returns:
            An array of shape (count,).
        """
        column = self.mapped(count, dtype)
        return np.empty(count, dtype) if column is None else column

    def mapped(self, count: int, dtype: DTypeLike) -> NDArray[Any] | None:
        """Make a column in a file; None for a short one, or where the disk has no room for it."""
        size = count * np.dtype(dtype).itemsize
        if self.folder is None or not size or count < self.least:
            return None
        try:
            return np.frombuffer(_map(self.folder, size, self.spare), dtype)
        except OSError:
            return None


IN_MEMORY = Scratch()
"""For traces that are not large."""


def _map(folder: Path, size: int, spare: int) -> mmap.mmap:
    """Map a file without a name, of zeros.

    Its bytes are reserved first: to write to a page for which a full disk has no room would end the
    process.

    Raises:
        OSError: there is no room for it, or the file system cannot reserve bytes.
    """
    allocate = _fallocate()
    if allocate is None:
        raise OSError("no file can be reserved")
    with temporary.file(folder) as (handle, _path):
        try:
            free = os.fstatvfs(handle)
            has_room = size + spare <= free.f_bavail * free.f_frsize
            if not has_room or allocate(handle, 0, 0, size):
                raise OSError("no room")
            return mmap.mmap(handle, size)
        finally:
            os.close(handle)


@cache
def _fallocate() -> _Allocate | None:
    """Return the function of Linux that reserves bytes of a file: fallocate(2).

    That of POSIX is no use: where a file system cannot reserve bytes, as NFS 3, it writes some.
    """
    import ctypes  # noqa: PLC0415  0.01 s, and only large traces need it

    try:
        function = ctypes.CDLL(None).fallocate
    except (AttributeError, TypeError, OSError):  # another system
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]
    function.restype = ctypes.c_int
    allocate: _Allocate = function
    return allocate
