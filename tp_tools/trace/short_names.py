"""Give the kernels of a trace short names that can be read, each another one.

void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<c10::BFloat16>,
    std::array<char*, 3ul> >(int, ...)                         elementwise CUDAFunctor_add bf16
void (anonymous namespace)::multimem_all_reduce_kernel<c10::BFloat16, 16>(...)
                                                               multimem_all_reduce_kernel
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tp_tools.trace.cpp_names import is_cpp, is_mangled, parse, words
from tp_tools.trace.kernel_families import ELEMENTWISE, dtype, short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["short_name", "short_names"]


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Shorten the names of all kernels of a trace, or of a job.

    Kernels that would have the same short name are given the words of their full names, in [],
    in which they differ. The same names get the same short names, in any order.

    Returns:
        The short name by name; no two are the same.
    """
    by_short: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        by_short[short_name(name)].append(name)
    found: dict[str, str] = {}
    for short, same in by_short.items():
        found.update({same[0]: short} if len(same) == 1 else _told_apart(short, same))
    return _numbered(found)


def _told_apart(short: str, names: list[str]) -> dict[str, str]:
    """Add the details in which names differ that have one short name."""
    heads = _aligned([_arguments(name) for name in names])
    rows = _aligned([[*head, *_words(name)] for head, name in zip(heads, names, strict=True)])
    chosen: list[int] = []
    for columns in (range(len(heads[0])), range(len(heads[0]), len(rows[0]))):
        _choose(rows, columns, chosen)
    chosen.sort()
    return {
        name: _with_details(short, [row[i] for i in chosen if row[i]])
        for name, row in zip(names, rows, strict=True)
    }


def _aligned(rows: list[list[str]]) -> list[list[str]]:
    """Make rows equally long, with empty texts."""
    width = max(map(len, rows))
    return [[*row, *[""] * (width - len(row))] for row in rows]


def _choose(rows: list[list[str]], columns: Sequence[int], chosen: list[int]) -> None:
    """Add columns to those chosen, each time the one that tells most rows apart."""
    count = len({tuple(row[i] for i in chosen) for row in rows})
    while count < len(rows):
        most, place = max(
            (
                (len({tuple(row[i] for i in [*chosen, new]) for row in rows}), -new)
                for new in columns
            ),
            default=(0, 0),
        )
        if most <= count:
            return
        chosen.append(-place)
        count = most


def _with_details(short: str, details: list[str]) -> str:
    return f"{short} [{', '.join(details)}]" if details else short


def _arguments(name: str) -> list[str]:
    """List the function and the template arguments of a kernel, in short."""
    if not is_cpp(name) or is_mangled(name):
        return []
    parsed = parse(name)
    match = ELEMENTWISE.fullmatch(parsed.name)
    function = "_".join(filter(None, (match[1], match[2].strip("_")))) if match else parsed.name
    return [function, *map(_argument, parsed.arguments)]


def _words(name: str) -> list[str]:
    return words(name) if is_cpp(name) else name.split("_")


def _argument(text: str) -> str:
    """Write a template argument in short: bf16, 128, true, MulFunctor."""
    literal = re.fullmatch(r"(?:\([\w:]+\))?(-?\d+)u?l*|true|false", text)
    if literal:
        return literal[1] or text
    return dtype(text) or parse(text).name


def _numbered(found: dict[str, str]) -> dict[str, str]:
    """Number the names that are still the same, such as those that were cut off."""
    used: set[str] = set()
    for name in sorted(found):
        short, number = found[name], 1
        while found[name] in used:
            number += 1
            found[name] = f"{short} #{number}"
        used.add(found[name])
    return found
