"""Merge the files of a job into one file: find them, read them, align them, write them.

`tp-tools merge` and `tp_tools.merge` both call `merge`.
"""

from __future__ import annotations

import difflib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from tp_tools.errors import InputError, UsageError
from tp_tools.files import copies, output, temporary
from tp_tools.files.foreign import refuse_foreign
from tp_tools.files.source import disk_size
from tp_tools.files.sources import is_rereadable, source_of
from tp_tools.merging import archive, archive_folder, preparation, verify_merge
from tp_tools.merging import output as merge_output
from tp_tools.merging.exported_ranks import ExportSources, converted
from tp_tools.merging.summary import summary
from tp_tools.merging.unsorted_pairs import unsorted_pairs
from tp_tools.merging.workers import HERE, Workers
from tp_tools.repair import protobuf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tp_tools.merging.job_files import JobFiles
    from tp_tools.merging.output import Counts
    from tp_tools.merging.preparation import MergeOptions, MergePlan
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter

Format = Literal["trace", "archive"]


class JobOptions(Struct, frozen=True):
    """What is merged, and into which file.

    Attributes:
        inputs: files, folders and globs.
        output: the file to write; "-" for stdout.
        how: options of the merge itself.
        form: a trace, or a zip of the repaired ranks.
        verify: whether the merge, or each rank of an archive, is loaded and proven.
        jobs: ranks worked on at a time; None for one per core.
        force: whether an existing output is replaced.
        workers: who works on the ranks.
        ranks_per_file: ranks of an archive at most, of several in a folder; None for one archive.
    """

    inputs: Sequence[str]
    output: str
    how: MergeOptions
    form: Format = "trace"
    verify: bool = False
    jobs: int | None = None
    force: bool = False
    workers: Workers = HERE
    ranks_per_file: int | None = None


def merge(options: JobOptions, reporter: Reporter) -> tuple[MergePlan, Counts]:
    """Merge the ranks of a job into a file, or into a folder of archives.

    Args:
        options: what, and into which file.
        reporter: receives the stages of the work, notes and warnings.

    Returns:
        The plan of the merge, and the numbers of events that were written.

    Raises:
        UsageError: options contradict each other, or the output exists.
        InputError: a file cannot be used, or the files are not the ranks of one job.
        OutputError: the output cannot be written.
        VerificationError: the merge, or a rank of an archive, does not hold what it should.
        EngineError: TraceProcessor failed.
    """
    _check(options)
    if options.ranks_per_file:
        archive_folder.check(options.output, force=options.force)
    else:
        suffixes = (".zip",) if options.form == "archive" else output.SUFFIXES
        output.check(options.output, force=options.force, suffixes=suffixes)
    with (
        temporary.in_folder(output.folder_of(options.output)),
        copies.kept(),
        temporary.folder() as folder,
    ):
        sources = ExportSources(folder)
        where = (options.inputs, options.output, options.how.choice)
        cluster = options.workers.pool
        traces = (
            preparation.files(*where, sources.of)
            if cluster is None
            else preparation.files(*where, pool=cluster)
        )
        traces.say_left_out(reporter)
        size = disk_size(traces.files)
        with options.workers.rank_pool(options.jobs, options.how.engine, size) as pool:
            plan = _read(traces, size, options.how, reporter, pool, sources)
            return plan, _write(plan, options, reporter, pool, size)


def _check(options: JobOptions) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: they do.
    """
    how = options.how
    start, end = how.start_ns, how.end_ns
    if start is not None and end is not None and start >= end:
        raise UsageError("--start is not before --end: nothing would be left.")
    selects = how.gpu_only or how.excluded or (start, end) != (None, None)
    if options.ranks_per_file and options.form != "archive":
        raise UsageError("--ranks-per-file divides an archive: give --format archive.")
    if options.form == "archive" and selects:
        raise UsageError("--format archive holds the ranks whole; it cannot select events.")
    if options.verify and _is_pftrace(options):
        raise UsageError(
            "--verify proves a merge as JSON, or an archive: give -o NAME.json.gz. A .pftrace has "
            "no events to hold against those of the ranks."
        )
    if options.verify and options.form == "trace" and options.workers.pool is not None:
        raise UsageError("--verify proves a merge on this machine: leave out --ray.")


def _read(  # noqa: PLR0917  all are needed
    traces: JobFiles,
    size: int,
    how: MergeOptions,
    reporter: Reporter,
    pool: Pool,
    sources: ExportSources,
) -> MergePlan:
    """Read the ranks and put them on one clock; `size` is that of their files in bytes."""
    doing = f"reading {len(traces.files)} ranks"
    with reporter.stage(doing, size, "aligning clocks") as stage:
        plan = _prepare(traces, how, pool, stage, sources)
    plan = replace(plan, left_out=traces.left_out)
    for rank in plan.summaries:
        rank.damage.tell(rank.file, reporter)
    for line in _unknown_categories(how.excluded, plan):
        reporter.warn(line)
    return plan


def _prepare(
    traces: JobFiles,
    how: MergeOptions,
    pool: Pool,
    reporter: Reporter,
    sources: ExportSources,
) -> MergePlan:
    """Read the ranks; refuse those that were converted to .pftrace with advice."""
    files, beside = traces.files, traces.beside
    try:
        with temporary.full_disk_named():
            found = converted(files, pool, sources, reporter)
            return preparation.prepare(
                found, how, pool, reporter, folder=sources.folder, beside=beside
            )
    except InputError as error:
        for file in files:
            if not is_rereadable(file):
                continue
            refuse_foreign(file, by_perfetto=False)
            if protobuf.is_protobuf(source_of(file)):
                raise InputError(
                    f"{file}: is a Perfetto trace. Ranks are merged from the Chrome JSON that the "
                    "profiler wrote: give that."
                ) from error
        raise


def _unknown_categories(excluded: frozenset[str], plan: MergePlan) -> Iterator[str]:
    """Yield a warning for each excluded category that no event has; name a similar one, or all."""
    known = frozenset[str]().union(*(rank.categories for rank in plan.summaries))
    for name in sorted(excluded - known):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(known))}."
        yield f"--exclude {name}: no event has this category; {hint}"


def _write(
    plan: MergePlan, options: JobOptions, reporter: Reporter, pool: Pool, size: int
) -> Counts:
    """Write the output; return the numbers of events that were written.

    Args:
        plan: the ranks, read and aligned.
        options: what is written.
        reporter: receives the stage.
        pool: works on the ranks.
        size: bytes of the inputs.
    """
    counts = merge_output.Counts()
    with ExitStack() as writing:
        doing = f"writing {options.output}"
        stage = writing.enter_context(reporter.stage(doing, size, "writing collectives"))
        if options.ranks_per_file:
            archive_folder.write(
                plan,
                pool,
                options.output,
                options.ranks_per_file,
                stage,
                counts=counts,
                is_verified=options.verify,
            )
            return counts
        packed = options.output.endswith(".gz")
        if options.form == "archive":
            blocks = archive.archive(plan, pool, stage, counts=counts, is_verified=options.verify)
        else:
            if not _is_pftrace(options):
                for line in unsorted_pairs(plan):
                    reporter.warn(f"{line}.")
            blocks = merge_output.blocks(
                plan,
                pool,
                summary(plan),
                "pftrace" if _is_pftrace(options) else "json",
                stage,
                counts=counts,
                packed=packed,
            )
        with output.written(options.output, blocks, packed=packed) as path:
            writing.close()  # the block may write to stdout
            if options.verify and options.form != "archive":
                verify_merge.verify(path, options.output, plan, reporter, pool)
    return counts


def _is_pftrace(options: JobOptions) -> bool:
    return options.form != "archive" and options.output.endswith(output.PFTRACE_SUFFIXES)
