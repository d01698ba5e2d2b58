"""A trace file as a stream of decompressed blocks that can be read again."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard
from isal import isal_zlib

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 256 << 10
"""Bytes read from disk at a time; gzip makes about 15 times as much of them."""

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_GZIP_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub is wrong
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass
class Source:
    """One trace file: where it lies and how it is called in messages.

    Attributes:
        path: the file that is read.
        name: what messages and summaries call it ("-" for standard input).
        truncated: set after a read in which the compressed stream ended too early.
    """

    path: Path
    name: str
    truncated: bool = False

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
                yield from self._decompressed(_raw_blocks(file.read, seen))
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read: {error.strerror}.") from error

    def _decompressed(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        first = next(raw, b"")
        if not first:
            raise InputError(f"{self.name}: is empty. Was the profiler stopped before it wrote?")
        if first.startswith(_GZIP):
            yield from self._gunzip(first, raw)
        elif first.startswith(_ZSTD):
            yield from self._unzstd(first, raw)
        elif first.startswith(_ZIP):
            raise InputError(
                f"{self.name}: is a zip archive. Unpack it, then give the trace in it."
            )
        elif first.startswith(_UTF16):
            raise InputError(f"{self.name}: is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8.")
        else:
            yield first
            yield from raw

    def _gunzip(self, first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        """Any number of gzip members (RFC 1952), zero padding between them allowed."""
        member = isal_zlib.decompressobj(wbits=31)
        try:
            for block in _chain(first, raw):
                rest = block
                while rest:
                    if member.eof:
                        rest = rest.lstrip(b"\0")
                        member = isal_zlib.decompressobj(wbits=31)
                        continue
                    text = member.decompress(rest)
                    if text:
                        yield text
                    rest = member.unused_data if member.eof else b""
        except _GZIP_ERROR as error:
            raise InputError(
                f"{self.name}: its gzip data is damaged ({error}). Copy it again."
            ) from error
        self.truncated = not member.eof

    def _unzstd(self, first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        """Any number of zstd frames (RFC 8878)."""
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            for block in _chain(first, raw):
                rest = block
                while rest:
                    if frame.eof:
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    text = frame.decompress(rest)
                    if text:
                        yield text
                    rest = frame.unused_data if frame.eof else b""
        except zstandard.ZstdError as error:
            raise InputError(
                f"{self.name}: its zstd data is damaged ({error}). Copy it again."
            ) from error
        self.truncated = not frame.eof


def _raw_blocks(read: Callable[[int], bytes], seen: Callable[[int], None]) -> Iterator[bytes]:
    while block := read(BLOCK):
        seen(len(block))
        yield block


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


@contextmanager
def open_source(name: str) -> Iterator[Source]:
    """The source that a command line names: a path, or "-" for standard input.

    Standard input is kept in a temporary file, since a trace is read more than once.

    Raises:
        InputError: there is no such file, or it is a folder.
    """
    if name == "-":
        with tempfile.NamedTemporaryFile(prefix="tp-tools-") as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.flush()
            yield Source(Path(spool.name), "-")
        return
    path = Path(name)
    if not path.exists():
        raise InputError(f"{name}: no such file.")
    if path.is_dir():
        raise InputError(f"{name}: is a folder. Give one trace file.")
    yield Source(path, name)
