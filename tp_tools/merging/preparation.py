"""All ranks of a job in one trace: found, read, repaired, put on one clock."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.alignment import Member, align
from tp_tools.engine import get_ready
from tp_tools.errors import InputError
from tp_tools.merging import job_files, ranks, read_rank
from tp_tools.merging.rank_names import RankChoice
from tp_tools.merging.selection import Selection
from tp_tools.processes.pool import is_single_threaded, open_pool, usual_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tp_tools.alignment.alignment import Alignment, Mode
    from tp_tools.merging.job_files import JobFiles, LeftOut
    from tp_tools.merging.ranks import JobRank
    from tp_tools.merging.read_rank import RankSummary
    from tp_tools.merging.write_rank import RankFragment
    from tp_tools.processes.pool import Pool

SECOND_NS = 10**9


@dataclass(frozen=True)
class MergeOptions:
    """What a merge is to be like.

    Attributes:
        align: how clocks are brought together.
        choice: which ranks.
        gpu_only, excluded: which events.
        start_ns, end_ns: the window, in ns after the first event of any rank; None is open.
        links: whether arrows join the ranks of a collective.
        needs, args: what a query needs, as its header says; None for everything.
        engine: the TraceProcessor to ask; None for the default.
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


@dataclass
class Counts:
    """What was written so far."""

    events: int = 0
    slices: int = 0
    flows: int = 0
    links: int = 0


@dataclass(frozen=True)
class MergePlan:
    """Everything that is known before the first byte is written.

    Attributes:
        ranks: in order.
        gathered: what was read of each.
        alignment: their common clock and their matches.
        missing: ranks of the job without a file.
        first_ns: when the first rank begins, ns since the epoch on the common clock.
        wishes: what was asked for.
        folder: for temporary files.
        spools: where each rank is kept.
        left_out: what lay beside their files.
        written, counts: filled in while the output is written.
    """

    ranks: list[JobRank]
    gathered: list[RankSummary]
    alignment: Alignment
    missing: list[int]
    first_ns: int
    wishes: MergeOptions
    folder: Path
    spools: list[Path]
    left_out: list[LeftOut] = field(default_factory=list)
    written: list[RankFragment] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    @property
    def start_ns(self) -> int:
        """What times in the output are counted from: a whole second, ns since the epoch."""
        return self.first_ns // SECOND_NS * SECOND_NS

    def selection(self) -> Selection:
        """Which events are wanted."""
        wishes = self.wishes
        start, end = (
            None if it is None else self.first_ns + it for it in (wishes.start_ns, wishes.end_ns)
        )
        kinds = (wishes.gpu_only, wishes.excluded)
        return Selection(*kinds, start, end, wishes.needs, wishes.args)


def files(names: Sequence[str], output: str, choice: RankChoice) -> JobFiles:
    """The traces that are meant, without an earlier output among them.

    Raises:
        InputError: there are none, or several profiles to choose from.
    """
    return job_files.find(names, choice, besides=output)


@contextmanager
def rank_pool(jobs: int | None, engine: str | None = None) -> Iterator[Pool]:
    """A pool for the ranks of a job, while the block runs; workers get ready in the background.

    Args:
        jobs: number of ranks worked on at a time; 1 is this process itself; None is one per core.
        engine: the TraceProcessor that workers will ask; None for the default.
    """
    jobs = jobs or usual_jobs()
    if jobs > 1 and is_single_threaded():
        import tp_tools.engine.loader  # noqa: PLC0415  copies of this process then have
        import tp_tools.merging.write_rank  # noqa: F401, PLC0415  them, too
    with open_pool(0 if jobs == 1 else jobs, ahead=1, helps=False) as pool:
        pool.on_each_worker(partial(get_ready, engine))
        yield pool


def prepare(
    listed: Sequence[str],
    wishes: MergeOptions,
    pool: Pool,
    say: Callable[[str], None],
    seen: Callable[[int], None] = lambda _: None,
    *,
    folder: Path,
) -> MergePlan:
    """Reads all ranks and puts them on one clock.

    Args:
        listed: their files, in any order.
        wishes: what the merge is to be like.
        pool: processes that read them.
        say: gets lines about what was found.
        seen: told the size of each file once it was read.
        folder: where ranks are kept until they are written.

    Raises:
        InputError: a file cannot be used, or the files are not the ranks of one job.
        EngineError: TraceProcessor could not answer.
    """
    spools = [folder / f"{number}.rank" for number in range(len(listed))]
    based = wishes.align != "none"
    calls = (
        partial(read_rank.read_rank, file, spool, wishes.engine, based=based)
        for file, spool in zip(listed, spools, strict=True)
    )
    read: list[RankSummary] = []
    for it in pool.map_ordered(calls):
        read.append(it)
        seen(Path(it.file).stat().st_size)
    _refuse(read)
    ordered, missing = ranks.resolve([(it.file, it.metadata) for it in read], wishes.choice, say)
    gathered = [read[it.place] for it in ordered]
    alignment = align(
        [_member(*pair) for pair in zip(gathered, ordered, strict=True)], wishes.align
    )
    begins = [
        int(aligned.clock.common(np.array([it.first_ns]))[0])
        for it, aligned in zip(gathered, alignment.ranks, strict=True)
        if it.first_ns is not None
    ]
    kept = [spools[it.place] for it in ordered]
    return MergePlan(ordered, gathered, alignment, missing, min(begins), wishes, folder, kept)


def _refuse(read: list[RankSummary]) -> None:
    """Raises InputError for what is no rank."""
    for it in read:
        if it.metadata.is_merged:
            raise InputError(f"{it.file}: is the result of a merge. Leave it out.")
    if all(it.first_ns is None for it in read):
        raise InputError(f"{read[0].file}: has no event with a time, nor have the others.")


def _member(gathered: RankSummary, rank: JobRank) -> Member:
    middle = ((gathered.first_ns or 0) + (gathered.last_ns or 0)) // 2
    return Member(gathered.collectives, middle, gathered.metadata.host, rank.replica)
