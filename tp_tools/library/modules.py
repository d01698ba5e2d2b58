"""The package `tpt` of SQL modules: its files, and the text of a script with all that it includes.

TraceProcessor runs `INCLUDE PERFETTO MODULE tpt.gpu_slice;` where the package is registered. The
Perfetto UI does not have it: a text for its Query tab holds the modules themselves.
"""

from __future__ import annotations

import difflib
import functools
import re
from typing import TYPE_CHECKING

from tp_tools.errors import InputError
from tp_tools.library.files import SUFFIX, folder, read

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "tpt"

_TOKEN = re.compile(
    r"""
      --[^\n]* | /\*.*?\*/ | '[^']*' | "[^"]*"    # where INCLUDE is no statement
    | (?<![\w.]) INCLUDE \s+ PERFETTO \s+ MODULE \s+
      (?P<name> tpt (?:\.\w+)* (?:\.\*)?) \s* (?:;[^\S\n]*\n*|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_CREATE = re.compile(r"^CREATE PERFETTO ", re.MULTILINE)


@functools.cache
def modules() -> dict[str, str]:
    """The text of each module by its name, such as "tpt.collective.window", sorted by name.

    Definitions are `CREATE OR REPLACE`: they may follow those that were pasted in the same session.

    Raises:
        InputError: a file cannot be read.
    """
    top = folder()
    texts = {
        ".".join(path.relative_to(top).with_suffix("").parts): read(path)
        for path in sorted((top / PACKAGE).rglob(f"*{SUFFIX}"))
    }
    return {name: _CREATE.sub("CREATE OR REPLACE PERFETTO ", text) for name, text in texts.items()}


def includes_modules(sql: str) -> bool:
    """Whether a script includes modules of the package."""
    return any(True for _ in _included(sql))


def expand(sql: str) -> str:
    """A script that includes nothing of the package: the modules stand in it.

    Each module stands there once, where it is first included, after those that it includes.

    Args:
        sql: a query, or several statements. What it includes of Perfetto's own modules stays.

    Returns:
        Text that any TraceProcessor of v52 or later runs, time and again in one session.

    Raises:
        InputError: it includes a module that does not exist.
    """
    done = set[str]()

    def text_of(match: re.Match[str]) -> str:
        if match["name"] is None:
            return match[0]
        return "".join(map(module, _meant(match["name"])))

    def module(name: str) -> str:
        if name in done:
            return ""
        done.add(name)
        return _TOKEN.sub(text_of, modules()[name]).strip() + "\n\n"

    return _TOKEN.sub(text_of, sql)


def _included(sql: str) -> Iterator[str]:
    return (match["name"] for match in _TOKEN.finditer(sql) if match["name"] is not None)


def _meant(name: str) -> list[str]:
    """The modules that an INCLUDE names: one, or with `.*` all below that name."""
    known = modules()
    if name.endswith(".*"):
        found = [it for it in known if it.startswith(name[:-1])]
    else:
        found = [name] if name in known else []
    if not found:
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
        raise InputError(f"the query includes {name}, which is no module; {hint}")
    return found
