"""All ranks of a job in one trace: found, read, repaired, put on one clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.alignment import Member, align
from tp_tools.chrome import crew
from tp_tools.errors import InputError
from tp_tools.merging import inputs, rank_names, ranks, read_rank
from tp_tools.merging.rank_names import RankChoice
from tp_tools.merging.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tp_tools.alignment.alignment import Alignment, Mode
    from tp_tools.merging.ranks import JobRank
    from tp_tools.merging.read_rank import RankSummary
    from tp_tools.merging.write_rank import RankFragment
    from tp_tools.workers import Workers

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
        spools: where each rank is kept.
        written, counts: filled in while the output is written.
    """

    ranks: list[JobRank]
    gathered: list[RankSummary]
    alignment: Alignment
    missing: list[int]
    first_ns: int
    wishes: MergeOptions
    spools: list[Path]
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


def files(names: Sequence[str], output: str, choice: RankChoice) -> list[str]:
    """The traces that are meant, without an earlier output among them.

    Raises:
        InputError: there are none, or several profiles to choose from.
    """
    target = Path(output).absolute()
    found = [file for file in inputs.expand(names) if Path(file).absolute() != target]
    if not found:
        raise InputError(f"{', '.join(names)}: holds no trace besides the output itself.")
    return rank_names.chosen(found, choice)


def usual_jobs(files: Sequence[str]) -> int:
    """How many ranks to work on at a time: one per core."""
    return max(1, min(crew.usual_jobs(), len(files)))


def prepare(
    listed: Sequence[str],
    wishes: MergeOptions,
    workers: Workers,
    say: Callable[[str], None],
    seen: Callable[[int], None] = lambda _: None,
) -> MergePlan:
    """Reads all ranks and puts them on one clock.

    Args:
        listed: their files, in any order.
        wishes: what the merge is to be like.
        workers: who reads them.
        say: gets lines about what was found.
        seen: told the size of each file once it was read.

    Raises:
        InputError: a file cannot be used, or the files are not the ranks of one job.
        EngineError: TraceProcessor could not answer.
    """
    spools = [workers.folder / f"{number}.rank" for number in range(len(listed))]
    based = {"based": wishes.align != "none"}
    calls = [
        ((file, spool, wishes.engine), based) for file, spool in zip(listed, spools, strict=True)
    ]
    read: list[RankSummary] = []
    for it in workers.in_order(read_rank.read_rank, calls):
        read.append(it)
        seen(Path(it.file).stat().st_size)
    _refuse(read)
    ordered, missing = ranks.resolve([(it.file, it.said) for it in read], wishes.choice, say)
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
    return MergePlan(ordered, gathered, alignment, missing, min(begins), wishes, kept)


def _refuse(read: list[RankSummary]) -> None:
    """Raises InputError for what is no rank."""
    for it in read:
        if it.said.is_merged:
            raise InputError(f"{it.file}: is the result of a merge. Leave it out.")
    if all(it.first_ns is None for it in read):
        raise InputError(f"{read[0].file}: has no event with a time, nor have the others.")


def _member(gathered: RankSummary, rank: JobRank) -> Member:
    middle = ((gathered.first_ns or 0) + (gathered.last_ns or 0)) // 2
    return Member(gathered.collectives, middle, gathered.said.host, rank.replica)
