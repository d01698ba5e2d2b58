"""Hold a trace of Kineto against an export of Nsight Systems: `tp-tools compare`."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import click

from tp_tools.cli.options import complete_files, console_options, engine_option, limit_options
from tp_tools.cli.prose import wrapped
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.crosscheck.model import CrossCheck

ROWS = 20
"""Rows of a table by default."""

_WIDTH = 140


@click.command("compare", short_help="Hold a trace of PyTorch against one of Nsight Systems.")
@click.argument("kineto", shell_complete=complete_files)
@click.argument("nsys", shell_complete=complete_files)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json is one object.",
)
@click.option(
    "--rank",
    type=click.IntRange(0),
    metavar="N",
    help="Of several ranks in a file, this one. Default: the rank that the other file names.",
)
@click.option(
    "--rows", type=click.IntRange(0), default=ROWS, show_default=True, help="Rows of a table."
)
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    kineto: str,
    nsys: str,
    form: str,
    rank: int | None,
    rows: int,
    engine: str | None,
    console: Console,
) -> None:
    """Say which kernels one profiler has and the other lacks, and hold their durations together.

    KINETO is a trace of PyTorch, NSYS an SQLite export of Nsight Systems: two runs of one workload.
    Their kernels are matched in the order of launch, by name, grid, block, registers and shared
    memory; steps and other annotations that both have say where to begin. Each kernel that one
    lacks is counted, with the known loss that explains it. Where too few match, or graphs hide
    their kernels, it says so, with exit code 3.

    \b
    Examples:
      tp-tools compare rank0.json.gz report.sqlite
      tp-tools compare rank0.json.gz report.sqlite --format json
    """
    from tp_tools.crosscheck import api, report  # noqa: PLC0415  not for --help

    found = api.compare_files(kineto, nsys, rank, engine, console)
    console.over()
    if form == "json":
        click.echo(json.dumps(report.as_object(found), indent=2))
    else:
        _show(found, rows)
    if found.cannot:
        raise click.exceptions.Exit(InputError.exit_code)


def _show(found: CrossCheck, rows: int) -> None:
    """Print the lines and the table."""
    from tp_tools.cli.table import table  # noqa: PLC0415  numpy: not for --help
    from tp_tools.crosscheck import report  # noqa: PLC0415

    for line in (*report.headline(found), *found.notes):
        click.echo(wrapped(line, sys.stdout))
    lines = list(report.loss_lines(found))
    if lines:
        click.echo("\nWhat is missing, and why")
    for line in lines:
        click.echo(wrapped(line, sys.stdout))
    durations = report.durations(found, rows)
    if durations.rows:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
        click.echo("\nDurations of kernels that are in both; ratio: Nsight Systems over Kineto")
        for line in table(durations, width).lines:
            click.echo(line)
        if len(found.durations) > rows:
            click.echo(f"({len(found.durations) - rows:,} more: --rows)")
