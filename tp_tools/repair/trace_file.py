"""Repair one file: read it, decide what has to change, write it, prove it.

`tp-tools fix` and `tp_tools.fix` call `repair_file`; of several traces at a time each is
given to `repair`. Heavy imports wait until workers start.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.errors import UsageError
from tp_tools.processes.pool import ALONE

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.files import Source
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.repair.analysis import Analysis
    from tp_tools.writing import PftraceOptions
    from tp_tools.writing.pftrace.options import Lanes


class FileOptions(Struct, frozen=True):
    """How a file is repaired.

    Attributes:
        trace: the name of the file.
        output: the file to write.
        check: whether nothing is written.
        verify: whether the result is loaded and proven.
        tolerance_ns: CPU slices that overlap by at most so much are trimmed, not moved, ns; None as
            in `OverlapOptions`.
        engine: the TraceProcessor.
        pftrace: options of a .pftrace; None for JSON.
        short_names: whether kernels get names that can be read.
        skip_sound: whether a trace without anything to repair is not written.
    """

    trace: str
    output: str
    check: bool = False
    verify: bool = False
    tolerance_ns: int | None = None
    engine: str | None = None
    pftrace: PftraceOptions | None = None
    short_names: bool = False
    skip_sound: bool = False


class Repaired(Struct, frozen=True):
    """What became of a trace.

    Attributes:
        analysis: the trace and its plan.
        is_written: whether the repaired trace was written.
        is_verified: whether it was loaded and found right.
    """

    analysis: Analysis
    is_written: bool
    is_verified: bool

    def numbers(self, options: FileOptions) -> dict[str, Any]:
        """Return the object of `--summary json`."""
        from tp_tools.repair.summary import summary  # noqa: PLC0415  while the workers start

        return {
            "input": options.trace,
            "output": options.output if self.is_written else None,
            **summary(self.analysis),
            "lost_bytes": self.analysis.trace.tail.lost,
            "verified": self.is_verified or None,
        }


def repair_file(
    options: FileOptions, reporter: Reporter, *, force: bool, jobs: int | None
) -> Repaired | None:
    """Repair a file by its name, with the processes that it wants.

    Args:
        options: the file, and how it is repaired.
        reporter: receives the stages of the work, notes and warnings.
        force: whether an existing output is replaced.
        jobs: processes that read, write and verify together; None for one per core, up to 4.

    Returns:
        What was done, as `repair`.

    Raises:
        UsageError: the output exists, or options contradict each other.
        TpToolsError: as `repair`.
    """
    # numpy, msgspec: not for --help
    from tp_tools.chrome import batch_pool, reading_jobs  # noqa: PLC0415
    from tp_tools.files import open_source, output, temporary  # noqa: PLC0415
    from tp_tools.files.foreign import refuse_foreign  # noqa: PLC0415
    from tp_tools.files.missing import refuse_missing  # noqa: PLC0415

    if not options.check:
        output.check(options.output, force=force)
        output.refuse_input(options.output, [options.trace])
    refuse_missing(options.trace)
    refuse_foreign(options.trace, by_perfetto=False)
    if options.short_names and options.check:
        raise UsageError("--check writes nothing: leave out --short-names.")
    with (
        temporary.in_folder(None if options.check else output.folder_of(options.output)),
        open_source(options.trace) as source,
        batch_pool(source, jobs or reading_jobs()) as pool,
    ):
        return repair(source, options, reporter, pool)


def repair(
    source: Source, options: FileOptions, reporter: Reporter, pool: Pool = ALONE
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
    from tp_tools.repair import analysis, protobuf  # noqa: PLC0415
    from tp_tools.repair.overlaps import OverlapOptions  # noqa: PLC0415

    if protobuf.is_protobuf(source):
        protobuf.check_sound(source, options.engine, reporter)
        return None
    if pool.size > 1:
        engine.prepare(options.engine)
    overlap_options = OverlapOptions(options.tolerance_ns, options.engine, engines=pool.size)
    placed = analysis.read_placed(source, reporter, pool)
    if options.verify and not options.check:
        pool.begin(partial(engine.get_ready, options.engine))  # a worker will load the result
    writes_pftrace = options.pftrace is not None and not options.check
    beside_sql = _import_writer if writes_pftrace else None
    if writes_pftrace:
        pool.on_each_worker(_import_writer)
    analyzed = analysis.analyze_placed(source, placed, overlap_options, reporter, beside_sql)
    analyzed = analysis.with_gpu_names(analyzed)
    if options.short_names:
        analyzed = analysis.with_short_names(analyzed)
    _warn(source, analyzed, reporter)
    is_wanted = not options.check and not (options.skip_sound and analyzed.is_sound())
    if is_wanted:
        _write(source, analyzed, options, reporter, pool)
    return Repaired(analyzed, is_wanted, is_wanted and options.verify)


def _import_writer() -> None:
    """Import what writes a `.pftrace`: 0.04 s."""
    import tp_tools.writing.pftrace.writer  # noqa: F401, PLC0415  while SQL is asked, here and there


def _warn(source: Source, analyzed: Analysis, reporter: Reporter) -> None:
    """Warn of each part of the file that could not be kept, and pass on what an export lacks."""
    from tp_tools.chrome.file_damage import damage  # noqa: PLC0415

    found = damage(analyzed.trace, source)
    for line in found.losses(source.name):
        reporter.warn(line)
    for line in found.notes:
        reporter.note(f"{source.name}: {line}")


def _write(
    source: Source, analyzed: Analysis, options: FileOptions, reporter: Reporter, pool: Pool
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
                _verify(path, analyzed, options, reporter, pool)


def _verify(
    path: Path, analyzed: Analysis, options: FileOptions, reporter: Reporter, pool: Pool
) -> None:
    """Load the written file, and prove that it holds the trace."""
    from tp_tools.repair import verify_json, verify_pftrace  # noqa: PLC0415  only if it is asked for

    arguments = (path, options.output, analyzed, options.engine, reporter)
    if options.pftrace:
        verify_pftrace.verify(*arguments, options=options.pftrace, pool=pool)
    else:
        verify_json.verify(*arguments, pool=pool)


def pftrace_options(output: str, lanes: Lanes | None) -> PftraceOptions | None:
    """Return the options of a `.pftrace` output; None where the output is JSON.

    Raises:
        UsageError: `lanes` is "shared" and the output JSON, where each lane is a track.
    """
    from tp_tools.files.output import PFTRACE_SUFFIXES  # noqa: PLC0415

    if output.endswith(PFTRACE_SUFFIXES):
        from tp_tools.writing import PftraceOptions  # noqa: PLC0415

        return PftraceOptions(lanes=lanes or "shared", compressed=not output.endswith(".gz"))
    if lanes == "shared":
        raise UsageError("--lanes shared wants a .pftrace: in JSON each lane is a row of its own.")
    return None
