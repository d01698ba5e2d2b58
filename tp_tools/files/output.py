"""Write an output file whole or not at all, compressed as its suffix says."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from isal import igzip_threaded

from tp_tools.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from typing import BinaryIO

STDOUT = "-"
PFTRACE_SUFFIXES = (".pftrace", ".pftrace.gz")
SUFFIXES = (".json", ".json.gz", ".json.zst", *PFTRACE_SUFFIXES)
GZIP_LEVEL = 1  # of isal, 0 to 3; levels 2 and 3 take half as long again and save a few per cent
ZSTD_LEVEL = 3

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Sink(Protocol):
    """An object that bytes are written to: a file or a compressor."""

    def write(self, data: bytes, /) -> object:
        """Write all of the bytes."""


def check(name: str, *, force: bool, suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """Check that an output can be written, before any work is done.

    Args:
        name: a file, or "-" for stdout.
        force: whether an existing file may be replaced.
        suffixes: the suffixes that the command can write.

    Raises:
        UsageError: the suffix is none of `suffixes`, or the file exists and `force` is not set.
        OutputError: the folder does not exist or may not be written to, or stdout is closed.
    """
    if name == STDOUT:
        if sys.stdout is None:
            raise OutputError("-: standard output is closed.")
        return
    path = Path(name)
    try:
        if path.is_dir():
            raise UsageError(f"{name}: is a folder. Name a file in it.")
        if not path.name.endswith(suffixes):
            raise UsageError(f"{name}: the output's suffix must be one of {', '.join(suffixes)}.")
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise OutputError(f"{name}: its folder does not exist. Create it first.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{name}: its folder may not be written to. Name another with -o.")
        exists = path.exists()
    except OSError as error:
        raise OutputError(f"{name}: cannot be written: {error.strerror}.") from error
    if exists and not force:
        raise UsageError(f"{name}: exists. Give --force to replace it, or another name with -o.")


@contextmanager
def written(name: str, blocks: Iterable[bytes], *, packed: bool = False) -> Iterator[Path]:
    """Write all blocks to a temporary file, yield it for verification, then rename it to its name.

    The temporary file lies in the target's folder. If writing or the caller's `with` block fails,
    it is removed and no other file has changed. If the target is a symbolic link, the file that
    the link points to is replaced.

    Args:
        name: a file, or "-" for stdout, which gets uncompressed bytes.
        blocks: the content.
        packed: whether the blocks are compressed already.

    Yields:
        The finished temporary file.

    Raises:
        OutputError: the file cannot be written.
        BrokenPipeError: the reader of stdout has closed it.
    """
    target = None if name == STDOUT else Path(os.path.realpath(name))
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=".tp-tools-", dir=target.parent if target else None
        )
    except OSError as error:
        raise OutputError(f"{name}: cannot be written: {error.strerror}.") from error
    path = Path(temporary)
    try:
        with _output_errors(name), os.fdopen(handle, "wb") as file:
            _write(file, "" if packed else name, blocks)
            file.flush()
            os.fsync(file.fileno())
        yield path
        with _output_errors(name):
            _deliver(path, target)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _output_errors(name: str) -> Iterator[None]:
    """Turn OSError of the block into OutputError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written: {error.strerror}. Nothing was left behind."
        ) from error


@contextmanager
def temporary_files() -> Iterator[None]:
    """Report a full disk while the block writes temporary files, with the folder that is full.

    Raises:
        OutputError: the disk or the quota of the temporary folder is exhausted.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise OutputError(
            f"{tempfile.gettempdir()}: no room for temporary files: {error.strerror}. "
            "Set TMPDIR to a folder with more."
        ) from error


def _write(file: BinaryIO, name: str, blocks: Iterable[bytes]) -> None:
    if name.endswith(".gz"):
        with _gzip(file) as packed:
            _copy(packed, blocks)
    elif name.endswith(".zst"):
        import zstandard  # noqa: PLC0415  few outputs are .zst

        with zstandard.ZstdCompressor(ZSTD_LEVEL).stream_writer(file, closefd=False) as packed:
            _copy(packed, blocks)
    else:
        _copy(file, blocks)


def _gzip(file: BinaryIO) -> AbstractContextManager[Sink]:
    """Open a compressor that works on a thread; its header carries no time and no name."""
    packed: AbstractContextManager[Sink] = igzip_threaded.open(  # type: ignore[no-untyped-call]
        file, "wb", compresslevel=GZIP_LEVEL, threads=1
    )
    return packed


def _copy(sink: Sink, blocks: Iterable[bytes]) -> None:
    for block in blocks:
        sink.write(block)


def _deliver(path: Path, target: Path | None) -> None:
    if target is None:
        with path.open("rb") as file:
            _copy(sys.stdout.buffer, iter(lambda: file.read(1 << 20), b""))
        sys.stdout.buffer.flush()
        return
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    path.chmod(mode)
    path.replace(target)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
