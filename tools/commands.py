"""Write `docs/commands.md` from the help of the commands.

python -m tools.commands [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from click.testing import CliRunner

from tp_tools.cli.main import COMMANDS, group

TARGET = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
WIDTH = 88
"""Characters in a line of help."""

HEAD = """# Commands

This page is what `tp-tools --help` and `tp-tools COMMAND --help` print; `python -m tools.commands`
writes it. Results go to stdout, progress and messages to stderr. Work that takes long says on a
terminal what it is doing and, where that can be counted, how long it will still take; a pipe and
`--quiet` get nothing of it.

| exit code | means |
|---|---|
| 0 | fine |
| 1 | `--check` found something to repair; `gate` found a regression |
| 2 | usage: an unknown option, or SQL given with `-e` that TraceProcessor refuses |
| 3 | an input that cannot be used; two that `diff` or `compare` find too little alike |
| 4 | a result failed its own verification or could not be written, or an engine failed |
| 4 | `--timeout` was reached, memory ran out, or something happened that nobody expected |
| 125 | `gate` cannot tell: `git bisect run` skips the commit |
| 130, 143, 129, 131 | SIGINT (Ctrl-C; `view` ends with 0), SIGTERM, SIGHUP or SIGQUIT ended it |
| 141 | whoever read the output left, as of a program that SIGPIPE ends; nothing is said |

A signal ends a command at once, whatever it is doing: one line on stderr, no temporary file, no
process and no core file is left. What a killed process (SIGKILL, a lost machine) had to leave, the
next command removes that writes in the same folder. A signal that is ignored when the command
starts, as SIGHUP under `nohup`, stays ignored.

Outputs appear whole or not at all, by a rename. A named pipe or a device (`/dev/stdout`) is written
to as it is. `--force` replaces an earlier output, never an input. Large temporary files lie beside
the output, or in `$TMPDIR` where there is none; `--tmp` names another folder.
"""


def page() -> str:
    """Return the whole page, in Markdown."""
    return "\n".join([HEAD, _help(), *(_help(name) for name in COMMANDS)])


def _help(*command: str) -> str:
    done = CliRunner().invoke(
        group,
        [*command, "--help"],
        prog_name="tp-tools",
        terminal_width=WIDTH,
        max_content_width=WIDTH,
    )
    assert done.exit_code == 0, done.output
    return f"## {' '.join(['tp-tools', *command])}\n\n```text\n{done.output.rstrip()}\n```\n"


def main() -> int:
    """Write the page; with `--check` exit code 1 if it is out of date."""
    said, wanted = TARGET.read_text("utf-8") if TARGET.is_file() else "", page()
    if "--check" in sys.argv[1:]:
        sys.stdout.write("" if said == wanted else f"{TARGET.name}: python -m tools.commands\n")
        return int(said != wanted)
    TARGET.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
