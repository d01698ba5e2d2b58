"""Refuse a file that does not exist, with the name that its user probably meant."""

from __future__ import annotations

import difflib
import itertools
from contextlib import suppress
from pathlib import Path

from tp_tools.errors import InputError
from tp_tools.files.remote import is_url

_MAX_NAMES = 10_000
"""Names in a folder that are compared at most."""

_MIN_SIMILARITY = 0.8
"""Similarity, of 1, from which on a name is suggested: difflib's ratio."""


def refuse_missing(name: str) -> None:
    """Check that a file exists, unless the system does not say: reading it reports the error then.

    Args:
        name: a path, "-" for standard input, or a URL: that is asked for when it is read.

    Raises:
        InputError: the file does not exist; the message suggests a name like it if there is one.
    """
    if name == "-" or is_url(name):
        return
    path = Path(name)
    with suppress(OSError):
        if path.exists():
            return
        if not path.absolute().parent.is_dir():
            raise InputError(f"{name}: no such file: there is no folder {path.parent}.")
        similar = _similar_name(path)
        hint = f"Did you mean {path.with_name(similar)}?" if similar else "Check the path."
        raise InputError(f"{name}: no such file. {hint}")


def _similar_name(path: Path) -> str | None:
    """Find the name in the same folder that begins with this one, or else the most similar one."""
    entries = itertools.islice(path.absolute().parent.iterdir(), _MAX_NAMES)
    names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    longer = [name for name in names if name.startswith(f"{path.name}.")]
    similar = longer or difflib.get_close_matches(path.name, names, 1, _MIN_SIMILARITY)
    return next(iter(similar), None)
