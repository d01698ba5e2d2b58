"""Judge a recording by a baseline, for CI and `git bisect run`: `tp-tools gate`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tp_tools.cli.options import (
    choice_options,
    complete_files,
    console_options,
    engine_option,
    judged_phase_option,
    limit_options,
    percentage,
    traces_argument,
    verdict_option,
)
from tp_tools.formatting import plural

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.merging.rank_names import RankChoice


class Options(Struct, frozen=True):
    """Options of the command line; see the help texts."""

    traces: tuple[str, ...]
    baseline: str
    most: float
    metrics: tuple[str, ...]
    choice: RankChoice
    phase: str | None
    each: bool
    update: bool
    summary: str
    engine: str | None


@click.command("gate", short_help="Judge a recording by a baseline.")
@traces_argument
@click.option(
    "--baseline",
    required=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="What to compare with: a baseline, or a trace or folder of ranks.",
)
@click.option(
    "--max-regression",
    "most",
    default="5%",
    show_default=True,
    callback=lambda _ctx, _param, value: percentage(value),
    metavar="PERCENT",
    help="How much worse a metric may be.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    default=("step_time",),
    show_default=True,
    metavar="M",
    help="step_time, gpu_busy, kernel:GLOB, module:GLOB, busbw, exposed_comm or launch_gap. "
    "Repeatable: the worst decides.",
)
@judged_phase_option
@click.option("--each", is_flag=True, help="Each TRACE is a recording of one program, not a rank.")
@click.option("--update", is_flag=True, help="Write FILE from TRACE, and judge nothing.")
@verdict_option
@choice_options
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    traces: tuple[str, ...],
    baseline: str,
    most: float,
    metrics: tuple[str, ...],
    phase: str | None,
    each: bool,  # noqa: FBT001  click passes flags by name
    update: bool,  # noqa: FBT001
    summary: str,
    engine: str | None,
    choice: RankChoice,
    console: Console,
) -> None:
    """Exit with 1 if TRACE is slower than a baseline, with 0 if not, with 125 if that is not known.

    TRACE is a trace, a folder of the ranks of a job, or a merge; several are ranks, or with --each
    recordings of one program. A metric regressed if it is more than --max-regression worse and that
    is no noise. 125 tells `git bisect run` to skip: noise is as large as what is asked for, too
    little is alike to be compared, or TRACE cannot be used.

    \b
    Examples:
      tp-tools gate good.json.gz --baseline perf.json --update
      tp-tools gate new.json.gz --baseline perf.json --max-regression 3%
      git bisect run sh -c './record.sh || exit 125; tp-tools gate t.json.gz --baseline p.json'
    """
    _run(
        Options(traces, baseline, most, metrics, choice, phase, each, update, summary, engine),
        console,
    )


def _run(options: Options, console: Console) -> None:
    from tp_tools.comparison import judged_traces  # noqa: PLC0415  not for --help
    from tp_tools.querying import LoadOptions  # noqa: PLC0415

    how = LoadOptions(options.engine)
    limit = judged_traces.Limit(options.baseline, options.metrics, options.most)
    recordings = judged_traces.Recordings(
        options.traces, options.each, options.choice, options.phase
    )
    if options.update:
        side = judged_traces.write_baseline(recordings, limit, how, console)
        console.say(f"Wrote {options.baseline}: {plural(side.samples, side.facts.unit)}.")
        return
    found = judged_traces.judge(recordings, limit, how, console)
    console.over()
    if options.summary == "json":
        click.echo(json.dumps(found.as_object(), indent=2))
    else:
        for line in found.lines():
            click.echo(line)
    if found.code:
        raise click.exceptions.Exit(found.code)
