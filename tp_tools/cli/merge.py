"""`tp-tools merge`: all ranks of a job in one trace, on one clock."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import click

from tp_tools.cli.options import choice_options, console_options, engine_option, limit_options
from tp_tools.errors import InputError, UsageError
from tp_tools.files import temporary

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.alignment.alignment import Mode
    from tp_tools.cli.console import Console
    from tp_tools.merging.preparation import MergeOptions, MergePlan
    from tp_tools.merging.write_rank import Form
    from tp_tools.processes.pool import Pool
    from tp_tools.progress import ProgressCallback

_MS = re.compile(r"-?\d+(\.\d{1,6})?")


def milliseconds(text: str) -> int:
    """Int nanoseconds of a time in ms with up to six decimals.

    Raises:
        click.BadParameter: it is no such number.
    """
    if not _MS.fullmatch(text.strip()):
        raise click.BadParameter(f"{text!r} is no number of milliseconds with up to six decimals.")
    return int(Decimal(text.strip()) * 1_000_000)


@click.command("merge", short_help="Merge all ranks of a job.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", "-o", required=True, metavar="OUT", help="Where to write; - is stdout.")
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
@click.option("--allow-missing", is_flag=True, help="Go on where ranks of the job have no file.")
@choice_options
@click.option("--jobs", "-j", type=click.IntRange(1), help="Ranks worked on at a time.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["trace", "archive"]),
    default="trace",
    show_default=True,
    help="archive: a zip of the traces as they are, with clocks, for Perfetto v58 and later.",
)
@click.option("--summary", type=click.Choice(["json"]), help="Print the summary as JSON on stdout.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@engine_option
@limit_options
@console_options
def command(inputs: tuple[str, ...], output: str, console: Console, **options: Any) -> None:  # noqa: ANN401
    """Merge the ranks of a job: each repaired as by fix, all on one clock.

    INPUT: traces, folders or globs, in any order. Ranks are told by distributedInfo and by the
    names of the files.

    \b
    Examples:
      tp-tools merge traces/ -o all.json.gz
      tp-tools merge 'run7/*TP-*.json.gz' -o all.json.gz --gpu-only
      tp-tools merge traces/ -o step.json.gz --start 1200 --end 1350 --exclude python_function
    """
    _check(output, options)
    _run(inputs, output, console, options)


def _check(output: str, options: dict[str, Any]) -> None:
    """Raises UsageError for what contradicts itself."""
    if options["summary"] and output == "-":
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    start, end = options["start_ns"], options["end_ns"]
    if None not in (start, end) and start >= end:
        raise UsageError("--start is not before --end: nothing would be left.")
    selects = options["gpu_only"] or options["excluded"] or (start, end) != (None, None)
    if options["form"] == "archive" and selects:
        raise UsageError("--format archive leaves the traces as they are; it cannot select events.")


def _wishes(options: dict[str, Any]) -> MergeOptions:
    from tp_tools.merging.preparation import MergeOptions  # noqa: PLC0415  numpy and msgspec: not for --help

    return MergeOptions(
        align=cast("Mode", options["align"]),
        choice=dataclasses.replace(options["choice"], allow_missing=options["allow_missing"]),
        gpu_only=options["gpu_only"],
        excluded=frozenset(options["excluded"]),
        start_ns=options["start_ns"],
        end_ns=options["end_ns"],
        links=not options["no_links"],
        engine=options["engine"],
    )


def _run(inputs: tuple[str, ...], output: str, console: Console, options: dict[str, Any]) -> None:

    from tp_tools.files import output as out  # noqa: PLC0415
    from tp_tools.merging.preparation import rank_pool  # noqa: PLC0415

    suffixes = (".zip",) if options["form"] == "archive" else out.SUFFIXES
    out.check(output, force=options["force"], suffixes=suffixes)
    with (
        temporary.in_folder(out.folder_of(output)),
        temporary.folder() as folder,
        rank_pool(options["jobs"], options["engine"]) as pool,
    ):
        prepared = _merge(inputs, output, console, options, pool, folder=folder)
    _report(prepared, output, console, summary=options["summary"] == "json")


def _merge(
    inputs: tuple[str, ...],
    output: str,
    console: Console,
    options: dict[str, Any],
    pool: Pool,
    *,
    folder: Path,
) -> MergePlan:
    """Reads the ranks and writes the output."""
    from pathlib import Path  # noqa: PLC0415

    from tp_tools.files import output as out  # noqa: PLC0415
    from tp_tools.merging import archive, preparation  # noqa: PLC0415
    from tp_tools.merging import output as merge_output  # noqa: PLC0415
    from tp_tools.merging.summary import summary  # noqa: PLC0415

    wishes = _wishes(options)
    found = preparation.files(inputs, output, wishes.choice)
    found.say(console.say)
    files = found.files
    size = sum(Path(file).stat().st_size for file in files)
    with console.progress(f"reading {len(files)} ranks", size, "aligning clocks") as seen:
        prepared = _prepared(files, wishes, pool, console, seen, folder=folder)
    prepared = dataclasses.replace(prepared, left_out=found.left_out)
    for it in prepared.gathered:
        it.damage.tell(it.file, console.warn, console.say)
    _warn_of_unknown(wishes.excluded, prepared, console)
    with ExitStack() as writing:
        stage = console.progress(f"writing {output}", size, "writing collectives")
        seen = writing.enter_context(stage)
        packed = output.endswith(".gz")
        if options["form"] == "archive":
            blocks = archive.archive(prepared, prepared.folder / "archive", seen)
        else:
            form: Form = "pftrace" if output.endswith(out.PFTRACE_SUFFIXES) else "json"
            about = summary(prepared)
            blocks = merge_output.blocks(prepared, pool, about, form, seen, packed=packed)
        with out.written(output, blocks, packed=packed):
            writing.close()  # what comes now may go to stdout
    return prepared


def _prepared(
    files: list[str],
    wishes: MergeOptions,
    pool: Pool,
    console: Console,
    seen: ProgressCallback,
    *,
    folder: Path,
) -> MergePlan:
    """The ranks; those that were converted already are refused as such."""
    from pathlib import Path  # noqa: PLC0415

    from tp_tools.files.source import Source  # noqa: PLC0415
    from tp_tools.merging import preparation  # noqa: PLC0415
    from tp_tools.repair import protobuf  # noqa: PLC0415

    try:
        with temporary.full_disk_named():
            return preparation.prepare(files, wishes, pool, console.say, seen, folder=folder)
    except InputError as error:
        for file in files:
            if protobuf.is_protobuf(Source(Path(file), file)):
                raise InputError(
                    f"{file}: is a Perfetto trace. Ranks are merged from the Chrome JSON that the "
                    "profiler wrote: give that."
                ) from error
        raise


def _warn_of_unknown(excluded: frozenset[str], prepared: MergePlan, console: Console) -> None:
    """Says which categories there are, where one is to be left out that there is not."""
    from tp_tools.merging import read_rank  # noqa: PLC0415

    unknown, known = set(excluded), set[str]()
    for spool in prepared.spools:
        if not unknown:
            return
        _, trace, _, _ = read_rank.load_rank(spool)
        known.update(filter(None, trace.cats))
        unknown -= known
    for name in sorted(unknown):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(known))}."
        console.warn(f"--exclude {name}: no event has this category; {hint}")


def _report(prepared: MergePlan, output: str, console: Console, *, summary: bool) -> None:
    from tp_tools.cli import merge_summary  # noqa: PLC0415
    from tp_tools.merging import summary as merge_object  # noqa: PLC0415

    for line in merge_summary.lines(prepared):
        console.say(line)
    console.say(f"Wrote {output}.")
    if summary:
        counts = dataclasses.asdict(prepared.counts)
        click.echo(json.dumps({**merge_object.summary(prepared), **counts, "output": output}))
