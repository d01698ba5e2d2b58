"""Make TraceProcessor know the texts that a script compares by `!=`, so that it answers right.

Perfetto v52 returns wrong rows for `category != 'zz'`, or ends in a crash, where the text occurs
nowhere in the trace and the column has NULLs: it takes the filter for `IS NOT NULL`, and then rows
of the column without NULLs for rows of the table. A text that any Perfetto table has held is known
from then on. `IS NOT`, `NOT IN` and numbers are not affected.

Source: tried in v52.0, embedded.
"""

from __future__ import annotations

import re

_NOT_EQUAL = re.compile("!=|<>")
_TOKEN = re.compile(r"""--[^\n]*|/\*.*?\*/|"[^"]*"|(?P<text>'(?:[^']|'')*')""", re.DOTALL)
_NAMING = """
CREATE OR REPLACE PERFETTO TABLE _tpt_text AS
WITH named(text) AS (VALUES $texts) SELECT text FROM named;
DROP TABLE _tpt_text;
"""


def naming_texts(sql: str) -> str:
    """Return a script after which TraceProcessor knows the texts of a script; "" if none needs it.

    Args:
        sql: one or several statements.
    """
    if not _NOT_EQUAL.search(sql):
        return ""
    texts = dict.fromkeys(it["text"] for it in _TOKEN.finditer(sql) if it["text"])
    if not texts:
        return ""
    return _NAMING.replace("$texts", ", ".join(f"({text})" for text in texts))
