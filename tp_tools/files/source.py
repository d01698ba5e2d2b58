"""Read a trace file as a stream of decompressed blocks, as often as needed."""

from __future__ import annotations

import itertools
import os
import re
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from isal import isal_zlib
from msgspec import Struct

from tp_tools.errors import InputError
from tp_tools.files.remote import is_url, look_up
from tp_tools.files.remote_errors import errors_named
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tp_tools.files.kept_text import KeptText
    from tp_tools.files.remote import Remote
    from tp_tools.progress import Reporter

BLOCK = 64 << 10
"""Bytes read from disk at a time; decompressed, gzip's are about 15 times as many."""

BATCH_BYTES = 3 << 18
"""Approximate bytes of a batch, which one event may exceed: with columns it fits a 1 MB pipe."""

_GZIP_MAGIC = re.compile(rb"\x1f\x8b")
_ZSTD_MAGIC = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # or pzstd's skippable frame
_ZIP_MAGIC = b"PK\x03\x04"
_SQLITE_MAGIC = b"SQLite format 3\0"
_GZIP_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # the stub has no type
_REPORTS = (".nsys-rep", ".qdrep")
_JSON_STARTS = (b"{", b"[")  # no profile begins so: its fields have other numbers
_PROFILES = (".xplane.pb", ".xplane.pb.gz", ".xplane.pb.zst")
_UTF16_START = re.compile(rb"\xff\xfe|\xfe\xff|[{\[]\0.\0|\0[{\[]\0", re.DOTALL)
_MAX_HEADER = 4096
_MAX_MAGIC = 4


class ReadSizes(Struct, frozen=True):
    """Sizes that decide what reading a trace costs, never what it gives.

    Attributes:
        block: bytes read from disk at a time.
        batch: approximate bytes of text in a batch, and those in which the first event is searched.
        zstd: bytes that zstd gets at a time: 4 of them may stand for 128 KiB.
        mapped: events of a trace (50 MB of columns) from which these lie in files, see `scratch`.
        column: values of a column of such a trace from which it does.
    """

    block: int = BLOCK
    batch: int = BATCH_BYTES
    zstd: int = 1 << 12
    mapped: int = 1 << 21
    column: int = 1 << 16


DEFAULT_SIZES = ReadSizes()


class DatabaseFound(Exception):  # noqa: N818  the name reads as the fact it states
    """A file holds no text but a database, which its reader wants to ask instead."""


class Source(Struct):
    """A trace file.

    Attributes:
        path: the file that is read.
        name: its name in messages and summaries: the path as given, "-" for standard input.
        truncated: whether the compressed stream ended too early when it was last read to its end.
        stamp: size in bytes and time of change in ns when the file was last opened.
        sizes: sizes of blocks and batches.
        kept: keeps the text of an export, so that it is converted once; None to convert it anew
            each time.
        remote: the file where a URL names it; None for a file of this machine.
        converts: whether `blocks` converts a database; else it raises DatabaseFound.
    """

    path: Path
    name: str
    truncated: bool = False
    stamp: tuple[int, int] = (0, 0)
    sizes: ReadSizes = DEFAULT_SIZES
    kept: KeptText | None = None
    remote: Remote | None = None
    converts: bool = True

    def size(self) -> int:
        """Return the bytes on disk, or on the server."""
        return self.path.stat().st_size if self.remote is None else self.remote.size

    def blocks(self, reporter: Reporter = SILENT) -> Iterator[bytes]:
        """Read the decompressed text from the start; of an export the trace that it holds.

        Args:
            reporter: receives the number of bytes of each block read from disk.

        Returns:
            The text, in blocks of any length but 0.

        Raises:
            InputError: the file cannot be read, or is not gzip, zstd or plain text.
            DatabaseFound: see `converts`.
        """
        stored = self.stored(reporter)
        first = first_bytes(stored)
        blocks: Iterator[bytes] = itertools.chain((first,), stored)
        if first.startswith(_SQLITE_MAGIC):
            if not self.converts:
                raise DatabaseFound
            from tp_tools.files import exports  # noqa: PLC0415  few inputs are exports

            path = self.readable(reporter)
            export = exports.Export(path, self.name, lambda: self.truncated)
            blocks = exports.read(export, blocks, self.kept)
        elif self.is_profile() and not first.startswith(_JSON_STARTS):
            from tp_tools.files import exports  # noqa: PLC0415  few inputs are profiles of XLA

            blocks = exports.read_profile(self.name, blocks, self.kept)
        yield from blocks

    def is_profile(self) -> bool:
        """Tell whether the file is called as profiles of XLA are."""
        return self.name.endswith(_PROFILES)

    def stored(self, reporter: Reporter = SILENT) -> Iterator[bytes]:
        """Read the file as it is but for its compression; see `blocks`."""
        self.truncated = False
        yield from self._decompress(self.raw(reporter))

    def raw(self, reporter: Reporter = SILENT) -> Iterator[bytes]:
        """Read the bytes of the file, compressed or not; see `blocks`."""
        if self.remote is not None:
            yield from self._raw_remote(self.remote, reporter)
            return
        try:
            path = self.readable(reporter)
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                self.stamp = status.st_size, status.st_mtime_ns
                yield from _raw_blocks(file, self.sizes.block, reporter)
        except OSError as error:
            raise read_error(self.name, error) from error

    def _raw_remote(self, remote: Remote, reporter: Reporter) -> Iterator[bytes]:
        self.stamp = remote.size, 0  # of one look at the server: a copy has a time of its own
        with closing(remote.open(reporter)) as file:
            while True:
                with errors_named(self.name):
                    block = file.read(self.sizes.block)
                if not block:
                    return
                reporter.advance(len(block))
                yield block

    def readable(self, reporter: Reporter = SILENT) -> Path:
        """Return the file to read: of a report of Nsight Systems its export.

        Raises:
            InputError: `nsys` cannot export the report.
        """
        if self.remote is not None or not self.path.name.endswith(_REPORTS):
            return self.path
        from tp_tools.files import reports  # noqa: PLC0415  few inputs are reports

        return reports.readable(self.path, self.name, reporter)

    def _decompress(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        """Choose the decompressor by the first bytes."""
        first = next(raw, b"")
        blocks = itertools.chain((first,), raw)
        if not first:
            raise InputError(f"{self.name}: is empty. Was the profiler stopped before it wrote?")
        if _GZIP_MAGIC.match(first):
            new = partial(isal_zlib.decompressobj, wbits=31)
            gzip = _Compression("gzip", _GZIP_MAGIC, _GZIP_ERROR, new)
            yield from self._decompress_members(blocks, gzip)
        elif _ZSTD_MAGIC.match(first):
            from tp_tools.files import zstd  # noqa: PLC0415  few inputs are .zst

            frames = _Compression("zstd", _ZSTD_MAGIC, zstd.ZstdError, zstd.frame, self.sizes.zstd)
            yield from self._decompress_members(blocks, frames)
        elif first.startswith(_ZIP_MAGIC):
            raise InputError(
                f"{self.name}: is a zip archive. Unpack it, then give the trace in it."
            )
        elif _UTF16_START.match(first):
            raise InputError(f"{self.name}: is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8.")
        else:
            yield from blocks

    def _decompress_members(
        self, blocks: Iterator[bytes], compression: _Compression
    ) -> Iterator[bytes]:
        """Decompress any number of gzip members (RFC 1952) or zstd frames (RFC 8878).

        Zero bytes may stand between and behind them.
        """
        member: _Member | None = None
        rest = b""
        size = 0
        try:
            for block in itertools.chain(blocks, (b"",)):
                rest += block
                while rest:
                    if member is None:
                        rest = rest.lstrip(b"\0")
                        if len(rest) < _MAX_HEADER and block:
                            break  # isal fails on a header with options that is cut in two
                        if len(rest) >= _MAX_MAGIC and not compression.magic.match(rest):
                            raise self._damage(compression, "something else follows it")
                        member = compression.new()
                    piece, rest = rest[: compression.piece], rest[compression.piece :]
                    text = member.decompress(piece)
                    if text:
                        size += len(text)
                        yield text
                    rest = member.unused_data + rest if member.eof else rest
                    member = None if member.eof else member
        except compression.error as error:
            raise self._damage(compression, str(error)) from error
        self.truncated = member is not None
        if not size:
            raise InputError(
                f"{self.name}: holds no text. Was the profiler stopped before it wrote?"
            )

    def _damage(self, compression: _Compression, reason: str) -> InputError:
        return InputError(
            f"{self.name}: its {compression.name} data is damaged ({reason}). Copy the file again."
        )


class _Compression(Struct, frozen=True):
    """A compressed format.

    Attributes:
        name: its name in messages.
        magic: the first bytes of each member.
        error: the exception that its decompressor raises.
        new: makes a decompressor of one member.
        piece: bytes that it gets at a time.
    """

    name: str
    magic: re.Pattern[bytes]
    error: type[Exception]
    new: Callable[[], _Member]
    piece: int = BLOCK


class _Member(Protocol):
    """A decompressor of one gzip member or zstd frame."""

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""

    @property
    def unused_data(self) -> bytes:
        """The bytes behind the end of the member."""

    def decompress(self, data: bytes, /) -> bytes:
        """Decompress the next bytes; the result may be empty."""


def first_bytes(stored: Iterator[bytes]) -> bytes:
    """Take the beginning of a file: enough to tell a database."""
    first = next(stored, b"")
    while len(first) < len(_SQLITE_MAGIC) and (block := next(stored, b"")):
        first += block
    return first


def _raw_blocks(file: BinaryIO, size: int, reporter: Reporter) -> Iterator[bytes]:
    while block := file.read(size):
        reporter.advance(len(block))
        yield block


def read_error(name: str, error: OSError) -> InputError:
    """Return the error for a file that the system does not read."""
    return InputError(f"{name}: cannot be read: {error.strerror or error}.")


def disk_size(files: Iterable[str]) -> int:
    """Return the bytes of files on disk; one that cannot be looked at counts as empty."""
    size = 0
    for file in files:
        with suppress(OSError, InputError):
            size += look_up(file).size if is_url(file) else Path(file).stat().st_size
    return size
