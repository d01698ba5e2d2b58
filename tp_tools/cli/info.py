"""Describe a trace, its job, GPUs, streams, steps, collectives and defects: `tp-tools info`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

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
    from tp_tools.cli.console import Console
    from tp_tools.merging.rank_names import RankChoice

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
@engine_option
@limit_options
@console_options
def command(
    traces: tuple[str, ...], form: str, engine: str | None, choice: RankChoice, console: Console
) -> None:
    """Say what is in each TRACE: its job, GPUs, streams, steps, collectives and defects.

    TRACE is a file, a folder, a glob or a URL; - is stdin. What is no Chrome JSON is loaded into
    TraceProcessor first, which takes longer.

    \b
    Examples:
      tp-tools info rank0.json.gz
      tp-tools info traces/ --format json
    """
    _run(TraceOptions(traces, choice, form, engine), console)


def _run(options: TraceOptions, console: Console) -> None:
    from tp_tools.files import open_source  # noqa: PLC0415
    from tp_tools.inspection import facts, trace_info  # noqa: PLC0415
    from tp_tools.merging import job_files  # noqa: PLC0415  not for --help
    from tp_tools.querying import LoadOptions  # noqa: PLC0415

    how = LoadOptions(options.engine)
    files = job_files.list_files(options.traces, options.choice, console)
    objects = []
    for number, name in enumerate(files):
        with open_source(name) as source:
            info = trace_info.describe(source, how, console)
        console.over()
        if options.form == "json":
            objects.append(info.as_object())
            continue
        if number:
            click.echo()
        for line in facts.lines(info):
            click.echo(wrapped(line, sys.stdout, _LABEL))
    if options.form == "json":
        click.echo(json.dumps(objects, indent=2))
