"""Make one page of tables and plots of a job's traces: `tp-tools report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click
from msgspec import Struct

from tp_tools.cli.cluster import ClusterOptions, cluster_options
from tp_tools.cli.options import (
    capture_option,
    choice_options,
    complete_files,
    console_options,
    engine_option,
    limit_options,
    traces_argument,
)
from tp_tools.files.default_output import REPORT, in_current_folder

if TYPE_CHECKING:
    from tp_tools.alignment.alignment import Mode
    from tp_tools.cli.console import Console
    from tp_tools.merging.rank_names import RankChoice


class Options(Struct, frozen=True):
    """Options of the command line; see the help texts."""

    traces: tuple[str, ...]
    choice: RankChoice
    output: str
    align: Mode
    force: bool
    engine: str | None
    captures: tuple[str, ...]
    jobs: int | None
    cluster: ClusterOptions


@click.command("report", short_help="Make one page of tables and plots.")
@traces_argument
@click.option(
    "--output",
    "-o",
    metavar="OUT",
    shell_complete=complete_files,
    help="Where to write: .html; - is stdout. Default: NAME.report.html in the current folder.",
)
@click.option(
    "--align",
    type=click.Choice(["auto", "collectives", "base", "none"]),
    default="auto",
    show_default=True,
    help="The common clock of several ranks, as for `tp-tools merge`.",
)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1),
    help="Processes that work on a large trace, or on the ranks of a job. Default: one per core, "
    "up to 4.",
)
@click.option("--force", is_flag=True, help="Replace an existing OUT.")
@capture_option
@choice_options
@cluster_options
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    traces: tuple[str, ...],
    output: str | None,
    align: str,
    force: bool,  # noqa: FBT001  click passes flags by name
    captures: tuple[str, ...],
    engine: str | None,
    jobs: int | None,
    cluster: ClusterOptions,
    choice: RankChoice,
    console: Console,
) -> None:
    """Make a page of what each TRACE says: one file, which needs no network.

    TRACE is a file, a folder, a glob or a URL; - is stdin. Several traces are the ranks of a job.
    The page shows where GPU time went, top kernels, gaps with their causes, steps, who came late to
    collectives and how fast these were, what Perfetto would have hidden, and how well the ranks'
    clocks agree. Its numbers are those of `tp-tools query`. It wants plotly and Jinja2: pip install
    plotly jinja2.

    \b
    Examples:
      tp-tools report rank0.json.gz
      tp-tools report traces/ -o report.html --force
    """
    output = output or in_current_folder(traces, REPORT)
    mode = cast("Mode", align)
    options = Options(traces, choice, output, mode, force, engine, captures, jobs, cluster)
    _run(options, console)


def _run(options: Options, console: Console) -> None:
    from tp_tools.files import output, temporary  # noqa: PLC0415
    from tp_tools.files.sources import kept_sources, source_of  # noqa: PLC0415
    from tp_tools.merging import job_files  # noqa: PLC0415  not for --help
    from tp_tools.processes.pool import ALONE  # noqa: PLC0415
    from tp_tools.reporting import (  # noqa: PLC0415
        build,
        collect,
        plots,
        templates,
    )

    output.check(options.output, force=options.force, suffixes=output.PAGE_SUFFIXES)
    plots.graph_objects()  # before any work is done
    templates.environment()
    with (
        options.cluster.workers(console) as workers,
        temporary.in_folder(output.folder_of(options.output)),
        kept_sources() as kept,
    ):
        sources = kept.of if workers.pool is None else source_of
        pool = workers.pool or ALONE
        job = job_files.find(options.traces, options.choice, sources=sources, pool=pool)
        output.refuse_input(options.output, job.files)
        job.say_left_out(console)
        how = (options.engine, options.align, console, options.captures)
        data = collect(job.files, *how, kept=kept, workers=workers, jobs=options.jobs)
    with console.stage("drawing"):
        page = build.html(data).encode()
    with output.written(options.output, [page]):
        pass
    if options.output != output.STDOUT:
        console.say(f"Wrote {options.output}: {len(page) / 1e6:.1f} MB. Open it in any browser.")
