"""Repair one trace and say what was done, for `tp-tools fix`."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tp_tools.errors import UsageError
from tp_tools.repair.trace_file import FileOptions, Repaired, repair_file

if TYPE_CHECKING:
    from tp_tools.cli.console import Console

FOUND = 1
SHOWN = "Perfetto shows all of it"


class Options(Struct, frozen=True):
    """Options of the command line for one trace; see the help texts.

    Attributes:
        file: how the file is repaired.
        summary: whether its numbers are printed as JSON.
        ray: address of the Ray cluster that repairs several traces; None for this machine.
    """

    file: FileOptions
    summary: bool
    force: bool
    jobs: int | None
    open: bool
    ray: str | None = None


def run(options: Options, console: Console) -> None:
    """Repair a trace, say what was done, and exit with 1 where `--check` found something.

    Raises:
        click.exceptions.Exit: `--check` found something to repair.
        TpToolsError: as `repair`, or the options contradict each other.
    """
    from tp_tools.cli import process  # noqa: PLC0415  not for --help
    from tp_tools.files import output  # noqa: PLC0415

    if options.summary and options.file.output == output.STDOUT and not options.file.check:
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    process.give_back_memory()
    repaired = repair_file(options.file, console, force=options.force, jobs=options.jobs)
    if repaired is None:
        console.say(f"{options.file.trace}: {SHOWN}; nothing to repair, nothing written.")
        return
    _report(repaired, options, console)
    if options.file.check and not repaired.analysis.is_sound():
        raise click.exceptions.Exit(FOUND)


def _report(repaired: Repaired, options: Options, console: Console) -> None:
    from tp_tools.cli import fix_summary  # noqa: PLC0415
    from tp_tools.files.output import shown  # noqa: PLC0415

    if console.quiet and not options.summary:
        return
    numbers = repaired.numbers(options.file)
    for line in fix_summary.lines(repaired.analysis, numbers):
        console.say(line)
    if repaired.is_written:
        console.say(
            f"Wrote {shown(options.file.output)}" + (", verified." if options.file.verify else ".")
        )
    if (following := _next(repaired, options)) is not None:
        console.say(f"Next: {following}")
    if options.summary:
        click.echo(json.dumps(numbers))


def _next(repaired: Repaired, options: Options) -> str | None:
    """Return the command that most people run next; None where the names are not those of files."""
    if "-" in {options.file.trace, options.file.output} or options.open:
        return None
    if repaired.is_written:
        return f"tp-tools view {shlex.quote(options.file.output)}"
    return (
        None if repaired.analysis.is_sound() else f"tp-tools fix {shlex.quote(options.file.trace)}"
    )
