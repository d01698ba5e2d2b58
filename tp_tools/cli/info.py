"""Describe a trace, its job, GPUs, streams, steps, collectives and defects: `tp-tools info`."""

from __future__ import annotations

import json
import sys
from functools import partial
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
from tp_tools.cli.prose import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.cli.console import Console
    from tp_tools.inspection import TraceInfo
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.progress import Recorder, Reporter
    from tp_tools.querying import LoadOptions

_LABEL = 13
"""Characters of the label before a fact, and of the spaces around it."""


@click.command("info", short_help="Say what is in a trace.")
@traces_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json is an array with an object per trace.",
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
    """Say what is in each TRACE: its job, GPUs, streams, steps, collectives and defects.

    TRACE is a file, a folder, a glob or a URL; - is stdin. What is no Chrome JSON is loaded into
    TraceProcessor first, which takes longer.

    \b
    Examples:
      tp-tools info rank0.json.gz
      tp-tools info traces/ --format json
    """
    _run(TraceOptions(traces, choice, form, engine, cluster), console)


def _run(options: TraceOptions, console: Console) -> None:
    from tp_tools.inspection import facts  # noqa: PLC0415  not for --help

    objects = []
    is_first = True
    for info in _described(options, console):
        if options.form == "json":
            objects.append(info.as_object())
            continue
        if not is_first:
            click.echo()
        is_first = False
        for line in facts.lines(info):
            click.echo(wrapped(line, sys.stdout, _LABEL))
    if options.form == "json":
        click.echo(json.dumps(objects, indent=2))


def _described(options: TraceOptions, console: Console) -> Iterator[TraceInfo]:
    """Describe each trace, here or on a cluster."""
    from tp_tools.merging import job_files  # noqa: PLC0415  not for --help
    from tp_tools.merging.failed_ranks import FailedRanks  # noqa: PLC0415
    from tp_tools.processes.pool import ALONE  # noqa: PLC0415
    from tp_tools.processes.worker import FileCall  # noqa: PLC0415
    from tp_tools.querying import LoadOptions  # noqa: PLC0415

    how = LoadOptions(options.engine)
    with options.cluster.workers(console) as workers:
        pool = workers.pool or ALONE
        files = job_files.list_files(options.traces, options.choice, console, pool)
        failed = FailedRanks(len(files), workers.skips_failed)
        calls = (
            FileCall(partial(describe_file, it, how, workers.reporter(console)), inputs=(it,))
            for it in files
        )
        for name, outcome in zip(files, workers.outcomes(calls), strict=True):
            if (described := failed.result(outcome, name)) is not None:
                info, lines = described
                lines.tell(console)
                console.over()
                yield info
        failed.tell(console)


def describe_file(name: str, how: LoadOptions, reporter: Reporter) -> tuple[TraceInfo, Recorder]:
    """Describe a trace by its name, maybe on another machine.

    Returns:
        The description, and lines that nobody has reported yet.
    """
    from tp_tools.files import open_source  # noqa: PLC0415  not for --help
    from tp_tools.inspection import trace_info  # noqa: PLC0415
    from tp_tools.progress import unreported  # noqa: PLC0415

    with open_source(name) as source:
        info = trace_info.describe(source, how, reporter)
    return info, unreported(reporter)
