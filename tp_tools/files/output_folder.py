"""Write a folder of output files whole or not at all."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import OutputError, UsageError
from tp_tools.files import temporary
from tp_tools.files.output import STDOUT, output_errors
from tp_tools.files.remote import is_url
from tp_tools.processes import signals

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator


_HERE = -100  # AT_FDCWD: paths are those of this process
_RENAME_EXCHANGE = 2


def check(name: str, names: re.Pattern[str], *, force: bool) -> None:
    """Check that a folder can be written, before any work is done.

    Args:
        name: the folder.
        names: names of the files that such a folder may hold: one that holds others is never
            replaced.
        force: whether a folder with such files may be replaced.

    Raises:
        UsageError: it is a file, stdout or a URL; it holds other files, or files that `force` does
            not allow to replace.
        OutputError: the folder that it lies in does not exist or may not be written to.
    """
    if name == STDOUT or is_url(name):
        raise UsageError(f"{name}: several files are written: name a folder of this machine by -o.")
    target = Path(os.path.realpath(name))
    try:
        if target.exists() and not target.is_dir():
            raise UsageError(f"{name}: is a file, and several are written. Name a folder with -o.")
        if not target.parent.is_dir():
            raise OutputError(f"{name}: the folder above it does not exist. Create it first.")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise OutputError(f"{name}: the folder above it may not be written to.")
        held = sorted(it.name for it in target.iterdir()) if target.is_dir() else []
    except OSError as error:
        raise OutputError(f"{name}: cannot be written: {error.strerror}.") from error
    if other := next((it for it in held if not names.fullmatch(it)), None):
        raise UsageError(f"{name}: holds {other}, which this command did not write. Name another.")
    if held and not force:
        raise UsageError(f"{name}: exists. Give --force to replace it, or another name with -o.")


@contextmanager
def written(name: str) -> Iterator[Path]:
    """Yield a temporary folder for the caller's `with` block to fill, then give it its name.

    It lies beside the target. If the block fails, it is removed and nothing else has changed. A
    folder of that name is replaced; it must have passed `check`.

    Args:
        name: the folder.

    Raises:
        OutputError: it cannot be written.
    """
    target = Path(os.path.realpath(name))
    with temporary.folder(target.parent) as scratch, output_errors(name):
        made, old = scratch / "new", scratch / "old"
        made.mkdir()
        yield made
        for file in made.iterdir():
            _synchronize(file)
        with signals.held_back():
            if not target.is_dir():
                made.rename(target)
            elif not exchange(made, target):
                target.rename(old)
                try:
                    made.rename(target)
                except OSError:
                    old.rename(target)
                    raise


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders at once, so that SIGKILL leaves either both or none.

    Source: rename(2), RENAME_EXCHANGE of Linux, which some file systems lack.

    Returns:
        Whether it was done.
    """
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    result: int = rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _RENAME_EXCHANGE)
    return result == 0


def _synchronize(file: Path) -> None:
    """Have the system write a file to its disk."""
    with file.open("rb") as it:
        os.fsync(it.fileno())
