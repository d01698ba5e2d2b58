"""The library as a table in Markdown, from the headers of `sql/*.sql`."""

from __future__ import annotations

import re
from pathlib import Path

from tp_tools.library import header

SQL = Path(__file__).resolve().parents[1] / "sql"


def library_table() -> str:
    """A row per query: its name, what it answers, what a row is, whether it is about a rank."""
    rows = [
        "| query | answers | one row per | about |",
        "|---|---|---|---|",
        *(_row(path) for path in sorted(SQL.glob("*.sql"))),
    ]
    return "\n".join(rows) + "\n"


def _row(path: Path) -> str:
    said = header.parse(path.read_text("utf-8"), path.name)
    grain = said.grain.removeprefix("one row per ").partition(". ")[0].rstrip(".")
    scope = "a rank" if said.scope == "rank" else "the job"
    answers = said.answers[:1].upper() + said.answers[1:]
    cells = [f"[`{path.stem}`](../sql/{path.name})", _bare(answers), _bare(grain), scope]
    return f"| {' | '.join(cells)} |"


def _bare(text: str) -> str:
    """Without what would end a cell."""
    return re.sub(r"\s*\|\s*", " or ", text)
