"""A trace file as a stream of decompressed blocks that can be read again."""

from __future__ import annotations

import itertools
import os
import re
import stat
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from isal import isal_zlib

from tp_tools.errors import InputError
from tp_tools.files import temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 64 << 10
"""Bytes read from disk at a time; gzip makes about 15 times as much of them."""

_COPY = 1 << 20
_GZIP = re.compile(rb"\x1f\x8b")
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # pzstd begins with the second
_ZIP = b"PK\x03\x04"
_GZIP_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub is wrong
_UTF16 = re.compile(rb"\xff\xfe|\xfe\xff|[{\[]\0|\0[{\[]")
_LONGEST_HEADER = 4096
_LONGEST_MAGIC = 4
_WIDEST_WINDOW = 1 << 31  # what zstd --long=31 writes


@dataclass
class Source:
    """One trace file: where it lies and how it is called in messages.

    Attributes:
        path: the file that is read.
        name: what messages and summaries call it ("-" for standard input).
        truncated: set after a read in which the compressed stream ended too early.
        stamp: size and time of change of the file when it was last opened.
    """

    path: Path
    name: str
    truncated: bool = False
    stamp: tuple[int, int] = (0, 0)

    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    def blocks(self, seen: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
        """The decompressed text, block by block, from the start.

        Args:
            seen: told the number of bytes read from disk, each time some are.

        Raises:
            InputError: the file cannot be read, or is no gzip, zstd or plain text.
        """
        self.truncated = False
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                self.stamp = status.st_size, status.st_mtime_ns
                yield from self._decompressed(_raw_blocks(file.read, seen))
        except OSError as error:
            raise _unreadable(self.name, error) from error

    def _decompressed(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        first = next(raw, b"")
        blocks = itertools.chain((first,), raw)
        if not first:
            raise InputError(f"{self.name}: is empty. Was the profiler stopped before it wrote?")
        if _GZIP.match(first):
            gzip = _Packing("gzip", _GZIP, _GZIP_ERROR, lambda: isal_zlib.decompressobj(wbits=31))
            yield from self._unpacked(blocks, gzip)
        elif _ZSTD.match(first):
            import zstandard as zstd  # noqa: PLC0415  few need it

            new = zstd.ZstdDecompressor(max_window_size=_WIDEST_WINDOW).decompressobj
            yield from self._unpacked(blocks, _Packing("zstd", _ZSTD, zstd.ZstdError, new))
        elif first.startswith(_ZIP):
            raise InputError(
                f"{self.name}: is a zip archive. Unpack it, then give the trace in it."
            )
        elif _UTF16.match(first):
            raise InputError(f"{self.name}: is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8.")
        else:
            yield from blocks

    def _unpacked(self, blocks: Iterator[bytes], packing: _Packing) -> Iterator[bytes]:
        """Any number of gzip members (RFC 1952) or zstd frames (RFC 8878), zeros between them."""
        member: _Member | None = None
        rest = b""
        size = 0
        try:
            for block in itertools.chain(blocks, (b"",)):
                rest += block
                while rest:
                    if member is None:
                        rest = rest.lstrip(b"\0")
                        if len(rest) < _LONGEST_HEADER and block:
                            break  # isal loses track in a header with options that is cut in two
                        if len(rest) >= _LONGEST_MAGIC and not packing.magic.match(rest):
                            raise self._damaged(packing, "something else follows it")
                        member = packing.new()
                    text = member.decompress(rest)
                    if text:
                        size += len(text)
                        yield text
                    rest = member.unused_data if member.eof else b""
                    member = None if member.eof else member
        except packing.error as error:
            raise self._damaged(packing, str(error)) from error
        self.truncated = member is not None
        if not size:
            raise InputError(
                f"{self.name}: holds no text. Was the profiler stopped before it wrote?"
            )

    def _damaged(self, packing: _Packing, why: str) -> InputError:
        return InputError(
            f"{self.name}: its {packing.name} data is damaged ({why}). Copy the file again."
        )


@dataclass(frozen=True)
class _Packing:
    """A way of packing.

    Attributes:
        name: what it is called.
        magic: what each member begins with.
        error: what its decompressor raises.
        new: makes a decompressor of one member.
    """

    name: str
    magic: re.Pattern[bytes]
    error: type[Exception]
    new: Callable[[], _Member]


class _Member(Protocol):
    """A decompressor of one gzip member or zstd frame."""

    @property
    def eof(self) -> bool:
        """Whether it is at its end."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond its end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Takes the next bytes, gives what comes of them."""


def _raw_blocks(read: Callable[[int], bytes], seen: Callable[[int], None]) -> Iterator[bytes]:
    while block := read(BLOCK):
        seen(len(block))
        yield block


def _unreadable(name: str, error: OSError) -> InputError:
    return InputError(f"{name}: cannot be read: {error.strerror or error}.")


@contextmanager
def open_source(name: str) -> Iterator[Source]:
    """The source that a command line names: a path, or "-" for standard input.

    What can be read only once, as standard input or a pipe, is kept in a temporary file, since a
    trace is read more than once.

    Raises:
        InputError: there is no such file, it is a folder, or it cannot be read.
    """
    if name == "-":
        if sys.stdin is None:
            raise InputError("-: standard input is closed.")
        with _spooled("-", sys.stdin.buffer) as path:
            yield Source(path, "-")
        return
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{name}: no such file.") from None
    except OSError as error:
        raise _unreadable(name, error) from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{name}: is a folder. Give one trace file.")
    if stat.S_ISREG(mode):
        yield Source(path, name)
        return
    try:
        pipe = path.open("rb")
    except OSError as error:
        raise _unreadable(name, error) from error
    with pipe, _spooled(name, pipe) as spool:
        yield Source(spool, name)


@contextmanager
def _spooled(name: str, stream: BinaryIO) -> Iterator[Path]:
    """A temporary file with all that comes from a stream."""
    with ExitStack() as kept:
        with temporary.full_disk_named():
            handle, path = kept.enter_context(temporary.file())
            with os.fdopen(handle, "wb") as spool:
                for block in _read_blocks(name, stream):
                    spool.write(block)
        yield path


def _read_blocks(name: str, stream: BinaryIO) -> Iterator[bytes]:
    try:
        while block := stream.read(_COPY):
            yield block
    except OSError as error:
        raise _unreadable(name, error) from error
