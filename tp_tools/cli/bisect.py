"""Find the commit that made a program slower: `tp-tools bisect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tp_tools.cli.options import (
    console_options,
    engine_option,
    judged_phase_option,
    limit_options,
    percentage,
    verdict_option,
)
from tp_tools.errors import UsageError

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.comparison.bisecting import Found

ROWS = 5
"""Rows of a table of the comparison at the end."""


class Options(Struct, frozen=True):
    """Options of the command line; see the help texts."""

    command: tuple[str, ...]
    good: str
    bad: str
    tree: Path
    build: str
    pattern: str
    runs: int
    warm_ups: int
    limit_s: float | None
    metric: str
    most: float | None
    retries: int
    in_turn: bool | None
    phase: str | None
    summary: str
    engine: str | None


@click.command("bisect", short_help="Find the commit that made a program slower.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--good", required=True, metavar="REV", help="A commit that is fast.")
@click.option(
    "--bad",
    default="HEAD",
    show_default=True,
    metavar="REV",
    help="A later one that is slow. pr/123 is the head of a pull request, for --good, too.",
)
@click.option(
    "-C",
    "tree",
    default=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The repository. Default: the current folder.",
)
@click.option(
    "--build", default="", metavar="LINE", help="Builds a commit: a line for sh. 'pip install -e .'"
)
@click.option(
    "--traces",
    "pattern",
    default="",
    metavar="GLOB",
    help="Where COMMAND writes its traces, in DIR. Default: it writes into $TP_TOOLS_TRACE_DIR.",
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Recordings of a commit.",
)
@click.option(
    "--warm-ups",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Runs before them that do not count.",
)
@click.option(
    "--run-timeout",
    "limit_s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Skip a commit whose build or run takes more than S seconds.",
)
@click.option(
    "--metric", default="step_time", show_default=True, metavar="M", help="As for `tp-tools gate`."
)
@click.option(
    "--max-regression",
    "most",
    callback=lambda _ctx, _param, value: None if value is None else percentage(value),
    metavar="PERCENT",
    help="From here on a commit is bad. Default: half of the difference between good and bad.",
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    metavar="N",
    help="Record N times more where noise hides the answer, before a commit is skipped.",
)
@click.option(
    "--in-turn/--in-blocks",
    default=None,
    help="Record a commit and the good one in turn, so that load that comes and goes hits both; "
    "or each commit once, all runs in a row. Default: in turn where there is no --build.",
)
@judged_phase_option
@verdict_option
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    command: tuple[str, ...],
    good: str,
    bad: str,
    tree: Path,
    build: str,
    pattern: str,
    runs: int,
    warm_ups: int,
    limit_s: float | None,
    metric: str,
    most: float | None,
    retries: int,
    in_turn: bool | None,  # noqa: FBT001  click passes flags by name
    phase: str | None,
    summary: str,
    engine: str | None,
    console: Console,
) -> None:
    """Find the first commit with which the steps of COMMAND take longer, by `git bisect`.

    Each commit is checked out, built, warmed and recorded --runs times; COMMAND writes its traces
    into $TP_TOOLS_TRACE_DIR. What does not build or run is skipped, and so is what noise hides
    after --retries. At the end the repository is as it was, and the first bad commit is printed
    with what it changed, kernel by kernel.

    \b
    Examples:
      tp-tools bisect --good v0.5.0 -- python bench.py
      tp-tools bisect --good v0.5.0 --bad pr/1234 --build 'pip install -e .' -- ./record.sh
    """
    recipe = (command, good, bad, tree, build, pattern, runs, warm_ups, limit_s)
    _run(Options(*recipe, metric, most, retries, in_turn, phase, summary, engine), console)


def _run(options: Options, console: Console) -> None:
    from tp_tools.comparison import bisecting, gating, reading  # noqa: PLC0415  not for --help
    from tp_tools.comparison.recorder import Recorder  # noqa: PLC0415
    from tp_tools.comparison.recording import Recipe  # noqa: PLC0415
    from tp_tools.comparison.repository import Repository  # noqa: PLC0415
    from tp_tools.files import temporary  # noqa: PLC0415
    from tp_tools.querying import LoadOptions  # noqa: PLC0415

    gating.check((options.metric,))
    if options.good == options.bad:
        raise UsageError("--good and --bad are the same commit.")
    repository = Repository(options.tree.resolve())
    repository.check_clean()
    selection = reading.Selection(
        phase=options.phase, modules=gating.needs_modules((options.metric,))
    )
    recipe = Recipe(
        options.command, options.build, options.pattern, options.warm_ups, options.limit_s
    )
    rules = bisecting.Rules(options.metric, options.most, options.retries)
    with temporary.folder() as folder, repository.kept():
        in_turn = not options.build if options.in_turn is None else options.in_turn
        record = Recorder(
            repository,
            recipe,
            options.runs,
            folder,
            LoadOptions(options.engine),
            console,
            selection,
            in_turn,
        )
        found = bisecting.bisect(
            repository,
            record,
            (repository.commit(options.good), repository.commit(options.bad)),
            rules,
            console,
        )
    console.over()
    if options.summary == "json":
        click.echo(json.dumps(found.as_object(), indent=2))
    else:
        _show(found)


def _show(found: Found) -> None:
    """Print the commit, how sure it is, and what it changed."""
    from tp_tools.cli.table import table  # noqa: PLC0415  numpy: not for --help
    from tp_tools.comparison import report  # noqa: PLC0415

    if len(found.suspects) > 1:
        click.echo("One of these commits; those between could not be judged:")
        for commit in found.suspects:
            click.echo(f"  {commit.short} {commit.subject}")
        return
    click.echo(f"{found.suspects[0].id} is the first bad commit: {found.suspects[0].subject}")
    if found.comparison is None or found.confidence is None:
        return
    click.echo(f"Against its parent: {found.confidence.lines()[0]}")
    if not found.is_sure:
        click.echo(
            "But that is no regression: noise, or load that came and went, misled the search. "
            "Bisect again on a quiet machine, with more --runs."
        )
    for line in report.headline(found.comparison):
        click.echo(line)
    for it in report.sections(found.comparison, ROWS):
        click.echo(f"\n{it.title}")
        for line in table(it.rows, 140).lines:
            click.echo(line)
