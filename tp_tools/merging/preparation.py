"""Prepare a merge: find the ranks of a job, read and repair them, put them on one clock."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from tp_tools.alignment import Member, align
from tp_tools.engine import get_ready
from tp_tools.errors import InputError
from tp_tools.files.sources import source_of
from tp_tools.merging import job_files, ranks, read_rank
from tp_tools.merging.chosen_ranks import of_ranks
from tp_tools.merging.failed_ranks import FailedRanks
from tp_tools.merging.rank_names import RankChoice, parse_file_name
from tp_tools.merging.selection import Selection
from tp_tools.processes import open_pool
from tp_tools.processes.local import default_jobs, is_single_threaded
from tp_tools.processes.pool import ALONE
from tp_tools.processes.worker import FileCall
from tp_tools.progress import SILENT
from tp_tools.trace.model import EXACT_BELOW_NS
from tp_tools.trace.renaming import new_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tp_tools.alignment import Alignment
    from tp_tools.alignment.alignment import Mode
    from tp_tools.files import Source
    from tp_tools.files.sources import SourceOf
    from tp_tools.merging.job_files import JobFiles, LeftOut
    from tp_tools.merging.kept_results import KeptResults
    from tp_tools.merging.probe import Probe
    from tp_tools.merging.ranks import JobRank
    from tp_tools.merging.read_rank import RankSummary
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter

DAY_NS = 86_400 * 10**9
SECOND_NS = 10**9


class MergeOptions(Struct, frozen=True):
    """Options of a merge.

    Attributes:
        align: how to align the clocks of the ranks.
        choice: the ranks to merge.
        gpu_only: whether to keep only GPU work and its annotations.
        excluded: categories to leave out.
        start_ns, end_ns: the window, in ns after the first event of any rank; None is open.
        links: whether flows join the ranks of a collective.
        needs, args: categories and args that a query needs, as in its header; None for all.
        engine: the TraceProcessor that answers; None for the default.
        short_names: whether kernels get their short names.
        skips_failed: whether ranks are left out that cannot be read, with a warning.
        kept: where ranks are kept as they were read; None for nowhere.
        names_hosts: whether the machines of ranks are written, for SQL (JSON only).
    """

    align: Mode = "auto"
    choice: RankChoice = field(default_factory=RankChoice)
    gpu_only: bool = False
    excluded: frozenset[str] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    links: bool = True
    needs: frozenset[str] | None = None
    args: frozenset[str] | None = None
    engine: str | None = None
    short_names: bool = False
    skips_failed: bool = False
    kept: KeptResults | None = None
    names_hosts: bool = False


class MergePlan(Struct, frozen=True):
    """The ranks of a job, read and aligned, before the first byte is written.

    Attributes:
        ranks: the ranks in order.
        summaries: the facts about each rank, in the order of `ranks`.
        alignment: their common clock and their matches.
        missing: numbers of the ranks of the job without a file.
        first_ns: start of the first event of any rank, ns since the epoch on the common clock.
        options: the options of the merge.
        folder: folder of temporary files.
        spools: the temporary file of each rank, in the order of `ranks`.
        left_out: files beside those of the ranks that are no rank.
    """

    ranks: list[JobRank]
    summaries: list[RankSummary]
    alignment: Alignment
    missing: list[int]
    first_ns: int
    options: MergeOptions
    folder: Path
    spools: list[Path]
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def start_ns(self) -> int:
        """Time that the output's timestamps count from: a whole second, in ns since the epoch."""
        return self.first_ns // SECOND_NS * SECOND_NS

    def selection(self) -> Selection:
        """Return the events to write, with the window on the common clock."""
        options = self.options
        start, end = (
            None if bound_ns is None else self.first_ns + bound_ns
            for bound_ns in (options.start_ns, options.end_ns)
        )
        return Selection(
            options.gpu_only,
            options.excluded,
            start,
            end,
            options.needs,
            options.args,
            self.short_names(),
        )

    def short_names(self) -> dict[str, str]:
        """Return the short name of each kernel that gets one, over all ranks; empty for none."""
        if not self.options.short_names:
            return {}
        return new_names(name for summary in self.summaries for name in summary.kernel_names)


def files(
    names: Sequence[str],
    output: str,
    choice: RankChoice,
    sources: SourceOf = source_of,
    pool: Pool = ALONE,
) -> JobFiles:
    """Find the traces of the wanted ranks of a job, without an earlier output of the merge.

    Args:
        names: files, folders and globs.
        output: the file that the merge will write.
        choice: the ranks to take, and the profile and stage where there are several.
        sources: gives each file to read.
        pool: processes that read the beginnings of the files.

    Raises:
        InputError: there are no traces, or several profiles to choose from; or no file is of a
            wanted rank.
    """
    return of_ranks(job_files.find(names, choice, output, sources, pool), choice)


@contextmanager
def rank_pool(jobs: int | None, engine: str | None = None, size: int = 0) -> Iterator[Pool]:
    """Open a pool for the ranks of a job while the block runs; workers warm up in the background.

    Args:
        jobs: number of ranks worked on at a time; 1 is this process itself; None is one per core,
            unless `default_jobs` takes the ranks for small.
        engine: the TraceProcessor that workers will use; None for the default.
        size: bytes of the files of the ranks.
    """
    jobs = jobs or default_jobs(size)
    if jobs > 1 and is_single_threaded():
        import tp_tools.engine.loader  # noqa: PLC0415  forked workers then have both
        import tp_tools.merging.write_rank  # noqa: F401, PLC0415
    with open_pool(0 if jobs == 1 else jobs, ahead=1, helps=False) as pool:
        pool.on_each_worker(partial(get_ready, engine))
        yield pool


def prepare(
    listed: Sequence[Source],
    options: MergeOptions,
    pool: Pool,
    reporter: Reporter = SILENT,
    *,
    folder: Path,
    beside: Sequence[Probe] = (),
) -> MergePlan:
    """Read all ranks and put them on one clock.

    Args:
        listed: the files of the ranks, in any order.
        options: the options of the merge.
        pool: processes that read the ranks.
        reporter: receives the size of each file in bytes once the file was read, and notes about
            the ranks.
        folder: folder for the temporary files of the ranks.
        beside: the traces of other ranks of the job, which are not read: with them the ranks have
            the numbers that they have in the whole job.

    Raises:
        InputError: a file cannot be used, or the files are not the ranks of one job.
        EngineError: TraceProcessor could not answer.
    """
    spools = [folder / f"{number}.rank" for number in range(len(listed))]
    read, spools = _read_ranks(listed, spools, options, pool, reporter)
    _refuse_non_ranks(read)
    stated = [(summary.file, summary.metadata) for summary in read]
    stated += [(it.file, it.metadata) for it in beside]
    known, missing = ranks.resolve(stated, options.choice, reporter)
    ordered = [rank for rank in known if rank.place < len(read)]
    summaries = [read[rank.place] for rank in ordered]
    alignment = align(
        [_member(*pair) for pair in zip(summaries, ordered, strict=True)], options.align
    )
    starts = [
        int(aligned.clock.common(np.array([summary.first_ns]))[0])
        for summary, aligned in zip(summaries, alignment.ranks, strict=True)
        if summary.first_ns is not None
    ]
    _refuse_far_apart([it.file for it in summaries if it.first_ns is not None], starts)
    return MergePlan(
        ranks=ordered,
        summaries=summaries,
        alignment=alignment,
        missing=missing,
        first_ns=min(starts),
        options=options,
        folder=folder,
        spools=[spools[rank.place] for rank in ordered],
    )


def _read_ranks(
    files: Sequence[Source],
    spools: list[Path],
    options: MergeOptions,
    pool: Pool,
    reporter: Reporter,
) -> tuple[list[RankSummary], list[Path]]:
    """Have the pool read each rank and keep it in its temporary file.

    Returns:
        The ranks that could be read, and their files.
    """
    reading = partial(
        read_rank.read_rank,
        engine=options.engine,
        based=options.align != "none",
        kept=options.kept,
    )
    calls = (
        FileCall(partial(reading, it), keeps=(spool,), inputs=(it.name,), keeps_inputs=True)
        for it, spool in zip(files, spools, strict=True)
    )
    read: list[tuple[RankSummary, Path]] = []
    failed = FailedRanks(len(files), options.skips_failed)
    for outcome, file, spool in zip(pool.outcomes(calls), files, spools, strict=True):
        if (summary := failed.result(outcome, file.name)) is not None:
            read.append((summary, spool))
            reporter.advance(summary.file_bytes)
    failed.tell(reporter)
    return [summary for summary, _ in read], [spool for _, spool in read]


def _refuse_non_ranks(read: list[RankSummary]) -> None:
    """Raise InputError for the result of a merge, or where no event of any rank has a time."""
    for summary in read:
        is_named_so = parse_file_name(summary.file).is_merged
        if is_named_so and summary.metadata.rank is None:
            raise InputError(
                f"{summary.file}: holds ranks that are merged. Give the files of the ranks; query, "
                "report, view and fix take it as it is."
            )
        if summary.metadata.is_merged:
            raise InputError(f"{summary.file}: is the result of a merge. Leave it out.")
    if all(summary.first_ns is None for summary in read):
        raise InputError(f"{read[0].file}: has no event with a time, nor have the others.")


def _refuse_far_apart(files: list[str], starts: list[int]) -> None:
    """Raise InputError for ranks so far apart that one trace cannot hold exact times of both.

    Args:
        files: the files of the ranks.
        starts: the start of the first event of each, ns on the common clock.
    """
    first, last = starts.index(min(starts)), starts.index(max(starts))
    apart = starts[last] - starts[first]
    if apart >= EXACT_BELOW_NS:
        raise InputError(
            f"{files[last]}: begins {apart // DAY_NS:,} days after {files[first]}; times are exact "
            "within 50 days. Does one of them lack its baseTimeNanoseconds?"
        )


def _member(summary: RankSummary, rank: JobRank) -> Member:
    """Describe a rank to the alignment; its clock's offset holds in the middle of its trace."""
    middle = ((summary.first_ns or 0) + (summary.last_ns or 0)) // 2
    return Member(summary.collectives, middle, summary.host, rank.replica)
