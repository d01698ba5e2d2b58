"""Say what made a trace slow: `tp-tools diagnose`."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

import click

from tp_tools.cli.cluster import ClusterOptions, cluster_options
from tp_tools.cli.options import (
    TraceOptions,
    choice_options,
    console_options,
    engine_option,
    limit_options,
    traces_argument,
)

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.merging.rank_names import RankChoice

_WIDTH = 100
_NARROWEST = 40


@click.command("diagnose", short_help="Say what made a trace slow.")
@traces_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "md"]),
    default="text",
    show_default=True,
    help="json is one object; md is Markdown.",
)
@choice_options
@cluster_options
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    traces: tuple[str, ...],
    form: str,
    engine: str | None,
    cluster: ClusterOptions,
    choice: RankChoice,
    console: Console,
) -> None:
    """Say what made TRACE slow: at most five findings, each with its cost in GPU time.

    TRACE is a file, a folder, a glob or a URL; - is stdin. Several traces are the ranks of a job,
    of which it says who is waited for, too. Each finding has the row of the query that it comes
    from, a place in the timeline, and the next step; where the numbers carry less than they seem
    to, it says so. No time is counted twice.

    \b
    Examples:
      tp-tools diagnose rank0.json.gz
      tp-tools diagnose traces/ --format md
    """
    _run(TraceOptions(traces, choice, form, engine, cluster), console)


def _run(options: TraceOptions, console: Console) -> None:
    from tp_tools.diagnosis import collect, judge, text  # noqa: PLC0415
    from tp_tools.merging import job_files  # noqa: PLC0415  not for --help
    from tp_tools.processes.pool import ALONE  # noqa: PLC0415
    from tp_tools.querying import LoadOptions  # noqa: PLC0415

    with options.cluster.workers(console) as workers:
        job = job_files.find(options.traces, options.choice, pool=workers.pool or ALONE)
        job.say_left_out(console)
        numbers = collect(job.files, LoadOptions(options.engine), console, workers)
    diagnosis = judge(numbers)
    console.over()
    if options.form == "json":
        click.echo(json.dumps(diagnosis.as_object(), indent=2))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    view = _view_command(options)
    plain = text.plain(diagnosis, max(min(width, _WIDTH), _NARROWEST), view)
    for line in plain if options.form == "text" else text.markdown(diagnosis, view):
        click.echo(line)


def _view_command(options: TraceOptions) -> str | None:
    """Return the command that opens what was judged; None where that came from stdin."""
    if "-" in options.traces:
        return None
    chosen = (("--profile", options.choice.profile), ("--stage", options.choice.stage))
    words = [word for option, value in chosen if value is not None for word in (option, value)]
    return shlex.join(["tp-tools", "view", *options.traces, *words])
