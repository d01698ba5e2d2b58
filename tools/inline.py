"""Writes what is generated into `sql/*.sql` and `docs/sql.md`: `python -m tools.inline [--check]`.

A `.sql` file runs as it is wherever it is pasted, so definitions that several files need stand in
each of them. They live once, in `sql/shared/NAME.sql`; cog copies them between the markers

    -- [[[cog shared("NAME") ]]]
    -- [[[end]]]
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

from cogapp import Cog

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT / "sql" / "shared"
NEEDED_FIRST = {
    "gpu_slice": ("process_rank", "row", "collective_kind"),
    "gpu_state": ("gpu_slice",),
    "launch": ("process_rank", "row"),
    "step": ("process_rank", "row"),
    "collective_part": ("gpu_slice", "collective"),
    "collective_match": ("collective_part",),
    "collective_window": ("collective_match",),
}
"""What a shared definition uses of others."""

PROLOGUE = """
import cog
from tools import inline
from tools.sql_table import library_table
def shared(*names): cog.out(inline.text(*names))
def table(): cog.out(library_table())
"""


def text(*names: str) -> str:
    """The definitions of these names and of all that they need, each once."""
    parts = [(SHARED / f"{name}.sql").read_text("utf-8").strip() for name in _in_order(names)]
    return "\n" + "\n\n".join(parts) + "\n\n"


def _in_order(names: tuple[str, ...]) -> list[str]:
    order: list[str] = []
    for name in names:
        order += [n for n in _in_order(NEEDED_FIRST.get(name, ())) if n not in order]
        order += [name] if name not in order else []
    return order


def targets() -> list[Path]:
    """The files that hold generated text."""
    marked = re.compile(r"\[\[\[cog ")
    files = [*sorted((ROOT / "sql").glob("*.sql")), ROOT / "docs" / "sql.md"]
    return [path for path in files if marked.search(path.read_text("utf-8"))]


def run(*, check: bool, files: list[Path]) -> tuple[bool, str]:
    """Runs cog over the files.

    Args:
        check: change nothing.
        files: files with markers.

    Returns:
        Whether they were all up to date already (or now are, without `check`), and what cog said.
    """
    said = io.StringIO()
    arguments = ["cog", "-p", PROLOGUE, "--check" if check else "-r", *map(str, files)]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = Cog().main(arguments)
    return status == 0, said.getvalue()


def main() -> int:
    """Exit code 1 if `--check` found a file that is out of date, or cog failed."""
    good, said = run(check="--check" in sys.argv[1:], files=targets())
    sys.stdout.write(said)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
