"""Write the table of rules into `docs/diagnose.md`, from `tp_tools.diagnosis.rules`.

python -m tools.rules_table [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tp_tools.diagnosis.rules import ALL

TARGET = Path(__file__).resolve().parents[1] / "docs" / "diagnose.md"
_TABLE = re.compile(r"(?<=\n)(?:\|[^\n]*\n)*<!-- end of rules -->")


def table() -> str:
    """Make the table: a row per rule."""
    rows = [
        "| kind | speaks up from | its cost | where the threshold comes from |",
        "|---|---|---|---|",
        *(
            f"| {rule.kind} | {rule.min_percent:g} % | {rule.counts} | {rule.source} |"
            for rule in ALL
        ),
    ]
    return "\n".join(rows) + "\n"


def with_table(page: str) -> str:
    """Put the table before its comment."""
    return _TABLE.sub(lambda _: f"{table()}<!-- end of rules -->", page)


def main() -> int:
    """Write the page; with `--check` exit with 1 if it is out of date."""
    page = TARGET.read_text("utf-8")
    if "--check" in sys.argv[1:]:
        return int(with_table(page) != page)
    TARGET.write_text(with_table(page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
