"""Compare two recordings: `tp-tools diff`."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tp_tools.cli.options import (
    choice_options,
    complete_files,
    console_options,
    engine_option,
    limit_options,
    percentage,
)
from tp_tools.cli.prose import wrapped
from tp_tools.errors import InputError, UsageError

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.comparison import Comparison
    from tp_tools.engine import Rows
    from tp_tools.merging.rank_names import RankChoice

ROWS = 10
"""Rows of a table by default."""

_WIDTH = 140
"""Characters of a line where stdout is no terminal."""

_FIRST = ("name", "verdict", "diff_ns", "diff_percent", "a_ns", "b_ns")
"""The columns that answer, which a narrow terminal shows first."""


class Options(Struct, frozen=True):
    """Options of the command line; see the help texts."""

    a: str
    b: str
    choice: RankChoice
    form: str
    output: str
    force: bool
    phase: str | None
    exact: bool
    modules: bool
    rows: int
    show_all: bool
    least_change: float
    engine: str | None
    each: bool


@click.command("diff", short_help="Compare two recordings.")
@click.argument("a", shell_complete=complete_files)
@click.argument("b", shell_complete=complete_files)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "md", "html"]),
    default="table",
    show_default=True,
    help="json is one object; md is Markdown; html is a page with pictures.",
)
@click.option(
    "--output",
    "-o",
    default="-",
    metavar="OUT",
    shell_complete=complete_files,
    help="Where html goes. Default: stdout.",
)
@click.option("--force", is_flag=True, help="Replace an existing OUT.")
@click.option(
    "--each",
    is_flag=True,
    help="A and B hold recordings of one program, three or more, which are the samples; not ranks.",
)
@click.option(
    "--phase",
    metavar="NAME",
    help="Compare the steps of this phase (prefill, decode, ...). Default: the one that takes most "
    "time of those that both have.",
)
@click.option("--exact", is_flag=True, help="Tell kernels apart by their full names.")
@click.option("--modules", is_flag=True, help="Compare modules, too: loads the Python stacks.")
@click.option(
    "--rows", type=click.IntRange(0), default=ROWS, show_default=True, help="Rows of a table."
)
@click.option("--all", "show_all", is_flag=True, help="Show rows that are the same, too.")
@click.option(
    "--threshold",
    "least_change",
    default="2%",
    show_default=True,
    callback=lambda _ctx, _param, value: percentage(value),
    metavar="PERCENT",
    help="Relative change of a row below which it is within noise.",
)
@choice_options
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    a: str,
    b: str,
    form: str,
    output: str,
    force: bool,  # noqa: FBT001  click passes flags by name
    each: bool,  # noqa: FBT001
    phase: str | None,
    exact: bool,  # noqa: FBT001
    modules: bool,  # noqa: FBT001
    rows: int,
    show_all: bool,  # noqa: FBT001
    least_change: float,
    engine: str | None,
    choice: RankChoice,
    console: Console,
) -> None:
    """Say what became slower from A to B, by kernel, collective and cause of idle time.

    A and B are traces, folders of the ranks of a job, merges, or baselines of gate. Their steps are
    the samples: a difference counts where it stands out of their noise, corrected for the number of
    rows, and is 2 % or more. Kernels of one short name are one row. A kernel that another one
    replaced at its place in the launch sequence counts as renamed. Where too little is alike, it
    says why, with exit code 3.

    \b
    Examples:
      tp-tools diff before.json.gz after.json.gz
      tp-tools diff before/ after/ --format md
      tp-tools diff before/ after/ --format html -o diff.html
      tp-tools diff --each 'good*.json.gz' 'bad*.json.gz'
    """
    options = Options(
        a=a,
        b=b,
        choice=choice,
        form=form,
        output=output,
        force=force,
        phase=phase,
        exact=exact,
        modules=modules,
        rows=rows,
        show_all=show_all,
        least_change=least_change,
        engine=engine,
        each=each,
    )
    _run(options, console)


def _run(options: Options, console: Console) -> None:
    from tp_tools.comparison import Rules, comparing, reading, report  # noqa: PLC0415
    from tp_tools.files import output as outputs  # noqa: PLC0415
    from tp_tools.querying import LoadOptions  # noqa: PLC0415  not for --help

    if options.form != "html" and options.output != outputs.STDOUT:
        raise UsageError("-o is for --format html; redirect the others.")
    if options.form == "html":
        outputs.check(options.output, force=options.force, suffixes=outputs.PAGE_SUFFIXES)
    selection = reading.Selection(options.choice, options.phase, options.modules)
    how = LoadOptions(options.engine)
    a, b = reading.pair((options.a, options.b), selection, how, console, each=options.each)
    rules = Rules(least_change=options.least_change)
    found = comparing.compare(a, b, rules, exact=options.exact)
    found = reading.with_families(found, options.engine)
    console.over()
    if options.form == "json":
        click.echo(json.dumps(report.as_object(found), indent=2))
    elif options.form == "md":
        for line in report.markdown(found, options.rows, show_all=options.show_all):
            click.echo(line)
    elif options.form == "html":
        _write_page(found, options, console)
    else:
        _show(found, options)
    if found.cannot:
        raise click.exceptions.Exit(InputError.exit_code)


def _write_page(found: Comparison, options: Options, console: Console) -> None:
    """Write the page; say the headline and where the page is."""
    from tp_tools.comparison import report  # noqa: PLC0415
    from tp_tools.files import output as outputs  # noqa: PLC0415  not for --help
    from tp_tools.reporting import comparison_page  # noqa: PLC0415

    page = comparison_page.html(found, options.rows, show_all=options.show_all).encode()
    with outputs.written(options.output, [page]):
        pass
    for line in report.headline(found):
        console.say(line)
    if options.output != outputs.STDOUT:
        console.say(f"Wrote {options.output}. Open it in any browser.")


def _show(found: Comparison, options: Options) -> None:
    """Print the headline and the tables."""
    from tp_tools.comparison import report  # noqa: PLC0415

    for line in (*report.headline(found), *found.notes):
        click.echo(wrapped(line, sys.stdout))
    no_room: dict[str, None] = {}
    for it in report.sections(found, options.rows, show_all=options.show_all):
        click.echo(f"\n{it.title}")
        lines, left_out = _laid_out(it.rows)
        no_room |= dict.fromkeys(left_out)
        click.echo("\n".join(lines))
        if it.left_out:
            click.echo(f"({it.left_out:,} more: --rows)")
    if no_room:
        click.echo(wrapped(f"\nNo room for {', '.join(no_room)}: --format md has it.", sys.stdout))


def _laid_out(rows: Rows) -> tuple[list[str], list[str]]:
    """Return the lines of a table, and the columns without room: on a terminal, what answers first.

    Elsewhere times stay in ns.
    """
    from tp_tools.cli.table import table  # noqa: PLC0415  numpy: not for --help
    from tp_tools.cli.terminal_table import lay_out  # noqa: PLC0415
    from tp_tools.library import Header  # noqa: PLC0415

    if not sys.stdout.isatty():
        return table(rows, _WIDTH).lines, []
    header = Header("", "", "job", None, first=_FIRST)
    layout = lay_out(rows, header, shutil.get_terminal_size().columns, 0)
    return layout.lines, layout.left_out
