"""Put rows in place of what modules of the package make: of a trace that is in several parts.

A script whose modules are given reads nothing of the trace that it runs on; `reads` tells. Tables
are given; functions and macros stay as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.errors import InputError
from tp_tools.library.modules import expand, modules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"\w+")
_LITERAL = re.compile(r"'[^']*'")
_MADE = re.compile(
    r"^CREATE OR REPLACE PERFETTO (TABLE|VIEW|FUNCTION|MACRO) (\w+)(?:\(\n(.*?)^\))?",
    re.MULTILINE | re.DOTALL,
)
_CALLABLE = re.compile(
    r"^CREATE OR REPLACE PERFETTO (?:FUNCTION|MACRO) .*?;$", re.MULTILINE | re.DOTALL
)
_COLUMN = re.compile(r"^  (\w+) ([\w().]+),?$", re.MULTILINE)
_CREATED = re.compile(r"\bPERFETTO\s+(?:TABLE|VIEW|FUNCTION|MACRO)\s+(\w+)", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(\w+)(?:\s*\([\w\s,]*\))?\s+AS\s+(?:(?:NOT\s+)?MATERIALIZED\s+)?\(", re.IGNORECASE
)
_PART = re.compile(r"[\w$]+|[(),]")
_ENDS = re.compile(r"WHERE|GROUP|ORDER|HAVING|WINDOW|LIMIT|UNION|EXCEPT|INTERSECT|SELECT|RETURNS")
"""Words behind which commas divide no tables."""

_OF_TRACE = re.compile(r"\b(trace_(?:start|end|dur)|extract_arg)\s*\(", re.IGNORECASE)
_OF_TABLES = re.compile(r"\bMACRO\s+(\w+)\s*\([^()]*\bTableOrSubquery\b", re.IGNORECASE)
_CALLED = re.compile(r"\b(\w+)!\(([\w\s,]*)\)")

_NOTHING = "CREATE OR REPLACE PERFETTO MACRO tpt_given() RETURNS Expr AS TRUE;\n"
"""A module without a statement is refused, as is one whose statement has rows."""


class Table(Struct, frozen=True):
    """A table that a module makes.

    Attributes:
        name: its name.
        columns: name and type of each column, as in ("id", "JOINID(slice.id)").
    """

    name: str
    columns: tuple[tuple[str, str], ...]

    def schema(self) -> str:
        """Return its name and its columns as CREATE takes them."""
        return f"{self.name}({', '.join(f'{name} {of_type}' for name, of_type in self.columns)})"


def tables(module: str) -> list[Table]:
    """Return the public tables and views that a module makes.

    Raises:
        InputError: there is no such module, or it makes none.
    """
    made = [
        (name, body)
        for kind, name, body in _MADE.findall(modules().get(module, ""))
        if kind in {"TABLE", "VIEW"} and not name.startswith("_")
    ]
    if not made:
        raise InputError(f"parts of a job cannot give {module}: it is no module that makes tables.")
    return [Table(name, tuple(_COLUMN.findall(_COMMENT.sub("", body)))) for name, body in made]


def without(given: Iterable[str]) -> dict[str, str]:
    """Return the modules of the package; those that are given make functions and macros alone."""
    every = modules()
    return every | {name: _callables(every.get(name, "")) or _NOTHING for name in given}


def tables_read(sql: Iterable[str], given: Iterable[str]) -> list[Table]:
    """Return the tables of modules that are given of which scripts say the names.

    Args:
        sql: queries, which may include modules.
        given: names of modules.

    Raises:
        InputError: a script includes a module that does not exist, or a module makes no tables.
    """
    texts = without(given)
    said = {name for it in sql for name in _WORD.findall(_COMMENT.sub("", expand(it, texts)))}
    return [it for module in given for it in tables(module) if it.name in said]


def reads(sql: str, given: Iterable[str]) -> list[str]:
    """Return what a script reads that is neither its own, nor of modules that are given.

    Args:
        sql: a query, which may include modules.
        given: names of modules.

    Raises:
        InputError: it includes a module that does not exist.
    """
    code = _LITERAL.sub("''", _COMMENT.sub("", expand(sql, without(given))))
    made = {name.lower() for name in _CREATED.findall(code)}
    made |= {table.name for module in given for table in tables(module)}
    of_tables = set(_OF_TABLES.findall(code))
    read = set(_OF_TRACE.findall(code))
    for statement in code.split(";"):
        named = {*_sources(statement)}
        for macro, args in _CALLED.findall(statement):
            named |= {it.strip() for it in args.split(",")} if macro in of_tables else set()
        read |= named - set(_NAMED.findall(statement))
    return sorted({name.lower() for name in read} - made - {""})


def _callables(module: str) -> str:
    return "".join(f"{it}\n" for it in _CALLABLE.findall(module))


def _sources(statement: str) -> Iterator[str]:
    """Yield the names behind FROM, JOIN, and the commas between tables."""
    in_tables, is_next = [False], False
    for part in _PART.findall(statement):
        word = part.upper()
        if word == "(":
            in_tables.append(False)
        elif word == ")":
            in_tables = in_tables[:-1] or [False]
        elif word in {"FROM", "JOIN"}:
            in_tables[-1] = True
        elif _ENDS.fullmatch(word):
            in_tables[-1] = False
        elif is_next and not word.startswith("$"):
            yield part
        is_next = word in {"FROM", "JOIN"} or (word == "," and in_tables[-1])
