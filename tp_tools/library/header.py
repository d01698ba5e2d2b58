"""The header of a query file: what it answers, and what it has to be given.

    -- Kernels: GPU time by kernel name.
    --
    -- Grain: one row per kernel name.
    -- Scope: rank
    -- Needs: kernel, gpu_memcpy, gpu_memset
    -- Args: device, stream
    -- Shown first: name, count, total_ns
    -- Kernel names: name

A file without a header is about a rank and needs every category. `Args` may be given where only
those of collectives are needed in full: of other events these are enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYTHING = "every category"

Scope = Literal["rank", "job"]

_KEYS = ("Grain", "Scope", "Needs", "Args", "Shown first", "Kernel names")
_FIELD = re.compile(r"([A-Z][a-z]*(?: [a-z]+)?): +(.*)")
_TITLE = re.compile(r"[A-Z]\w*: +")
_CATEGORY = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Header:
    """What the first comment of a query file says.

    Attributes:
        answers: the question, in one line; empty if the file says nothing.
        grain: what a row stands for; empty if the file says nothing.
        scope: "rank" if it is run on each trace by itself, "job" if on all ranks in one.
        needs: the categories of the events that it reads, with "flows" where it follows arrows;
            None for all there is.
        args: the args that it reads of events that are no collectives; None for all there are.
        first: the columns that answer, which a narrow terminal shows first.
        kernels: the columns with names of kernels, which a terminal shows as short names.
    """

    answers: str
    grain: str
    scope: Scope
    needs: frozenset[str] | None
    args: frozenset[str] | None = None
    first: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()


def parse(sql: str, name: str) -> Header:
    """The header of a query file.

    Args:
        sql: its text.
        name: what errors call it.

    Raises:
        InputError: its scope or its needs are not written as they must be.
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
    )


def _comment(sql: str) -> Iterator[str]:
    """The lines of the comment that the file begins with, without their dashes."""
    for line in sql.lstrip().splitlines():
        if not line.startswith("--"):
            return
        yield line.removeprefix("--").strip()


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The fields that are known; each goes on until another one begins, or a line is empty."""
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
    """The first paragraph, without a title of one word; nothing if it is a field already."""
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


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.rstrip(".").split(",")]
