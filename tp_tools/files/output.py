"""Write an output file whole or not at all, compressed as its suffix says."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from isal import igzip_threaded

from tp_tools.errors import OutputError, UsageError
from tp_tools.files import gzip_parts, temporary
from tp_tools.files.remote import is_url
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from typing import BinaryIO

STDOUT = "-"
PAGE_SUFFIXES = (".html", ".htm")
PFTRACE_SUFFIXES = (".pftrace", ".pftrace.gz")
SUFFIXES = (".json", ".json.gz", ".json.zst", *PFTRACE_SUFFIXES)
ZSTD_LEVEL = 3


class Sink(Protocol):
    """An object that bytes are written to: a file or a compressor."""

    def write(self, data: bytes, /) -> object:
        """Write all of the bytes."""


def check(
    name: str, *, force: bool, suffixes: tuple[str, ...] = SUFFIXES, is_text: bool = False
) -> None:
    """Check that an output can be written, before any work is done.

    Args:
        name: a file, or "-" for stdout. A pipe or a device (/dev/stdout) is written to as it is.
        force: whether an existing file may be replaced.
        suffixes: the suffixes that the command can write.
        is_text: whether the command can write to a stdout that takes no bytes.

    Raises:
        UsageError: the suffix is none of `suffixes`, the name is a URL, or the file exists and
            `force` is not set.
        OutputError: the folder does not exist or may not be written to, or stdout is closed or
            takes no bytes.
    """
    if name == STDOUT:
        _check_stdout(is_text=is_text)
        return
    path = _local(name)
    try:
        if path.is_dir():
            raise UsageError(f"{name}: is a folder. Name a file in it.")
        if is_stream(name):
            return
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


def _local(name: str) -> Path:
    """Return the path of an output.

    Raises:
        UsageError: a URL names it.
    """
    if is_url(name):
        raise UsageError(f"{name}: is a URL. Results go to files of this machine: name one by -o.")
    return Path(name)


def refuse_input(name: str, inputs: Iterable[str]) -> None:
    """Refuse an output that is one of the inputs, also under another name or through a link.

    Raises:
        UsageError: the output is an input; --force does not allow it either.
    """
    for it in inputs:
        if STDOUT not in {name, it} and _is_same(name, it) and not is_stream(name):
            raise UsageError(f"{name}: is the input {it}. Name another output with -o.")


def shown(name: str) -> str:
    """Return the name of an output in messages."""
    return "to standard output" if name == STDOUT else name


def folder_of(name: str) -> Path | None:
    """Return the folder of an output, for temporary files beside it; None for a stream."""
    if name == STDOUT or is_stream(name):
        return None
    return Path(os.path.realpath(name)).parent


@contextmanager
def made_folder(name: str) -> Iterator[None]:
    """Make a folder for outputs if it is missing; remove it if the caller's `with` block fails.

    Raises:
        OutputError: it cannot be made; its own folder has to be there.
    """
    folder = Path(name)
    with output_errors(name), signals.held_back():
        is_new = not folder.is_dir()
        if is_new:
            folder.mkdir()
        forget = signals.at_end(partial(_remove_empty, folder)) if is_new else None
    try:
        yield
    except BaseException:
        if is_new:
            _remove_empty(folder)
        raise
    finally:
        if forget is not None:
            forget()


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _is_same(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def is_stream(name: str) -> bool:
    """Tell whether the name is that of a pipe or a device, which is not replaced."""
    try:
        mode = Path(name).stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextmanager
def written(name: str, blocks: Iterable[bytes], *, packed: bool = False) -> Iterator[Path]:
    """Write all blocks to a temporary file, yield it for verification, then rename it to its name.

    The temporary file lies in the target's folder. If writing or the caller's `with` block fails,
    it is removed and no other file has changed. If the target is a symbolic link, the file that
    the link points to is replaced. A pipe or a device gets the bytes once all of them are there.

    Args:
        name: a file, or "-" for stdout, which gets uncompressed bytes.
        blocks: the content.
        packed: whether the blocks are compressed already.

    Yields:
        The finished temporary file.

    Raises:
        OutputError: the file cannot be written.
        BrokenPipeError: the reader of stdout or of a pipe has closed it.
    """
    streams = name == STDOUT or is_stream(name)
    target = None if streams else Path(os.path.realpath(name))
    with ExitStack() as stack:
        with output_errors(name):
            handle, path = stack.enter_context(temporary.file(target.parent if target else None))
            with os.fdopen(handle, "wb") as file:
                _write(file, "" if packed else name, blocks)
                file.flush()
                os.fsync(file.fileno())
        yield path
        with output_errors(name):
            if target is None:
                _copy_to(name, path)
            else:
                _replace(target, path)


@contextmanager
def output_errors(name: str) -> Iterator[None]:
    """Turn OSError of the block into OutputError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written: {error.strerror}. Nothing was left behind."
        ) from error


def _check_stdout(*, is_text: bool) -> None:
    if sys.stdout is None:
        raise OutputError("-: standard output is closed.")
    # a caller in Python may have put another object there
    if not (is_text or hasattr(sys.stdout, "buffer")):
        raise OutputError("-: standard output takes text here, and no bytes. Name a file.")


def _write(file: BinaryIO, name: str, blocks: Iterable[bytes]) -> None:
    if name.endswith(".gz"):
        with _gzip(file) as packed:
            _copy(packed, blocks)
    elif name.endswith(".zst"):
        from tp_tools.files import zstd  # noqa: PLC0415  few outputs are .zst

        with zstd.writer(file, ZSTD_LEVEL) as packed:
            _copy(packed, blocks)
    else:
        _copy(file, blocks)


def _gzip(file: BinaryIO) -> AbstractContextManager[Sink]:
    """Open a compressor that works on a thread; its header carries no time and no name."""
    packed: AbstractContextManager[Sink] = igzip_threaded.open(  # type: ignore[no-untyped-call]
        file, "wb", compresslevel=gzip_parts.LEVEL, threads=1
    )
    return packed


def _copy(sink: Sink, blocks: Iterable[bytes]) -> None:
    for block in blocks:
        sink.write(block)


def _copy_to(name: str, path: Path) -> None:
    with path.open("rb") as file:
        blocks = iter(lambda: file.read(1 << 20), b"")
        if name == STDOUT:
            _copy(sys.stdout.buffer, blocks)
            sys.stdout.buffer.flush()
        else:
            with Path(name).open("wb") as stream:
                _copy(stream, blocks)


def _replace(target: Path, path: Path) -> None:
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    path.chmod(mode)
    path.replace(target)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
