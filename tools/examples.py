"""Run the examples of `docs/*.md` and write down what they print.

    python -m tools.examples [--check] [PAGE...]

An example is a fenced block

    ```console
    $ tp-tools query kernels fixtures/pdl_decode.json.gz
    what it prints
    ```

It runs in a folder of its own, which holds `fixtures/`; where the page names one of their folders,
what `python -m fixtures.samples` writes; the recorded traces of `../shared/traces`, where they are
there; and every block of SQL of its page that has a title, as a file of that name. A block about a
trace that is not there stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from fixtures import samples
from tp_tools.cli.main import group

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
RECORDED = ROOT / "../shared/traces"
ENVIRONMENT = {"COLUMNS": "92", "TP_TOOLS_ENGINE": None}
EXPECTED = {0, 1}
"""Exit codes: fine, and found something to repair."""

_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SQL = re.compile(r'^```sql title="(\w+\.sql)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.+)\n", re.MULTILINE)
_TRACE = re.compile(r"\w+_rank\d\.json\.gz")


def pages() -> list[Path]:
    """List the pages that hold examples."""
    return [it for it in sorted(DOCS.glob("*.md")) if _CONSOLE.search(it.read_text("utf-8"))]


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Make the folder in which examples run, and remove it after the block."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "fixtures", folder / "fixtures")
        for recorded in RECORDED.glob("*.json.gz"):
            (folder / recorded.name).symlink_to(recorded.resolve())
        yield folder


def written(page: Path, folder: Path) -> tuple[str, list[str]]:
    """Return the page with the present output of its examples, and the missing recorded traces."""
    text = page.read_text("utf-8")
    if any(f" {name}/" in text for name in samples.FOLDERS):
        samples.write(folder)
    for name, sql in _SQL.findall(text):
        (folder / name).write_text(sql, "utf-8")
    missing: set[str] = set()

    def now(block: re.Match[str]) -> str:
        lines = _COMMAND.findall(block[1])
        lost = {it for line in lines for it in shlex.split(line) if _is_lost(it, folder)}
        if lost:
            missing.update(lost)
            return block[0]
        printed = "".join(f"$ {line}\n{_output(line, folder)}" for line in lines)
        return f"```console\n{printed}```"

    return _CONSOLE.sub(now, text), sorted(missing)


def _is_lost(argument: str, folder: Path) -> bool:
    return _TRACE.fullmatch(argument) is not None and not (folder / argument).exists()


def _output(line: str, folder: Path) -> str:
    program, *arguments = shlex.split(line)
    assert program == "tp-tools", f"examples run tp-tools, not {program}"
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(group, arguments, prog_name=program, env=ENVIRONMENT)
    finally:
        os.chdir(before)
    if done.exit_code not in EXPECTED:
        raise RuntimeError(f"{line}: {done.output}") from done.exception
    lines = [text.rstrip() for text in done.output.rstrip("\n").split("\n")]
    return "\n".join(lines) + "\n" if done.output else ""


def main() -> int:
    """Write the pages; with `--check` exit code 1 if an example prints something else."""
    check = "--check" in sys.argv[1:]
    named = [DOCS / name for name in sys.argv[1:] if name.endswith(".md")]
    stale = 0
    for page in named or pages():
        with workplace() as folder:
            text, missing = written(page, folder)
        for it in missing:
            sys.stderr.write(f"{page.name}: left as they are: examples about {it}\n")
        if text == page.read_text("utf-8"):
            continue
        stale += 1
        sys.stdout.write(f"{page.name}: {'out of date' if check else 'written'}\n")
        if not check:
            page.write_text(text, "utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
