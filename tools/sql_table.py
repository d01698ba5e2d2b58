"""Write the table of queries into `docs/sql.md`, from the headers of `sql/*.sql`.

python -m tools.sql_table [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tp_tools import library

TARGET = Path(__file__).resolve().parents[1] / "docs" / "sql.md"
_TABLE = re.compile(r"(?<=<!-- queries -->\n).*?(?=<!-- end of queries -->)", re.DOTALL)


def library_table() -> str:
    """Return a table with a row per query: name, question, meaning of a row, scope."""
    rows = [
        "| query | answers | one row per | about |",
        "|---|---|---|---|",
        *(_row(path) for path in library.queries().values()),
    ]
    return "\n".join(rows) + "\n"


def _row(path: Path) -> str:
    said = library.parse(path.read_text("utf-8"), path.name)
    grain = said.grain.removeprefix("one row per ").partition(". ")[0].rstrip(".")
    scope = "a rank" if said.scope == "rank" else "the job"
    answers = said.answers[:1].upper() + said.answers[1:]
    cells = [f"[`{path.stem}`](../sql/{path.name})", _bare(answers), _bare(grain), scope]
    return f"| {' | '.join(cells)} |"


def _bare(text: str) -> str:
    """Replace characters that would end a cell."""
    return re.sub(r"\s*\|\s*", " or ", text)


def with_table(page: str) -> str:
    """Return the page with the current table between its two comments."""
    return _TABLE.sub(lambda _: library_table(), page)


def main() -> int:
    """Write the page; with `--check` exit code 1 if it is out of date."""
    page = TARGET.read_text("utf-8")
    if "--check" in sys.argv[1:]:
        return int(with_table(page) != page)
    TARGET.write_text(with_table(page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
