"""Repair one trace and say what was done, for `tp-tools fix`."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tp_tools.errors import UsageError
from tp_tools.repair.trace_file import FileOptions, Repaired, repair

if TYPE_CHECKING:
    from tp_tools.cli.console import Console

FOUND = 1
SHOWN = "Perfetto shows all of it"


@dataclass(frozen=True)
class Options:
    """Options of the command line for one trace; see the help texts.

    Attributes:
        file: how the file is repaired.
        summary: whether its numbers are printed as JSON.
    """

    file: FileOptions
    summary: bool
    force: bool
    jobs: int | None
    open: bool


def run(options: Options, console: Console) -> None:
    """Repair a trace, say what was done, and exit with 1 where `--check` found something.

    Raises:
        click.exceptions.Exit: `--check` found something to repair.
        TpToolsError: as `repair`, or the options contradict each other.
    """
    # numpy, msgspec: not for --help
    from tp_tools.chrome import batch_pool, reading_jobs  # noqa: PLC0415
    from tp_tools.cli import process  # noqa: PLC0415
    from tp_tools.files import (  # noqa: PLC0415
        open_source,
        output,
        temporary,
    )
    from tp_tools.files.foreign import refuse_foreign  # noqa: PLC0415
    from tp_tools.files.missing import refuse_missing  # noqa: PLC0415

    if options.summary and options.file.output == output.STDOUT and not options.file.check:
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    if not options.file.check:
        output.check(options.file.output, force=options.force)
        output.refuse_input(options.file.output, [options.file.trace])
    refuse_missing(options.file.trace)
    refuse_foreign(options.file.trace, by_perfetto=False)
    if options.file.short_names and options.file.check:
        raise UsageError("--check writes nothing: leave out --short-names.")
    jobs = options.jobs or reading_jobs()
    process.give_back_memory()
    beside = None if options.file.check else output.folder_of(options.file.output)
    with (
        temporary.in_folder(beside),
        open_source(options.file.trace) as source,
        batch_pool(source, jobs) as pool,
    ):
        repaired = repair(source, options.file, console, pool)
    if repaired is None:
        console.say(f"{options.file.trace}: {SHOWN}; nothing to repair, nothing written.")
        return
    _report(repaired, options, console)
    if options.file.check and not repaired.analysis.is_sound():
        raise click.exceptions.Exit(FOUND)


def _report(repaired: Repaired, options: Options, console: Console) -> None:
    from tp_tools.cli import fix_summary  # noqa: PLC0415

    if console.quiet and not options.summary:
        return
    numbers = repaired.numbers(options.file)
    for line in fix_summary.lines(repaired.analysis, numbers):
        console.say(line)
    if repaired.is_written:
        console.say(
            f"Wrote {options.file.output}" + (", verified." if options.file.verify else ".")
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
