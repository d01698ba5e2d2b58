"""Classify collective kernels by name, by the SQL library's rules but without TraceProcessor.

The rules are in one place, the function `tpt_collective_by_name` in sql/. Its body is plain SQLite,
so Python's own SQLite evaluates it at once; TraceProcessor would need seconds to load the trace.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from tp_tools import library
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

MODULE = "tpt.collective.kind"
_SIGNATURE = re.compile(
    r"^CREATE .*\bFUNCTION tpt_collective_by_name\(.*?^RETURNS STRING AS$", re.MULTILINE | re.DOTALL
)


def collectives(names: Iterable[str]) -> dict[str, str]:
    """Classify names of kernels.

    Args:
        names: names of kernels of any kind.

    Returns:
        The kind of collective, such as "all_reduce", by name; without the names of other kernels.

    Raises:
        InputError: the installed library does not define the function.
    """
    body = _body(library.modules().get(MODULE, ""))
    if body is None:
        raise InputError(
            f"the SQL module {MODULE} defines no tpt_collective_by_name. Install tp-tools again."
        )
    database = sqlite3.connect(":memory:")
    try:
        database.create_function("REGEXP_EXTRACT", 2, _regexp_extract, deterministic=True)
        kinds = {name: database.execute(body, {"name": name}).fetchone()[0] for name in names}
    finally:
        database.close()
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _body(module: str) -> str | None:
    """Return the SELECT of the function in a module; None where the module does not define it.

    It ends with the first `;` that SQLite takes for an end, as those in comments and texts are not.
    """
    signature = _SIGNATURE.search(module)
    if signature is None:
        return None
    rest = module[signature.end() :]
    upto = (rest[: match.end()] for match in re.finditer(";", rest))
    return next(filter(sqlite3.complete_statement, upto), None)


def _regexp_extract(text: str | None, pattern: str) -> str | None:
    """Return the first group of the first match, or the match if it has none, as PerfettoSQL."""
    match = re.search(pattern, text) if text is not None else None
    return match and match[bool(match.re.groups)]
