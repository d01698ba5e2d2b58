"""Read the SQL modules of the package `tpt`, and expand scripts that include them.

TraceProcessor runs `INCLUDE PERFETTO MODULE tpt.gpu_slice;` if the package is registered. The
Perfetto UI does not have the package: text for its Query tab holds the modules themselves.
"""

from __future__ import annotations

import difflib
import functools
import re
from typing import TYPE_CHECKING

from tp_tools.errors import InputError
from tp_tools.library.files import SUFFIX, folder, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE = "tpt"

_TOKEN = re.compile(
    r"""
      --[^\n]* | /\*.*?\*/ | '[^']*' | "[^"]*"    # INCLUDE in these is not a statement
    | (?<![\w.]) INCLUDE \s+ PERFETTO \s+ MODULE \s+
      (?P<name> tpt (?:\.\w+)* (?:\.\*)?) \s* (?:;[^\S\n]*\n*|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_COMMENT = re.compile(r"--[^\n]*")
_CALL = re.compile(r"(?:\bEXTRACT_ARG|!)\(((?:[^()]|\([^()]*\))*)\)")
_LITERAL = re.compile(r"'([^']*)'")
_KEY = re.compile(r"'(?:debug\.)?args\.([^']*)'")
_ARG = re.compile(r"(?!args\.|debug\.)[A-Za-z_][\w .%]*")
_CREATE = re.compile(r"^CREATE PERFETTO ", re.MULTILINE)


@functools.cache
def modules() -> dict[str, str]:
    """Return the text of each module by name, such as "tpt.collective.window", sorted by name.

    Definitions are `CREATE OR REPLACE`, so that a session may run pasted copies of them too.

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
    """Tell whether a script includes modules of the package."""
    return any(True for _ in _included(sql))


def expand(sql: str, texts: Mapping[str, str] | None = None) -> str:
    """Replace the INCLUDEs of modules of the package by their text.

    The text of each module stands once, at its first INCLUDE, after the modules that it includes.

    Args:
        sql: a query or several statements. INCLUDEs of modules of Perfetto stay.
        texts: the text of each module by name; None for `modules`.

    Returns:
        Text that any TraceProcessor of v52 or later runs, also repeatedly in one session.

    Raises:
        InputError: the script includes a module that does not exist.
    """
    done = set[str]()

    def text_of(match: re.Match[str]) -> str:
        if match["name"] is None:
            return match[0]
        return "".join(map(module, _named_modules(match["name"])))

    def module(name: str) -> str:
        if name in done:
            return ""
        done.add(name)
        return _TOKEN.sub(text_of, (texts or modules())[name]).strip() + "\n\n"

    return _TOKEN.sub(text_of, sql)


def args_read(sql: str) -> frozenset[str]:
    """Return names of args of slices that a script, and the modules that it includes, may read.

    SQL of the package names the key of an arg in a literal that is given to a macro or to
    EXTRACT_ARG, `tpt_arg!(arg_set_id, 'correlation')`, or that begins with `args.`.
    """
    included = {module for name in _included(sql) for module in _named_modules(name)}
    return _own_args(sql).union(*map(_args_of_module, included))


@functools.cache
def _args_of_module(name: str) -> frozenset[str]:
    """Return what `args_read` finds in a module; each is searched once for all that include it."""
    return args_read(modules()[name])


def _own_args(sql: str) -> frozenset[str]:
    """Return names of args that a text may read itself."""
    text = _COMMENT.sub("", sql)
    keys = [key for call in _CALL.findall(text) for key in _LITERAL.findall(call)]
    keys += _KEY.findall(text)
    names = {name for key in keys for name in (key, key.partition("[")[0])}
    return frozenset(name for name in names if _ARG.fullmatch(name))


def _included(sql: str) -> Iterator[str]:
    """Yield the names in INCLUDEs of the package."""
    return (match["name"] for match in _TOKEN.finditer(sql) if match["name"] is not None)


def _named_modules(name: str) -> list[str]:
    """Return the modules that an INCLUDE names: one, or with `.*` all below the name."""
    known = modules()
    if name.endswith(".*"):
        named = [module for module in known if module.startswith(name[:-1])]
    else:
        named = [name] if name in known else []
    if not named:
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
        raise InputError(f"the query includes {name}, which is no module; {hint}")
    return named
