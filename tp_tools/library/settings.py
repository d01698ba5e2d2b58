"""Read the parameters that a query declares in its header, and check values for them.

    -- Set: rank RANGE  only these ranks
    -- Set: min_us FLOAT = 0  only gaps of at least so many us
    -- Set: steps RANGE  only work launched in these steps (with tpt.step needing cuda_runtime)

A parameter is a macro in the text of the query, which `library.read` puts below the header: its
value as `tpt_set_min_us!()`, and of a RANGE whether a number is in it, `tpt_set_rank!(rank)`, which
is TRUE without a value. The module and the categories in brackets are those that the query needs
only where the parameter has a value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from tp_tools.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

Type = Literal["INT", "FLOAT", "TEXT", "RANGE"]
Value: TypeAlias = "int | float | str | tuple[int | None, int | None]"
"""A value of a parameter; a RANGE is a number, "3..5", "3..", "..5", or a pair of its ends."""
Values: TypeAlias = Mapping[str, Value]
NO_VALUES: Values = {}

EXAMPLES: Mapping[Type, str] = {
    "INT": "a whole number",
    "FLOAT": "a number",
    "TEXT": "text",
    "RANGE": "a whole number or a range such as 3..5, 3.. or ..5",
}

_DECLARATION = re.compile(
    r"(?P<name>[a-z]\w*) +(?P<type>INT|FLOAT|TEXT|RANGE)(?: += +(?P<default>'[^']*'|\S+))?"
    r"(?: +(?P<says>.*?))?(?: \(with (?P<module>tpt(?:\.\w+)+) needing (?P<needs>[\w, ]+)\))?"
)
_RANGE = re.compile(r"(?P<first>-?\d+)?\.\.(?P<last>-?\d+)?")
_INT = re.compile(r"[+-]?\d{1,25}")
_LARGEST = 1 << 63


class Parameter(Struct, frozen=True):
    """A parameter of a query.

    Attributes:
        name: its name.
        type: its type.
        default: the SQL of its default; "NULL" where there is none.
        says: what it does, in a few words.
        module: the module that the query includes only where it has a value; None for none.
        needs: categories that the query reads only where it has a value.
    """

    name: str
    type: Type
    default: str = "NULL"
    says: str = ""
    module: str | None = None
    needs: frozenset[str] = frozenset()


def declared(field: str, file: str) -> Parameter:
    """Read the declaration of a parameter.

    Args:
        field: the text after `Set:` in a header.
        file: the name of the file in errors.

    Raises:
        InputError: it is malformed.
    """
    match = _DECLARATION.fullmatch(field)
    if match is None or (match["type"] == "RANGE" and match["default"]):
        raise InputError(
            f"{file}: its header says 'Set: {field}'; it must be a name, a type and, except for "
            f"RANGE, a default, as in 'Set: min_us FLOAT = 0  only those of at least so many us'."
        )
    kind: Type = match["type"]  # type: ignore[assignment]
    default = match["default"] or "NULL"
    if default != "NULL":
        try:
            default = _literal(kind, default[1:-1] if default[0] == "'" else default)
        except ValueError as error:
            raise InputError(
                f"{file}: its header says 'Set: {field}'; the default must be {EXAMPLES[kind]}."
            ) from error
    needs = frozenset(name.strip() for name in (match["needs"] or "").split(",")) - {""}
    return Parameter(match["name"], kind, default, match["says"] or "", match["module"], needs)


def assignments(texts: Iterable[str]) -> dict[str, str]:
    """Read `--set NAME=VALUE` options.

    Raises:
        UsageError: one has no `=`, or a name is given twice.
    """
    values = dict[str, str]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {text}: write NAME=VALUE, as in --set rank=0.")
        if name in values:
            raise UsageError(f"--set {name} is given twice.")
        values[name] = value
    return values


def definitions(parameters: Iterable[Parameter], values: Values, query: str) -> str:
    """Return the SQL that defines the parameters of a query.

    Args:
        parameters: those that the query declares.
        values: the values of some of them by name.
        query: the name of the query in errors.

    Returns:
        A macro per parameter, with the modules of those that have values.

    Raises:
        UsageError: a value is of no parameter, or not of its type.
    """
    known = {parameter.name: parameter for parameter in parameters}
    if unknown := [name for name in values if name not in known]:
        declared = ", ".join(f"{it.name} ({it.type})" for it in known.values()) or "none"
        raise UsageError(
            f"{query} has no parameter {', '.join(unknown)}; those that it declares: {declared}."
        )
    return "".join(_definition(known[name], values.get(name)) for name in known)


def limits(value: Value) -> tuple[int | None, int | None]:
    """Return the first and last number of a RANGE; None is open.

    Raises:
        ValueError: it is no range, or its first number is above its last.
    """
    if isinstance(value, tuple):
        first, last = (None if end is None else int(_literal("INT", end)) for end in value)
    elif isinstance(value, str) and (match := _RANGE.fullmatch(value.strip())):
        first, last = (int(_literal("INT", end)) if end else None for end in match.groups())
    else:
        first = last = int(_literal("INT", value))
    if (first is None and last is None) or (None not in {first, last} and first > last):  # type: ignore[operator]
        raise ValueError(value)
    return first, last


def _definition(parameter: Parameter, value: Value | None) -> str:
    """Return the macro of a parameter."""
    text = parameter.default
    try:
        if parameter.type == "RANGE":
            text = "TRUE" if value is None else _condition(*limits(value))
        elif value is not None:
            text = _literal(parameter.type, value)
    except ValueError as error:
        raise UsageError(
            f"--set {parameter.name}={value}: it must be {EXAMPLES[parameter.type]}."
        ) from error
    include = ""
    if parameter.module is not None and value is not None:
        include = f"INCLUDE PERFETTO MODULE {parameter.module};\n\n"
    argument = "value Expr" if parameter.type == "RANGE" else ""
    return (
        f"{include}CREATE OR REPLACE PERFETTO MACRO tpt_set_{parameter.name}({argument})\n"
        f"RETURNS Expr AS\n{text};\n\n"
    )


def _condition(first: int | None, last: int | None) -> str:
    """Return the SQL that tells whether `$value` is in a range."""
    if first is None:
        return f"($value <= {last})"
    if last is None:
        return f"($value >= {first})"
    return f"($value BETWEEN {first} AND {last})"


def _literal(kind: Type, value: object) -> str:
    """Return the SQL of a value: a number, or quoted text.

    Raises:
        ValueError: it is not of this type.
    """
    text = str(value).strip() if kind != "TEXT" else str(value)
    if kind == "INT":
        if not _INT.fullmatch(text) or not -_LARGEST < int(text) < _LARGEST:
            raise ValueError(value)
        return str(int(text))
    if kind == "FLOAT":
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(value)
        return repr(number)
    if "\0" in text:
        raise ValueError(value)
    quoted = "'" + text.replace("'", "''") + "'"
    # TraceProcessor takes U+00A0 in a script for a blank, in literals too
    return "(" + quoted.replace("\xa0", "' || CHAR(160) || '") + ")" if "\xa0" in text else quoted
