"""Which collective a kernel is, by its name: as the SQL library says, without TraceProcessor.

The one list of names is `tpt_collective_by_name` in sql/. What it says is plain SQLite, so Python's
own SQLite can be asked at once, where starting TraceProcessor and loading the trace takes seconds.
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
_BODY = re.compile(
    r"PERFETTO FUNCTION tpt_collective_by_name\([^)]*\)\s+(?:--[^\n]*\s+)*"
    r"RETURNS STRING AS\s+([^;]+);"
)


def collectives(names: Iterable[str]) -> dict[str, str]:
    """The kind of collective ("all_reduce"...) of those names that are a collective's.

    Raises:
        InputError: the library is damaged.
    """
    body = _BODY.search(library.modules().get(MODULE, ""))
    if body is None:
        raise InputError(
            f"the SQL module {MODULE} defines no tpt_collective_by_name. Install tp-tools again."
        )
    engine = sqlite3.connect(":memory:")
    try:
        engine.create_function("REGEXP_EXTRACT", 2, _regexp_extract, deterministic=True)
        answers = {name: engine.execute(body[1], {"name": name}).fetchone()[0] for name in names}
    finally:
        engine.close()
    return {name: kind for name, kind in answers.items() if kind is not None}


def _regexp_extract(text: str | None, pattern: str) -> str | None:
    """PerfettoSQL's: the first group of the first match, or all of it if there is no group."""
    match = re.search(pattern, text) if text is not None else None
    return match and match[bool(match.re.groups)]
