"""Keep files in a cache folder of the user: whole or not at all, each with its checksum."""

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from time import time

import isal.isal_zlib

from tp_tools.processes import signals

KEPT_FILES = 12
"""Files kept of each suffix: modules of 32 and 64 bit, stoppable or not, and memories of 32 and 64
bit, for a few versions or kinds of machine."""

_AN_HOUR = 3600.0
_READ_BYTES = 1 << 18
"""Bytes per read; a read of the whole file would touch new memory, page by page."""


def cache_folder() -> Path | None:
    """Return the folder for compiled modules; None if there is none.

    It is in the cache folder of the user, or if that is not writable, beside temporary files.
    """
    candidates = [Path(tempfile.gettempdir()) / f"tp-tools-{user()}"]
    if base := os.environ.get("XDG_CACHE_HOME"):
        candidates.insert(0, Path(base) / "tp-tools")
    elif (home := Path("~").expanduser()).is_absolute():  # some users have no home
        candidates.insert(0, home / ".cache" / "tp-tools")
    return next(filter(is_private, candidates), None)


def is_private(folder: Path) -> bool:
    """Create a folder if missing; tell whether this user, and no other user, can write to it.

    Machine code is loaded from it, which must not come from other users.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return False
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return os.name == "nt" or (status.st_uid == user() and not status.st_mode & others)


def kept(folder: Path, key: str, suffix: str) -> Iterator[Path]:
    """Give the files of a key that are as they were written.

    Args:
        folder: a private folder (see `is_private`).
        key: the first part of the names.
        suffix: the end of the names.
    """
    for path in sorted(folder.glob(f"{key}-*{suffix}")):
        try:
            is_whole = path.name.endswith(f"-{_checksum(_blocks(path))}{suffix}")
        except OSError:
            continue
        if is_whole:
            yield path


def keep(content: bytes, folder: Path, key: str, suffix: str) -> None:
    """Write a file whole or not at all, under its key and checksum; forget the oldest ones.

    A full disk is no error: the next start does without the file, as this one did.
    """
    with suppress(OSError):
        write_whole(folder / file_name(key, content, suffix), content)
        _forget_old(folder, suffix)


def write_whole(path: Path, *parts: bytes) -> None:
    """Write a file whole or not at all, whether by an error or by a signal.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    with signals.held_back():
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        forget = signals.at_end(lambda: Path(part).unlink(missing_ok=True))
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
    finally:
        forget()


def file_name(key: str, content: bytes, suffix: str) -> str:
    """Return the name of a kept file: key, checksum, suffix."""
    return f"{key}-{_checksum([content])}{suffix}"


def user() -> int:
    """Return the number of the user, 0 where users have none."""
    return os.getuid() if hasattr(os, "getuid") else 0


def _checksum(blocks: Iterable[bytes]) -> str:
    checksum = 0
    for block in blocks:
        checksum = isal.isal_zlib.crc32(block, checksum)
    return f"{checksum:08x}"


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            yield block


def _forget_old(folder: Path, suffix: str) -> None:
    """Remove all but the newest files, and partial ones that are older than an hour."""
    newest_last = sorted(folder.glob(f"*{suffix}"), key=_changed)
    left_behind = [part for part in folder.glob("*.part") if _changed(part) < time() - _AN_HOUR]
    for path in (*newest_last[:-KEPT_FILES], *left_behind):
        path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
