"""Count how often files are opened, and how many bytes are read of them."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from _typeshed import ReadableBuffer

_opened: list[Counter[str]] = []
"""The counters that are in use: Python has no way to take an audit hook back."""


def _count(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and isinstance(args[0], (str, bytes, os.PathLike)):
        for counter in _opened:
            counter[os.fsdecode(args[0])] += 1


@functools.cache
def _hook() -> None:
    sys.addaudithook(_count)


class _Counted(io.FileIO):
    """A file that adds the bytes that are read of it to a counter."""

    def __init__(self, path: Path, read: Counter[str]) -> None:
        super().__init__(path)
        self._path, self._read = str(path), read

    def readinto(self, buffer: ReadableBuffer) -> int:
        """Read bytes; see `io.RawIOBase`."""
        size = super().readinto(buffer) or 0
        self._read[self._path] += size
        return size


class Reads:
    """What was read.

    Attributes:
        opened: how often each file was opened, by any function of this process, by its path.
        read: bytes that were read of each file through `Path.open("rb")`, by its path.
    """

    def __init__(self) -> None:
        self.opened = Counter[str]()
        self.read = Counter[str]()


@contextmanager
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reads]:
    """Count what this process reads while the block runs."""
    _hook()
    counted, usual = Reads(), Path.open

    def opened(path: Path, mode: str = "r", *args: Any, **more: Any) -> Any:  # noqa: ANN401  as `open`
        if mode != "rb":
            return usual(path, mode, *args, **more)
        return io.BufferedReader(_Counted(path, counted.read))

    _opened.append(counted.opened)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        try:
            yield counted
        finally:
            _opened.remove(counted.opened)
