"""Repair one trace and say what was done, for `tp-tools fix`."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tp_tools.errors import UsageError
from tp_tools.processes.pool import ALONE

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.cli.console import Console
    from tp_tools.files import Source
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.repair import Analysis
    from tp_tools.writing import PftraceOptions

FOUND = 1
SHOWN = "Perfetto shows all of it"


@dataclass(frozen=True)
class Options:
    """Options of the command line for one trace; see the help texts.

    Attributes:
        skip_sound: whether a trace without anything to repair is not written.
    """

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
    skip_sound: bool
    open: bool


@dataclass(frozen=True)
class Repaired:
    """What became of a trace.

    Attributes:
        analysis: the trace and its plan.
        is_written: whether the repaired trace was written.
        is_verified: whether it was loaded and found right.
    """

    analysis: Analysis
    is_written: bool
    is_verified: bool

    def numbers(self, options: Options) -> dict[str, Any]:
        """Return the object of `--summary json`."""
        from tp_tools.repair.summary import summary  # noqa: PLC0415  while the workers start

        return {
            "input": options.trace,
            "output": options.output if self.is_written else None,
            **summary(self.analysis),
            "lost_bytes": self.analysis.trace.tail.lost,
            "verified": self.is_verified or None,
        }


def run(options: Options, console: Console) -> None:
    """Repair a trace, say what was done, and exit with 1 where `--check` found something.

    Raises:
        click.exceptions.Exit: `--check` found something to repair.
        TpToolsError: as `repair`, or the options contradict each other.
    """
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
        repaired = repair(source, options, console, pool)
    if repaired is None:
        console.say(f"{options.trace}: {SHOWN}; nothing to repair, nothing written.")
        return
    _report(repaired, options, console)
    if options.check and not repaired.analysis.is_sound():
        raise click.exceptions.Exit(FOUND)


def repair(
    source: Source, options: Options, reporter: Reporter, pool: Pool = ALONE
) -> Repaired | None:
    """Repair a trace, and write it unless `options` say otherwise.

    Returns:
        What was done; None for a trace in Perfetto's own format, which is sound.

    Raises:
        InputError: the file cannot be used.
        OutputError: the result cannot be written.
        VerificationError: the result does not hold what it should.
        EngineError: TraceProcessor failed.
    """
    from tp_tools import engine  # noqa: PLC0415  while the workers start
    from tp_tools.repair import (  # noqa: PLC0415  while the workers start
        OverlapOptions,
        analysis,
        protobuf,
    )

    if protobuf.is_protobuf(source):
        protobuf.check_sound(source, options.engine, reporter)
        return None
    if pool.size > 1:
        engine.prepare(options.engine)
    overlap_options = OverlapOptions(options.tolerance_ns, options.engine, engines=pool.size)
    analyzed = analysis.analyze(source, overlap_options, reporter, pool)
    analyzed = analysis.with_gpu_names(analyzed)
    if options.short_names:
        analyzed = analysis.with_short_names(analyzed)
    _warn(source, analyzed, reporter)
    is_wanted = not options.check and not (options.skip_sound and analyzed.is_sound())
    if is_wanted:
        _write(source, analyzed, options, reporter, pool)
    return Repaired(analyzed, is_wanted, is_wanted and options.verify)


def _warn(source: Source, analyzed: Analysis, reporter: Reporter) -> None:
    """Warn of each part of the file that could not be kept, and pass on what an export lacks."""
    from tp_tools.chrome.file_damage import damage  # noqa: PLC0415

    found = damage(analyzed.trace, source)
    for line in found.losses(source.name):
        reporter.warn(line)
    for line in found.notes:
        reporter.note(f"{source.name}: {line}")


def _write(
    source: Source, analyzed: Analysis, options: Options, reporter: Reporter, pool: Pool
) -> None:
    """Write the repaired trace, and verify it if that is asked for."""
    from tp_tools.files import output  # noqa: PLC0415
    from tp_tools.repair import analysis  # noqa: PLC0415

    with ExitStack() as writing:
        doing = f"writing {options.output}"
        stage = writing.enter_context(reporter.stage(doing, source.size()))
        packed = options.pftrace is None and options.output.endswith(".gz")
        blocks = analysis.rewrite(source, analyzed, stage, options.pftrace, pool, packed=packed)
        with output.written(options.output, blocks, packed=packed) as path:
            writing.close()  # the block may write to stdout
            if options.verify:
                _verify(path, analyzed, options, reporter)


def _verify(path: Path, analyzed: Analysis, options: Options, reporter: Reporter) -> None:
    """Load the written file, and prove that it holds the trace."""
    from tp_tools.repair import verify_json, verify_pftrace  # noqa: PLC0415  only if it is asked for

    arguments = (path, options.output, analyzed, options.engine, reporter)
    if options.pftrace:
        verify_pftrace.verify(*arguments, options=options.pftrace)
    else:
        verify_json.verify(*arguments)


def _report(repaired: Repaired, options: Options, console: Console) -> None:
    from tp_tools.cli import fix_summary  # noqa: PLC0415

    if console.quiet and not options.summary:
        return
    numbers = repaired.numbers(options)
    for line in fix_summary.lines(repaired.analysis, numbers):
        console.say(line)
    if repaired.is_written:
        console.say(f"Wrote {options.output}" + (", verified." if options.verify else "."))
    if (following := _next(repaired, options)) is not None:
        console.say(f"Next: {following}")
    if options.summary:
        click.echo(json.dumps(numbers))


def _next(repaired: Repaired, options: Options) -> str | None:
    """Return the command that most people run next; None where the names are not those of files."""
    if "-" in {options.trace, options.output} or options.open:
        return None
    if repaired.is_written:
        return f"tp-tools view {shlex.quote(options.output)}"
    return None if repaired.analysis.is_sound() else f"tp-tools fix {shlex.quote(options.trace)}"
