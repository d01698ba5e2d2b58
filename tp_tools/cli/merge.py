"""Merge all ranks of a job into one trace, on one clock: `tp-tools merge`."""

from __future__ import annotations

import dataclasses
import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from tp_tools.cli.default_output import in_current_folder
from tp_tools.cli.options import (
    choice_options,
    complete_files,
    console_options,
    engine_option,
    limit_options,
    milliseconds,
)
from tp_tools.errors import UsageError
from tp_tools.files import temporary

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.alignment.alignment import Mode
    from tp_tools.cli.console import Console
    from tp_tools.merging import MergeOptions, MergePlan
    from tp_tools.merging.job_files import JobFiles
    from tp_tools.merging.output import Counts
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.merging.write_rank import Form
    from tp_tools.processes import Pool


@dataclass(frozen=True)
class Options:
    """Options of the command line; see the help texts."""

    inputs: tuple[str, ...]
    output: str
    align: Mode
    choice: RankChoice
    gpu_only: bool
    excluded: frozenset[str]
    start_ns: int | None
    end_ns: int | None
    links: bool
    short_names: bool
    jobs: int | None
    form: str
    verify: bool
    summary: bool
    force: bool
    engine: str | None


@click.command("merge", short_help="Merge all ranks of a job.")
@click.argument(
    "inputs", nargs=-1, required=True, metavar="INPUT...", shell_complete=complete_files
)
@click.option(
    "--output",
    "-o",
    metavar="OUT",
    shell_complete=complete_files,
    help="Where to write; - is stdout. Default: FOLDER.merged.json.gz in the current folder.",
)
@click.option(
    "--align",
    type=click.Choice(["auto", "collectives", "base", "none"]),
    default="auto",
    show_default=True,
    help="The common clock. auto: fitted to common collectives where there are enough, else base "
    "times; collectives: insists on them; base: base times; none: times as they are written.",
)
@click.option("--gpu-only", is_flag=True, help="Only what runs on GPUs, with its annotations.")
@click.option(
    "--exclude",
    "excluded",
    multiple=True,
    metavar="CAT",
    help="Leave out a category, such as python_function; may be repeated.",
)
@click.option(
    "--start", "start_ns", type=milliseconds, metavar="MS", help="Only what ends after this time."
)
@click.option(
    "--end",
    "end_ns",
    type=milliseconds,
    metavar="MS",
    help="Only what begins before this time. Both count from the first event of all ranks.",
)
@click.option("--no-links", is_flag=True, help="No arrows between the ranks of a collective.")
@click.option(
    "--short-names",
    is_flag=True,
    help="Give kernels names that can be read, the same on all ranks; args keep the full ones "
    "(tpt_name).",
)
@click.option("--allow-missing", is_flag=True, help="Go on where ranks of the job have no file.")
@choice_options
@click.option("--jobs", "-j", type=click.IntRange(1), help="Ranks worked on at a time.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["trace", "archive"]),
    default="trace",
    show_default=True,
    help="archive: a zip of the repaired ranks on one clock, a machine each, for Perfetto v58 and "
    "later.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Of an archive: load every rank that was written, and prove that it holds all that was "
    "recorded.",
)
@click.option("--summary", type=click.Choice(["json"]), help="Print the summary as JSON on stdout.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    inputs: tuple[str, ...],
    output: str | None,
    align: str,
    gpu_only: bool,  # noqa: FBT001  click passes flags by name
    excluded: tuple[str, ...],
    start_ns: int | None,
    end_ns: int | None,
    no_links: bool,  # noqa: FBT001
    short_names: bool,  # noqa: FBT001
    allow_missing: bool,  # noqa: FBT001
    jobs: int | None,
    form: str,
    verify: bool,  # noqa: FBT001
    summary: str | None,
    force: bool,  # noqa: FBT001
    engine: str | None,
    choice: RankChoice,
    console: Console,
) -> None:
    """Merge the ranks of a job: each repaired as by fix, all on one clock.

    INPUT: traces, folders or globs, in any order. The rank of a file is that of its
    distributedInfo, or that in its name.

    \b
    Examples:
      tp-tools merge traces/
      tp-tools merge 'run7/*TP-*.json.gz' -o all.json.gz --gpu-only
      tp-tools merge traces/ -o step.json.gz --start 1200 --end 1350 --exclude python_function
    """
    options = Options(
        inputs,
        output or in_current_folder(inputs, _SUFFIX_OF[form]),
        cast("Mode", align),
        dataclasses.replace(choice, allow_missing=allow_missing),
        gpu_only,
        frozenset(excluded),
        start_ns,
        end_ns,
        not no_links,
        short_names,
        jobs,
        form,
        verify,
        summary == "json",
        force,
        engine,
    )
    _run(options, console)


_SUFFIX_OF = {"archive": ".merged.zip", "trace": ".merged.json.gz"}


def _check(options: Options) -> None:
    """Raise UsageError where options contradict each other."""
    if options.summary and options.output == "-":
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    start, end = options.start_ns, options.end_ns
    if start is not None and end is not None and start >= end:
        raise UsageError("--start is not before --end: nothing would be left.")
    selects = options.gpu_only or options.excluded or (start, end) != (None, None)
    if options.form == "archive" and selects:
        raise UsageError("--format archive holds the ranks whole; it cannot select events.")
    if options.verify and options.form != "archive":
        raise UsageError(
            "--verify is for --format archive. tp-tools fix --check tells whether Perfetto shows "
            "all of a merged trace."
        )


def _merge_options(options: Options) -> MergeOptions:
    """Return the options that the merge itself takes."""
    from tp_tools.merging import MergeOptions  # noqa: PLC0415  numpy and msgspec: not for --help

    return MergeOptions(
        align=options.align,
        choice=options.choice,
        gpu_only=options.gpu_only,
        excluded=options.excluded,
        start_ns=options.start_ns,
        end_ns=options.end_ns,
        links=options.links,
        engine=options.engine,
        short_names=options.short_names,
    )


def _run(options: Options, console: Console) -> None:
    from tp_tools.files import output  # noqa: PLC0415  not for --help
    from tp_tools.files.source import disk_size  # noqa: PLC0415
    from tp_tools.merging.preparation import files, rank_pool  # noqa: PLC0415

    _check(options)
    suffixes = (".zip",) if options.form == "archive" else output.SUFFIXES
    output.check(options.output, force=options.force, suffixes=suffixes)
    with temporary.in_folder(output.folder_of(options.output)), temporary.folder() as folder:
        traces = files(options.inputs, options.output, options.choice)
        traces.say_left_out(console)
        size = disk_size(traces.files)
        with rank_pool(options.jobs, options.engine, size) as pool:
            plan = _merge(traces, size, options, console, pool, folder=folder)
            counts = _write(plan, options, console, pool, size)
    _report(plan, counts, options, console)


def _merge(
    traces: JobFiles, size: int, options: Options, console: Console, pool: Pool, *, folder: Path
) -> MergePlan:
    """Read the ranks and put them on one clock; `size` is that of their files in bytes."""
    from tp_tools.cli import merge_summary  # noqa: PLC0415
    from tp_tools.cli.merge_inputs import prepare  # noqa: PLC0415

    doing = f"reading {len(traces.files)} ranks"
    with console.stage(doing, size, "aligning clocks") as stage:
        plan = prepare(traces.files, _merge_options(options), pool, stage, folder=folder)
    plan = dataclasses.replace(plan, left_out=traces.left_out)
    for summary in plan.summaries:
        summary.damage.tell(summary.file, console)
    for line in merge_summary.unknown_categories(options.excluded, plan):
        console.warn(line)
    return plan


def _write(plan: MergePlan, options: Options, console: Console, pool: Pool, size: int) -> Counts:
    """Write the output; `size` is that of the inputs in bytes.

    Returns:
        The numbers of events that were written.
    """
    from tp_tools.files import output  # noqa: PLC0415
    from tp_tools.merging import archive  # noqa: PLC0415
    from tp_tools.merging import output as merge_output  # noqa: PLC0415
    from tp_tools.merging.summary import summary  # noqa: PLC0415

    counts = merge_output.Counts()
    with ExitStack() as writing:
        doing = f"writing {options.output}"
        stage = writing.enter_context(console.stage(doing, size, "writing collectives"))
        packed = options.output.endswith(".gz")
        if options.form == "archive":
            blocks = archive.archive(plan, pool, stage, counts=counts, is_verified=options.verify)
        else:
            is_pftrace = options.output.endswith(output.PFTRACE_SUFFIXES)
            form: Form = "pftrace" if is_pftrace else "json"
            blocks = merge_output.blocks(
                plan, pool, summary(plan), form, stage, counts=counts, packed=packed
            )
        with output.written(options.output, blocks, packed=packed):
            writing.close()  # the block may write to stdout
    return counts


def _report(plan: MergePlan, counts: Counts, options: Options, console: Console) -> None:
    """Print the summary as lines, and as JSON where that is asked for."""
    from tp_tools.cli import merge_summary  # noqa: PLC0415
    from tp_tools.merging.summary import summary  # noqa: PLC0415

    for line in merge_summary.lines(plan, counts):
        console.say(line)
    console.say(f"Wrote {options.output}" + (", verified." if options.verify else "."))
    if options.summary:
        numbers = dataclasses.asdict(counts)
        if not options.short_names:
            del numbers["short_names"]
        click.echo(json.dumps({**summary(plan), **numbers, "output": options.output}))
