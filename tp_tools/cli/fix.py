"""Repair one trace: `tp-tools fix`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tp_tools.cli.options import (
    complete_files,
    console_options,
    duration,
    engine_option,
    limit_options,
)
from tp_tools.errors import UsageError
from tp_tools.repair import TOLERANCE_NS
from tp_tools.writing import PftraceOptions

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.files import Source
    from tp_tools.processes import Pool
    from tp_tools.repair import Analysis
    from tp_tools.writing.pftrace.options import Lanes

FOUND = 1
_SUFFIXES = (".gz", ".zst", ".json")


@dataclass(frozen=True)
class Options:
    """Options of the command line; see the help texts."""

    trace: str
    output: str
    check: bool
    verify: bool
    tolerance_ns: int
    summary: bool
    force: bool
    engine: str | None
    pftrace: PftraceOptions | None
    jobs: int | None
    short_names: bool


@click.command("fix", short_help="Repair one trace.")
@click.argument("trace", shell_complete=complete_files)
@click.option(
    "--output",
    "-o",
    metavar="OUT",
    shell_complete=complete_files,
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
@click.option(
    "--short-names",
    is_flag=True,
    help="Give kernels names that can be read; args keep the full ones (tpt_name).",
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
    short_names: bool,  # noqa: FBT001
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
        pftrace_options(output, lanes),
        jobs,
        short_names,
    )
    _run(options, console)


def default_output(trace: str, *, check: bool) -> str:
    """Return NAME.fixed.json.gz beside the input.

    Raises:
        UsageError: the input is stdin, which has no name, and no file to write is given.
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


def pftrace_options(output: str, lanes: Lanes | None) -> PftraceOptions | None:
    """Return the options of a `.pftrace` output; None where the output is JSON.

    Raises:
        UsageError: `lanes` is "shared" and the output JSON, where each lane is a track.
    """
    from tp_tools.files.output import PFTRACE_SUFFIXES  # noqa: PLC0415

    if output.endswith(PFTRACE_SUFFIXES):
        return PftraceOptions(lanes=lanes or "shared", compressed=not output.endswith(".gz"))
    if lanes == "shared":
        raise UsageError("--lanes shared wants a .pftrace: in JSON each lane is a row of its own.")
    return None


def _run(options: Options, console: Console) -> None:
    # numpy, msgspec: not for --help
    from tp_tools.chrome import batch_pool, reading_jobs  # noqa: PLC0415
    from tp_tools.cli import process  # noqa: PLC0415
    from tp_tools.files import (  # noqa: PLC0415
        open_source,
        output,
        temporary,
    )
    from tp_tools.files.foreign import refuse_foreign  # noqa: PLC0415
    from tp_tools.files.missing import refuse_missing  # noqa: PLC0415

    if options.summary and options.output == output.STDOUT and not options.check:
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    if not options.check:
        output.check(options.output, force=options.force)
        output.refuse_input(options.output, [options.trace])
    refuse_missing(options.trace)
    refuse_foreign(options.trace, by_perfetto=False)
    if options.short_names and options.check:
        raise UsageError("--check writes nothing: leave out --short-names.")
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
    from tp_tools.repair import (  # noqa: PLC0415  while the workers start
        OverlapOptions,
        analysis,
        protobuf,
    )

    if protobuf.is_protobuf(source):
        protobuf.check_sound(source, options.engine, console)
        console.say(f"{source.name}: Perfetto shows all of it; nothing to repair, nothing written.")
        return
    if pool.size > 1:
        engine.prepare(options.engine)
    overlap_options = OverlapOptions(options.tolerance_ns, options.engine, engines=pool.size)
    analyzed = analysis.analyze(source, overlap_options, console, pool)
    if options.short_names:
        analyzed = analysis.with_short_names(analyzed)
    _warn(source, analyzed, console)
    verified = None if options.check else _write(source, analyzed, options, console, pool)
    _report(analyzed, options, console, verified)
    if options.check and not analyzed.is_sound():
        raise click.exceptions.Exit(FOUND)


def _warn(source: Source, analyzed: Analysis, console: Console) -> None:
    """Warn of each part of the file that could not be kept."""
    from tp_tools.chrome.file_damage import damage  # noqa: PLC0415

    for line in damage(analyzed.trace, source).losses(source.name):
        console.warn(line)


def _write(
    source: Source,
    analyzed: Analysis,
    options: Options,
    console: Console,
    pool: Pool,
) -> bool | None:
    """Write the repaired trace.

    Returns:
        True if it was verified, None if that was not asked for.
    """
    from tp_tools.files import output  # noqa: PLC0415
    from tp_tools.repair import analysis  # noqa: PLC0415

    with ExitStack() as writing:
        doing = f"writing {options.output}"
        stage = writing.enter_context(console.stage(doing, source.size()))
        packed = options.pftrace is None and options.output.endswith(".gz")
        blocks = analysis.rewrite(source, analyzed, stage, options.pftrace, pool, packed=packed)
        with output.written(options.output, blocks, packed=packed) as path:
            writing.close()  # the block may write to stdout
            if options.verify:
                _verify(path, analyzed, options, console)
    return True if options.verify else None


def _verify(path: Path, analyzed: Analysis, options: Options, console: Console) -> None:
    """Load the written file, and prove that it holds the trace."""
    from tp_tools.repair import verify_json, verify_pftrace  # noqa: PLC0415  only if it is asked for

    arguments = (path, options.output, analyzed, options.engine, console)
    if options.pftrace:
        verify_pftrace.verify(*arguments, options=options.pftrace)
    else:
        verify_json.verify(*arguments)


def _report(analyzed: Analysis, options: Options, console: Console, verified: bool | None) -> None:  # noqa: FBT001
    from tp_tools.cli import fix_summary  # noqa: PLC0415
    from tp_tools.repair.summary import summary  # noqa: PLC0415

    if console.quiet and not options.summary:
        return
    numbers = summary(analyzed)
    for line in fix_summary.lines(analyzed, numbers):
        console.say(line)
    if not options.check:
        console.say(f"Wrote {options.output}" + (", verified." if verified else "."))
    if options.summary:
        target = None if options.check else options.output
        lost = analyzed.trace.tail.lost
        numbers = {"input": options.trace, "output": target, **numbers, "lost_bytes": lost}
        numbers["verified"] = verified
        click.echo(json.dumps(numbers))
