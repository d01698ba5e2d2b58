"""Open all ranks of a job in one TraceProcessor: merged, with the events that a query needs."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tp_tools import engine
from tp_tools.errors import UsageError
from tp_tools.files import copies, temporary
from tp_tools.files.source import BLOCK, disk_size
from tp_tools.files.sources import source_of
from tp_tools.merging import MergeOptions, job_files, preparation
from tp_tools.merging import output as merge_output
from tp_tools.merging.ranks import some
from tp_tools.merging.workers import HERE
from tp_tools.processes.local import usual_jobs
from tp_tools.progress import BUILDING, SILENT
from tp_tools.writing.select import FLOWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tp_tools.alignment.alignment import Mode
    from tp_tools.engine.processor import Processor
    from tp_tools.files.sources import KeptSources
    from tp_tools.library import Header
    from tp_tools.merging import MergePlan
    from tp_tools.merging.selection import Selection
    from tp_tools.merging.workers import Workers
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.querying.trace_loader import LoadOptions

MOST_JOBS = 4
"""Most ranks worked on at a time: each takes memory, and so does the loaded merge."""

_SMALL = 16 << 20
"""Bytes on disk below which starting workers takes longer than they save."""


class JobText(Struct, frozen=True):
    """Text of merged ranks in a file of Chrome JSON.

    Attributes:
        file: the file.
        ranges: the first byte and the one behind the last of each stretch of it.
        start_ns: start of the job as the viewer shows it, ns.
    """

    file: Path
    ranges: list[tuple[int, int]]
    start_ns: int

    def size(self) -> int:
        """Return the bytes of text."""
        return sum(last - first for first, last in self.ranges)

    def load(self, how: LoadOptions, reporter: Reporter) -> Processor:
        """Load it; the caller closes the TraceProcessor.

        Raises:
            EngineError: TraceProcessor failed.
        """
        size = self.size()
        with reporter.stage("loading the job", size, BUILDING) as stage:
            tp = engine.load(
                self._blocks(stage),
                source="the job",
                engine=how.engine,
                size=size,
                reporter=stage,
                memory_limit=how.memory,
            )
        tp.is_partial = how.needs is not None
        tp.start_ns = self.start_ns
        return tp

    def _blocks(self, reporter: Reporter) -> Iterator[bytes]:
        """Read the text in blocks; `reporter` receives the size of each."""
        with self.file.open("rb") as file:
            for first, last in self.ranges:
                file.seek(first)
                while block := file.read(min(BLOCK, last - file.tell())):
                    reporter.advance(len(block))
                    yield block


class Job(Struct, frozen=True):
    """A job, or a part of it, whose merged ranks were written to a file of Chrome JSON.

    Attributes:
        plan: the ranks, their clocks and their matches.
        file: the file.
    """

    plan: MergePlan
    file: Path
    _pool: Pool
    _bytes: int
    _reporter: Reporter
    _edges: tuple[int, ...] = ()
    """Where the sections of the file begin, and its end."""

    _section: int | None = None
    """The only one beside the first and the last; None for all."""

    def size(self) -> int:
        """Return the bytes of text."""
        return self.text().size()

    def written(self, selection: Selection | None = None) -> Job:
        """Write the ranks; `selection` says which events, by default those that a query needs."""
        edges = [0]
        with (
            self._reporter.stage("merging the ranks", self._bytes, "writing collectives") as stage,
            self.file.open("wb") as out,
        ):
            for section in merge_output.sections(
                self.plan,
                self._pool,
                stage,
                selection,
                keeps_inputs=True,  # for other windows, and queries about the ranks
            ):
                out.writelines(section)
                edges.append(out.tell())
        return replace(self, _edges=tuple(edges))

    def window(self, start_ns: int | None, end_ns: int | None) -> Job:
        """Write a window of time in place of what was written; bounds are ns since the epoch."""
        return self.written(
            replace(self.plan.selection(), start_ns=start_ns, end_ns=end_ns, has_context=True)
        )

    def ranks(self) -> list[Job]:
        """Return each rank by itself, in order, and behind them the collectives."""
        return [replace(self, _section=number) for number in range(1, len(self._edges) - 2)]

    @contextmanager
    def loaded(self, how: LoadOptions) -> Iterator[Processor]:
        """Load what was written, for the time of the block.

        Raises:
            EngineError: TraceProcessor failed.
        """
        with self.text().load(how, self._reporter) as tp:
            yield tp

    def text(self) -> JobText:
        """Return what was written, for a TraceProcessor here or in another process."""
        ranges = [(self._edges[0], self._edges[-1])]
        if self._section is not None:
            every = list(pairwise(self._edges))
            ranges = [every[0], every[self._section], every[-1]]
        return JobText(self.file, ranges, self.plan.first_ns - self.plan.start_ns)


def load_job(
    traces: list[str],
    header: Header,
    how: LoadOptions,
    align: Mode = "auto",
    reporter: Reporter = SILENT,
    *,
    kept: KeptSources | None = None,
    workers: Workers = HERE,
) -> tuple[Processor, MergePlan]:
    """Load the ranks of a job as one merged trace.

    Args:
        traces: the files of the ranks, in any order; a warning names ranks without a file.
        header: the header of the query, which says which events it needs of large traces.
        how: options of loading.
        align: how to align the clocks of the ranks.
        reporter: receives the stages of the work, notes and warnings.
        kept: gives the files, so that each is read once, and keeps the ranks as they were read;
            None to read files as often as needed, and to keep nothing.
        workers: who works on the ranks.

    Returns:
        The TraceProcessor, which the caller closes, and the plan of the merge: the ranks, their
        clocks and their matches. `read_rank.load_rank` loads a rank from the plan's `spools`, while
        `kept` lasts.

    Raises:
        UsageError: `how.raw` is set; ranks cannot be merged without repair.
        InputError: a file cannot be used, or the files are not the ranks of one job.
        EngineError: TraceProcessor failed.
    """
    with temporary.folder() as folder:
        file = folder / "job.json"
        with written(
            traces, header, how, file, align=align, reporter=reporter, kept=kept, workers=workers
        ) as job:
            pass
        return job.text().load(how, reporter), job.plan


def write(
    traces: list[str],
    header: Header,
    how: LoadOptions,
    file: Path,
    *,
    align: Mode = "auto",
    reporter: Reporter = SILENT,
    kept: KeptSources | None = None,
    workers: Workers = HERE,
) -> MergePlan:
    """Write the merged ranks, with the events that the query needs, to a file of Chrome JSON.

    Args:
        traces: the files of the ranks, in any order.
        header: the header of the query.
        how: options of loading.
        file: the file to write.
        align: how to align the clocks of the ranks.
        reporter: receives the stages of the work, notes and warnings.
        kept: as for `load_job`.
        workers: as for `load_job`.

    Raises:
        UsageError, InputError, EngineError: as `load_job`.
    """
    with written(
        traces, header, how, file, align=align, reporter=reporter, kept=kept, workers=workers
    ) as job:
        return job.plan


@contextmanager
def written(
    traces: list[str],
    header: Header,
    how: LoadOptions,
    file: Path,
    *,
    align: Mode = "auto",
    reporter: Reporter = SILENT,
    kept: KeptSources | None = None,
    workers: Workers = HERE,
) -> Iterator[Job]:
    """Write the merged ranks as `write` does; windows of them can be written while the block runs.

    Raises:
        UsageError, InputError, EngineError: as `load_job`.
    """
    if how.raw:
        raise UsageError("ranks are on one clock only once they are merged: leave out --raw.")
    size = disk_size(traces)
    jobs = 1 if size < _SMALL else min(MOST_JOBS, usual_jobs(), len(traces))
    with (
        temporary.full_disk_named(),
        copies.kept(),
        nullcontext(kept.folder) if kept else temporary.folder() as folder,
        workers.rank_pool(jobs, how.engine) as pool,
    ):
        with reporter.stage(f"reading {len(traces)} ranks", size, "aligning clocks") as stage:
            options = MergeOptions(
                align=align,
                choice=job_files.ANY,
                engine=how.engine,
                skips_failed=workers.skips_failed,
                kept=workers.kept,
                names_hosts=True,
            )
            sources = list(map(kept.of if kept else partial(source_of, is_whole=True), traces))
            prepared = preparation.prepare(sources, options, pool, stage, folder=folder)
            prepared = _with_needs(prepared, header, how)
        for summary in prepared.summaries:
            summary.damage.tell(summary.file, reporter)
        if prepared.missing:
            missing = some(prepared.missing)
            reporter.warn(f"the job has more ranks than there are files; missing: {missing}.")
        yield Job(prepared, file, pool, size, reporter).written()


def _with_needs(prepared: MergePlan, header: Header, how: LoadOptions) -> MergePlan:
    """Return the plan, restricted to the events and args that the query needs."""
    if how.needs is None:
        return prepared
    links = FLOWS in how.needs
    options = replace(prepared.options, needs=how.needs, args=header.args, links=links)
    return replace(prepared, options=options)
