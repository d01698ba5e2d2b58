"""Set parameters of a query file: functions that return one constant.

    CREATE OR REPLACE PERFETTO FUNCTION tpt_tolerance_ns()
    RETURNS LONG AS
    SELECT 1000;

The file runs unchanged where it is pasted, and a command can run it with another value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tp_tools.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFINITION = r"(FUNCTION\s+tpt_{name}\(\)\s+RETURNS\s+LONG\s+AS\s+SELECT\s+)-?\d+(\s*;)"


def with_parameters(sql: str, values: Mapping[str, int]) -> str:
    """Replace constants of a query.

    Args:
        sql: the text of a query file.
        values: the new constants by name, without the prefix `tpt_`.

    Returns:
        The text with the new constants.

    Raises:
        UsageError: the file has no such parameter, or defines it more than once.
    """
    for name, value in values.items():
        pattern = re.compile(_DEFINITION.format(name=re.escape(name)))
        sql, count = pattern.subn(rf"\g<1>{value:d}\g<2>", sql)
        if count != 1:
            found = "no parameter" if count == 0 else f"{count} parameters"
            raise UsageError(f"the query has {found} named {name}.")
    return sql
