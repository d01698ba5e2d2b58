"""Temporary files and folders that do not outlive the process, however it ends.

A `with` block removes them, a signal does (`tp_tools.processes.signals`), and what a process left
that was killed (SIGKILL, a lost machine) the next one removes that makes a temporary file in the
same folder. To know the dead from the living, each holds a lock on its own (flock(2)), which the
system takes back when a process ends, in any container and on most network file systems.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import OutputError
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME = re.compile(r"\.tp-tools-(\d+)-\w{8}")
"""Theirs: the process that made it, and what tempfile adds."""

_NEW_S = 60.0
"""A file this young may belong to a process that has not locked it yet, if that lives."""

_OLD_S = 7 * 86_400.0
"""Left behind for sure, where a file system knows no locks."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

_chosen: ContextVar[Path | None] = ContextVar("_chosen", default=None)


@contextmanager
def in_folder(folder: Path | None) -> Iterator[None]:
    """Put temporary files into a folder while the block runs, unless a block around it names one.

    Args:
        folder: the folder of an output, or of --tmp; None for the system's folder.
    """
    token = _chosen.set(_chosen.get() or folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def usual_folder() -> Path:
    """Return the folder of temporary files: that of `in_folder`, else $TMPDIR or the system's."""
    return _chosen.get() or Path(tempfile.gettempdir())


@contextmanager
def file(folder: Path | None = None) -> Iterator[tuple[int, Path]]:
    """Make an empty file, and remove it after the block unless it was moved away.

    Args:
        folder: where to make it; None for `usual_folder()`.

    Yields:
        A descriptor open for writing, which the caller closes, and the path.

    Raises:
        OSError: the file cannot be made.
    """
    folder = folder or usual_folder()
    remove_leftovers(folder)
    with signals.held_back():
        handle, name = tempfile.mkstemp(prefix=_prefix(), dir=folder)
        path = Path(name)
        forget = signals.at_end(lambda: path.unlink(missing_ok=True))
    with _locked(path):
        try:
            yield handle, path
        finally:
            with signals.held_back():
                path.unlink(missing_ok=True)
                forget()


@contextmanager
def folder(parent: Path | None = None) -> Iterator[Path]:
    """Make an empty folder, and remove it after the block.

    Args:
        parent: where to make it; None for `usual_folder()`.

    Raises:
        OutputError: the folder cannot be made.
    """
    parent = parent or usual_folder()
    remove_leftovers(parent)
    try:
        with signals.held_back():
            path = Path(tempfile.mkdtemp(prefix=_prefix(), dir=parent))
            forget = signals.at_end(lambda: _remove_all(path))
    except OSError as error:
        raise OutputError(
            f"{parent}: no temporary files can be made there: {error.strerror}. "
            "Name another folder with --tmp."
        ) from error
    with _locked(path):
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            forget()


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Turn the error of a full disk into one that names the folder of temporary files.

    Raises:
        OutputError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutputError(
            f"{usual_folder()}: no room for temporary files: {error.strerror}. "
            "Name a folder with more room with --tmp."
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that ended processes of this user left in `folder`."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if match := _NAME.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_left(Path(entry.path), int(match[1]))


def _prefix() -> str:
    return f".tp-tools-{os.getpid()}-"


def _remove_if_left(path: Path, owner: int) -> None:
    status = path.lstat()
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return
    age = time.time() - status.st_mtime
    if _is_left(path, age, owner):
        (_remove_all if path.is_dir() else Path.unlink)(path)


def _is_left(path: Path, age: float, owner: int) -> bool:
    lock = _flock()
    if lock is None:
        return age > _OLD_S
    handle = os.open(path, os.O_RDONLY)
    try:
        lock(handle)
    except BlockingIOError:
        return False
    except OSError:
        return age > _OLD_S
    finally:
        os.close(handle)
    return age > _NEW_S or not _is_running(owner)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # there is one, of someone else
    return True


def _flock() -> Callable[[int], None] | None:
    """Return a function that locks a descriptor or raises BlockingIOError; None on Windows."""
    try:
        import fcntl  # noqa: PLC0415  Windows has none
    except ImportError:
        return None
    return lambda handle: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock a file or folder while the block runs, so that other processes leave it there."""
    lock = _flock()
    handle = None
    if lock is not None:
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            lock(handle)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _remove_all(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
