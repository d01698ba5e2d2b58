"""Parse the header of a query file: its question, and the events that it needs.

    -- Kernels: GPU time by kernel name.
    --
    -- Grain: one row per kernel name.
    -- Scope: rank
    -- Needs: kernel, gpu_memcpy, gpu_memset
    -- Args: device, stream
    -- Set: rank RANGE  only these ranks
    -- Shown first: name, count, total_ns
    -- Kernel names: name
    -- Parts: tpt.collective.part

A file without a header has scope rank and needs every category. `Args` lists the args that it reads
of events other than collectives; of collectives it gets all. Each `Set` declares a parameter, see
`tp_tools.library.settings`. `Parts` lists, for a query about a job, the modules through which it
reads the trace: their rows are the same from parts of the job, one after the other, as from all of
it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from tp_tools.errors import InputError
from tp_tools.library.settings import NO_VALUES, declared, definitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tp_tools.library.settings import Parameter, Values

EVERYTHING = "every category"

Scope = Literal["rank", "job"]

_KEYS = ("Grain", "Scope", "Needs", "Args", "Set", "Shown first", "Kernel names", "Parts")
_FIELD = re.compile(r"([A-Z][a-z]*(?: [a-z]+)?): +(.*)")
_TITLE = re.compile(r"^[A-Z]\w*: +")
_CATEGORY = re.compile(r"[A-Za-z_]\w*")
_MODULE = re.compile(r"tpt(?:\.\w+)+")


class Header(Struct, frozen=True):
    """The fields of the first comment of a query file.

    Attributes:
        answers: the question, in one line; empty if there is none.
        grain: the thing that a row stands for; empty if there is none.
        scope: "rank" if the query runs on each trace alone, "job" if on all ranks in one trace.
        needs: the categories of the events that the query reads, with "flows" if it follows flows;
            None for all.
        args: the args that the query reads of events other than collectives; None for all.
        first: the columns that answer the question, which a narrow terminal shows first.
        kernels: the columns with kernel names, which a terminal shows as short names.
        parameters: those that can be set.
        parts: the modules whose rows parts of a job give; empty: it is asked at once.
    """

    answers: str
    grain: str
    scope: Scope
    needs: frozenset[str] | None
    args: frozenset[str] | None = None
    first: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    parts: tuple[str, ...] = ()

    def needing(self, values: Values) -> Header:
        """Return the header, with what the query also needs where parameters have these values."""
        if self.needs is None or not values:
            return self
        more = (it.needs for it in self.parameters if it.name in values)
        return replace(self, needs=self.needs.union(*more))


def parse(sql: str, name: str) -> Header:
    """Parse the header of a query file.

    Args:
        sql: the text of the file.
        name: the name of the file in errors.

    Raises:
        InputError: the scope, the needs, the parts or a parameter is malformed.
    """
    lines = list(_comment(sql))
    fields = dict(_fields(lines))
    scope = fields.get("Scope", "rank")
    if scope not in {"rank", "job"}:
        raise InputError(f"{name}: its header says 'Scope: {scope}'; it must be rank or job.")
    return Header(
        answers=_first_sentence(lines),
        grain=fields.get("Grain", ""),
        scope="job" if scope == "job" else "rank",
        needs=_needs(fields.get("Needs", EVERYTHING), name),
        args=frozenset(_listed(fields["Args"])) if "Args" in fields else None,
        first=tuple(_listed(fields["Shown first"])) if "Shown first" in fields else (),
        kernels=tuple(_listed(fields["Kernel names"])) if "Kernel names" in fields else (),
        parameters=_parameters(lines, name),
        parts=_parts(fields, name),
    )


def with_macros(sql: str, name: str, values: Values = NO_VALUES) -> str:
    """Put the parameters that a query declares below its header, as macros.

    Args:
        sql: the text of the file.
        name: the name of the file in errors.
        values: values by name; the others get their defaults.

    Raises:
        InputError: a declaration is malformed.
        UsageError: a value is of no parameter, or not of its type.
    """
    lines = list(_comment(sql))
    macros = definitions(_parameters(lines, name), values, name)
    if not macros:
        return sql
    texts = sql.lstrip().splitlines(keepends=True)
    head, rest = "".join(texts[: len(lines)]), "".join(texts[len(lines) :])
    return f"{head.rstrip()}\n\n{macros}{rest.lstrip()}"


def _parameters(lines: list[str], name: str) -> tuple[Parameter, ...]:
    """Return the parameters that a header declares.

    Raises:
        InputError: one is malformed, or declared twice.
    """
    found = [declared(value, name) for key, value in _fields(lines) if key == "Set"]
    names = [parameter.name for parameter in found]
    if twice := {it for it in names if names.count(it) > 1}:
        raise InputError(f"{name}: its header declares {', '.join(sorted(twice))} twice.")
    return tuple(found)


def combine(headers: Sequence[Header]) -> Header:
    """Combine what several queries need loaded; None in any of them means everything."""
    scope: Scope = "job" if any(header.scope == "job" for header in headers) else "rank"
    needs, args = [header.needs for header in headers], [header.args for header in headers]
    return Header("", "", scope, union(needs), union(args))


def union(sets: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    """Return what any of the sets holds; None, which stands for everything, if one is None."""
    known = [values for values in sets if values is not None]
    return frozenset[str]().union(*known) if len(known) == len(sets) else None


def _comment(sql: str) -> Iterator[str]:
    """Yield the lines of the comment at the start of a file, without dashes."""
    for line in sql.lstrip().splitlines():
        if not line.startswith("--"):
            return
        yield line.removeprefix("--").strip()


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (key, value) of known fields; a field ends at the next field or an empty line."""
    key, parts = "", list[str]()
    for line in [*lines, ""]:
        start = _FIELD.fullmatch(line)
        if start or not line:
            if key in _KEYS:
                yield key, " ".join(parts)
            key, parts = (start[1], [start[2]]) if start else ("", [])
        else:
            parts.append(line)


def _first_sentence(lines: list[str]) -> str:
    """Return the first paragraph without a title of one word; empty if it is a field."""
    first = lines.index("") if "" in lines else len(lines)
    paragraph = " ".join(lines[:first])
    return "" if paragraph.startswith(_KEYS) else _TITLE.sub("", paragraph, count=1)


def _needs(text: str, name: str) -> frozenset[str] | None:
    if text.rstrip(".") == EVERYTHING:
        return None
    categories = _listed(text)
    if not all(map(_CATEGORY.fullmatch, categories)):
        raise InputError(
            f"{name}: its header says 'Needs: {text}'; it must list categories, "
            f"as in 'Needs: kernel, gpu_memcpy', or say '{EVERYTHING}'."
        )
    return frozenset(categories)


def _parts(fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    if "Parts" not in fields:
        return ()
    said = _listed(fields["Parts"])
    if not all(map(_MODULE.fullmatch, said)) or fields.get("Scope") != "job":
        raise InputError(
            f"{name}: its header says 'Parts: {fields['Parts']}'; of a job it lists modules, "
            "as in 'Parts: tpt.collective.part'."
        )
    return tuple(said)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.rstrip(".").split(",")]
