"""Merge all ranks of a job into one trace, on one clock: `tp-tools merge`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

import click
from msgspec.structs import replace

from tp_tools.cli.cluster import ClusterOptions, ray_option
from tp_tools.cli.options import (
    choice_options,
    complete_files,
    console_options,
    engine_option,
    limit_options,
    milliseconds,
)
from tp_tools.errors import UsageError
from tp_tools.files.default_output import MERGED, in_current_folder

if TYPE_CHECKING:
    from tp_tools.alignment.alignment import Mode
    from tp_tools.cli.console import Console
    from tp_tools.merging.job_output import Format, JobOptions
    from tp_tools.merging.rank_names import RankChoice


_RANKS = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")


def _numbers(text: str) -> tuple[range, ...]:
    """Read numbers of ranks: "0-7,512" to those from 0 to 7, and 512; "" to none.

    Raises:
        click.BadParameter: a part is no number and no range of numbers, or a range is empty.
    """
    found = []
    for part in text.split(",") if text else []:
        match = _RANKS.fullmatch(part.strip())
        numbers = range(int(match[1]), int(match[2] or match[1]) + 1) if match else range(0)
        if not numbers:
            raise click.BadParameter(f"{part!r} is no rank and no range of ranks; write 0-7,512.")
        found.append(numbers)
    return tuple(found)


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
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Go on where ranks of the job have no file, or cannot be read.",
)
@click.option(
    "--ranks",
    type=_numbers,
    default="",
    metavar="N-M,...",
    help="Read and write only these ranks, for example 0-7,512; their clocks are aligned among "
    "themselves.",
)
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
    "--ranks-per-file",
    type=click.IntRange(1),
    metavar="N",
    help="With --format archive: OUT is a folder of archives of at most N ranks each, by machine "
    "where that is known, all on the clock of the whole job, with index.html and index.json.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Load the merge, or each rank of an archive, and prove that it holds all that was "
    "recorded, on the common clock. Not for .pftrace.",
)
@click.option("--summary", type=click.Choice(["json"]), help="Print the summary as JSON on stdout.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@ray_option
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
    ranks: tuple[range, ...],
    jobs: int | None,
    form: str,
    ranks_per_file: int | None,
    verify: bool,  # noqa: FBT001
    summary: str | None,
    force: bool,  # noqa: FBT001
    ray: str | None,
    engine: str | None,
    choice: RankChoice,
    console: Console,
) -> None:
    """Merge the ranks of a job: each repaired as by fix, all on one clock.

    INPUT: traces, folders, globs or URLs, in any order. The rank of a file is that of its
    distributedInfo, or that in its name.

    \b
    Examples:
      tp-tools merge traces/
      tp-tools merge 'run7/*TP-*.json.gz' -o all.json.gz --gpu-only
      tp-tools merge s3://bucket/job/ -o cut.json.gz --ranks 0-7,512
      tp-tools merge traces/ -o step.json.gz --start 1200 --end 1350 --exclude python_function
    """
    from tp_tools.merging import MergeOptions  # noqa: PLC0415  numpy and msgspec: not for --help
    from tp_tools.merging.job_output import JobOptions  # noqa: PLC0415

    kind = "folder" if ranks_per_file else form
    output = output or in_current_folder(inputs, MERGED[kind])
    if summary and output == "-":
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    how = MergeOptions(
        align=cast("Mode", align),
        choice=replace(choice, allow_missing=allow_missing, ranks=ranks),
        gpu_only=gpu_only,
        excluded=frozenset(excluded),
        start_ns=start_ns,
        end_ns=end_ns,
        links=not no_links,
        engine=engine,
        short_names=short_names,
        skips_failed=allow_missing,
    )
    with ClusterOptions(ray, allow_missing).workers(console) as workers:
        options = JobOptions(
            inputs, output, how, cast("Format", form), verify, jobs, force, workers, ranks_per_file
        )
        _run(options, console, as_json=summary == "json")


def _run(options: JobOptions, console: Console, *, as_json: bool) -> None:
    """Merge, and print the summary as lines, and as JSON where that is asked for."""
    from tp_tools.cli import merge_summary  # noqa: PLC0415  not for --help
    from tp_tools.files import output  # noqa: PLC0415
    from tp_tools.merging import job_output  # noqa: PLC0415
    from tp_tools.merging.summary import numbers  # noqa: PLC0415

    plan, counts = job_output.merge(options, console)
    for line in merge_summary.lines(plan, counts):
        console.say(line)
    written = output.shown(options.output)
    console.say(f"Wrote {written}" + (", verified." if options.verify else "."))
    if as_json:
        click.echo(json.dumps({**numbers(plan, counts), "output": options.output}))
