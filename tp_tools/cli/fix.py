"""`tp-tools fix`: repairs one trace."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tp_tools.cli.options import console_options, duration, engine_option, limit_options
from tp_tools.errors import UsageError
from tp_tools.repair.tolerance import TOLERANCE_NS
from tp_tools.writing.pftrace.options import PftraceOptions

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.files.source import Source
    from tp_tools.processes.pool import Pool
    from tp_tools.repair.analysis import Analysis
    from tp_tools.writing.pftrace.options import Lanes

FOUND = 1
_SUFFIXES = (".gz", ".zst", ".json")


@dataclass(frozen=True)
class Options:
    """What the command line asks for; see the help texts."""

    trace: str
    output: str
    check: bool
    verify: bool
    tolerance_ns: int
    summary: bool
    force: bool
    engine: str | None
    part: PftraceOptions | None
    jobs: int | None


@click.command("fix", short_help="Repair one trace.")
@click.argument("trace")
@click.option(
    "--output",
    "-o",
    metavar="OUT",
    help="Where to write; - is stdout. Default: NAME.fixed.json.gz.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if there is anything to repair.")
@click.option("--verify", is_flag=True, help="Load the result into TraceProcessor and prove it.")
@click.option(
    "--tolerance",
    "tolerance_ns",
    type=duration,
    metavar="DURATION",
    default=f"{TOLERANCE_NS / 1000:g}us",
    show_default=True,
    help="CPU slices and annotations that overlap by at most this much are trimmed, not moved.",
)
@click.option("--summary", type=click.Choice(["json"]), help="Print the summary as JSON on stdout.")
@click.option(
    "--lanes",
    type=click.Choice(["shared", "rows"]),
    help="In a .pftrace: moved slices share the row of their stream (default), or have rows of "
    "their own, as in JSON.",
)
@click.option("--force", is_flag=True, help="Replace an existing output.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1),
    help="Processes that read and write a large trace together, and engines that are asked about "
    "its overlaps. Default: one per core, up to 4.",
)
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    trace: str,
    output: str | None,
    check: bool,  # noqa: FBT001  click passes flags by name
    verify: bool,  # noqa: FBT001
    tolerance_ns: int,
    summary: str | None,
    lanes: Lanes | None,
    force: bool,  # noqa: FBT001
    jobs: int | None,
    engine: str | None,
    console: Console,
) -> None:
    """Repair TRACE: what Perfetto shows is then what the profiler recorded.

    TRACE is Chrome JSON as PyTorch's profiler writes it, plain, .gz or .zst; - is stdin.

    \b
    Examples:
      tp-tools fix rank0.json.gz
      tp-tools fix rank0.json.gz -o fixed.json --verify
      tp-tools fix rank0.json.gz -o fixed.pftrace
      tp-tools fix rank0.json.gz --check --summary json
    """
    output = output or default_output(trace, check=check)
    options = Options(
        trace,
        output,
        check,
        verify,
        tolerance_ns,
        summary == "json",
        force,
        engine,
        part_of(output, lanes),
        jobs,
    )
    _run(options, console)


def default_output(trace: str, *, check: bool) -> str:
    """NAME.fixed.json.gz beside the input.

    Raises:
        UsageError: the input is stdin, which has no name.
    """
    if trace == "-":
        if check:
            return "-"
        raise UsageError("the trace comes from stdin: say with -o where the result goes.")
    path = Path(trace)
    name = path.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return str(path.parent / f"{name}.fixed.json.gz")


def part_of(output: str, lanes: Lanes | None) -> PftraceOptions | None:
    """How the output is to look as `.pftrace`; None where it is JSON.

    Raises:
        UsageError: lanes cannot share a row there.
    """
    from tp_tools.files.output import PFTRACE_SUFFIXES  # noqa: PLC0415

    if output.endswith(PFTRACE_SUFFIXES):
        return PftraceOptions(lanes=lanes or "shared", compressed=not output.endswith(".gz"))
    if lanes == "shared":
        raise UsageError("--lanes shared wants a .pftrace: in JSON each lane is a row of its own.")
    return None


def _run(options: Options, console: Console) -> None:
    # numpy, msgspec: not for --help
    from tp_tools.chrome.parallel_reader import batch_pool, reading_jobs  # noqa: PLC0415
    from tp_tools.cli import process  # noqa: PLC0415
    from tp_tools.files import output, temporary  # noqa: PLC0415
    from tp_tools.files.missing import refuse_missing  # noqa: PLC0415
    from tp_tools.files.source import open_source  # noqa: PLC0415

    if options.summary and options.output == output.STDOUT and not options.check:
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    if not options.check:
        output.check(options.output, force=options.force)
        output.refuse_input(options.output, [options.trace])
    refuse_missing(options.trace)
    jobs = options.jobs or reading_jobs()
    process.give_back_memory()
    beside = None if options.check else output.folder_of(options.output)
    with (
        temporary.in_folder(beside),
        open_source(options.trace) as source,
        batch_pool(source, jobs) as pool,
    ):
        _fix(source, options, console, pool)


def _fix(source: Source, options: Options, console: Console, pool: Pool) -> None:
    from tp_tools import engine  # noqa: PLC0415  while the workers start
    from tp_tools.repair import analysis, protobuf  # noqa: PLC0415  while the workers start
    from tp_tools.repair.overlaps import OverlapOptions  # noqa: PLC0415

    if protobuf.is_protobuf(source):
        protobuf.check_sound(source, options.engine, console.say)
        console.say(f"{source.name}: Perfetto shows all of it; nothing to repair, nothing written.")
        return
    if pool.size > 1:
        engine.prepare(options.engine)
    judge = OverlapOptions(options.tolerance_ns, options.engine, console.say, engines=pool.size)
    examined = analysis.analyze(source, judge, console.progress, pool)
    _warn(source, examined, console)
    verified = None if options.check else _write(source, examined, options, console, pool)
    _report(examined, options, console, verified)
    if options.check and not examined.is_sound():
        raise click.exceptions.Exit(FOUND)


def _warn(source: Source, examined: Analysis, console: Console) -> None:
    """Says what of the file could not be kept."""
    from tp_tools.chrome.file_damage import damage  # noqa: PLC0415

    for line in damage(examined.trace, source).losses(source.name):
        console.warn(line)


def _write(
    source: Source,
    examined: Analysis,
    options: Options,
    console: Console,
    pool: Pool,
) -> bool | None:
    """Writes the repaired trace; whether it was verified, None if that was not asked for."""
    from tp_tools.files import output  # noqa: PLC0415
    from tp_tools.repair import analysis  # noqa: PLC0415

    with ExitStack() as writing:
        doing = f"writing {options.output}"
        seen = writing.enter_context(console.progress(doing, source.size()))
        packed = options.part is None and options.output.endswith(".gz")
        blocks = analysis.rewrite(source, examined, seen, options.part, pool, packed=packed)
        with output.written(options.output, blocks, packed=packed) as path:
            writing.close()  # what comes now may go to stdout
            if options.verify:
                _verify(path, examined, options, console)
    return True if options.verify else None


def _verify(path: Path, examined: Analysis, options: Options, console: Console) -> None:
    """Loads what was written, and proves it."""
    from tp_tools.repair import verify_json, verify_pftrace  # noqa: PLC0415  only if it is asked for

    written = (path, options.output, examined, options.engine, console.say)
    if options.part:
        verify_pftrace.verify(*written, part=options.part, progress=console.progress)
    else:
        verify_json.verify(*written, progress=console.progress)


def _report(examined: Analysis, options: Options, console: Console, verified: bool | None) -> None:  # noqa: FBT001
    from tp_tools.cli import fix_summary  # noqa: PLC0415
    from tp_tools.repair.summary import summary  # noqa: PLC0415

    if console.quiet and not options.summary:
        return
    numbers = summary(examined)
    for line in fix_summary.lines(examined, numbers):
        console.say(line)
    if not options.check:
        console.say(f"Wrote {options.output}" + (", verified." if verified else "."))
    if options.summary:
        target = None if options.check else options.output
        lost = examined.trace.tail.lost
        numbers = {"input": options.trace, "output": target, **numbers, "lost_bytes": lost}
        numbers["verified"] = verified
        click.echo(json.dumps(numbers))
