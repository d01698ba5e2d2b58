"""What to say of a file that is not there: mostly its name was mistyped."""

from __future__ import annotations

import difflib
import itertools
from contextlib import suppress
from pathlib import Path

from tp_tools.errors import InputError

_MOST = 10_000
"""Names of a folder that are looked at."""

_ALIKE = 0.8
"""How alike names are that may be mistaken, of 1."""


def refuse_missing(name: str) -> None:
    """Does nothing if there is such a file, or if nobody can tell: whoever reads it will.

    Raises:
        InputError: there is none; it names what may have been meant.
    """
    if name == "-":
        return
    path = Path(name)
    with suppress(OSError):
        if path.exists():
            return
        if not path.absolute().parent.is_dir():
            raise InputError(f"{name}: no such file: there is no folder {path.parent}.")
        near = _near(path)
        hint = f"Did you mean {path.with_name(near)}?" if near else "Check the path."
        raise InputError(f"{name}: no such file. {hint}")


def _near(path: Path) -> str | None:
    """The name in the same folder that begins like this one, or else is most like it."""
    files = itertools.islice(path.absolute().parent.iterdir(), _MOST)
    names = sorted(it.name for it in files if not it.name.startswith("."))
    longer = [name for name in names if name.startswith(f"{path.name}.")]
    return next(iter(longer or difflib.get_close_matches(path.name, names, 1, _ALIKE)), None)
