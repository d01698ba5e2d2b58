"""Which rank of a job each file is, from what it says and how it is called, in one order.

A file's own `distributedInfo` is the truth, its name (`file_names`) is a hint.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import InputError
from tp_tools.merging.rank_names import AXES, named_together, ranks_by_name, with_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tp_tools.chrome.metadata import TraceMetadata
    from tp_tools.merging.rank_names import RankChoice

BOTH, BY_INFO, BY_NAME = "distributedInfo and name", "distributedInfo", "name"

_SHOWN = 4


class RankNotUnique(InputError):  # noqa: N818  the name reads as the fact it states
    """Two files are of one rank."""


@dataclass(frozen=True)
class JobRank:
    """A rank and its file.

    Attributes:
        rank: its number in the job.
        file: the trace.
        labels: its numbers on the parallel axes.
        by: what says so: BOTH, BY_INFO or BY_NAME.
        replica: 0, or the number of its data parallel replica where each is a job of its own.
        place: where the file stood among those that were given.
    """

    rank: int
    file: str
    labels: dict[str, int]
    by: str
    replica: int
    place: int

    @property
    def title(self) -> str:
        """What it is called: "rank 3 (DP0 TP3)"."""
        labels = " ".join(f"{axis}{self.labels[axis]}" for axis in AXES if axis in self.labels)
        return f"rank {self.rank} ({labels})" if labels else f"rank {self.rank}"


@dataclass(frozen=True)
class _Found:
    """A file with what it and its name say; None where one does not say.

    Attributes:
        place: where it stood among those that were given.
        file: the trace.
        said: its rank by its own distributedInfo.
        by_name: its rank by its name.
        is_hinted: whether the name says a rank, not only a place on the parallel axes.
        labels: its numbers on the parallel axes.
        world_size: of its job.
    """

    place: int
    file: str
    said: int | None
    by_name: int | None
    is_hinted: bool
    labels: dict[str, int]
    world_size: int | None

    @property
    def rank(self) -> int | None:
        """Its rank."""
        return self.by_name if self.said is None else self.said

    def numbered(self, rank: int, replica: int = 0) -> JobRank:
        """As the rank of this number."""
        by = BY_NAME if self.said is None else BOTH if self.by_name == rank else BY_INFO
        return JobRank(rank, self.file, self.labels, by, replica, self.place)


def resolve(
    files: Sequence[tuple[str, TraceMetadata]], choice: RankChoice, say: Callable[[str], None]
) -> tuple[list[JobRank], list[int]]:
    """The ranks in order, and the numbers of those that are missing.

    Args:
        files: each file with what it says itself.
        choice: whether ranks may be missing.
        say: gets a line where ranks rest on one witness only.

    Raises:
        InputError: ranks are unknown, not unique, contradictory or missing; or of several jobs.
    """
    found = _found(files)
    for it in found:
        if it.rank is None:
            raise InputError(
                f"{it.file}: its rank is unknown: it has no distributedInfo, and its name says "
                "none. Name it rank0.json.gz or the like, or leave it out."
            )
    ordered = sorted(_apart(found), key=lambda it: (it.replica, it.rank))
    _check_one_job(ordered, files)
    missing = _missing(ordered, files, choice)
    _say_witnesses(ordered, found, say)
    return ordered, missing


def rankless(files: Sequence[tuple[str, TraceMetadata]]) -> list[str]:
    """The files that are no rank: they say none, and their name none that can be true.

    The name of a machine may look like that of a rank: where the names of others say wrong ranks,
    this one's counts for nothing.
    """
    found = _found(files)
    taken = {it.said for it in found if it.said is not None}
    are_wrong = any(it.is_hinted and it.said not in {None, it.by_name} for it in found)
    return [
        it.file
        for it in found
        if it.said is None
        and (it.by_name is None or it.by_name in taken or (it.is_hinted and are_wrong))
    ]


def collide(files: Sequence[tuple[str, TraceMetadata]]) -> bool:
    """Whether these cannot be of one job: two are of one rank, or of jobs of different sizes."""
    if len(files) < 2:  # noqa: PLR2004  one is of one job
        return False
    found = [it for it in _found(files) if it.rank is not None]
    if len({it.world_size for it in found} - {None}) > 1:
        return True
    try:
        _apart(found)
    except RankNotUnique:
        return True
    return False


def _found(files: Sequence[tuple[str, TraceMetadata]]) -> list[_Found]:
    sizes = [said.world_size for _, said in files]
    names = with_places(named_together([file for file, _ in files]), sizes)
    return [
        _Found(place, file, said.rank, by_name, bool(name.hints), name.labels, said.world_size)
        for place, ((file, said), name, by_name) in enumerate(
            zip(files, names, ranks_by_name(names), strict=True)
        )
    ]


def _apart(found: list[_Found]) -> list[JobRank]:
    """Ranks with numbers of their own: replicas that count from 0 each are told apart by DP.

    Raises:
        RankNotUnique: two files are of one rank.
    """
    by_rank = defaultdict[int, list[_Found]](list)
    for it in found:
        by_rank[it.rank or 0].append(it)
    doubled = [them for _, them in sorted(by_rank.items()) if len(them) > 1]
    if not doubled:
        return [it.numbered(it.rank or 0) for it in found]
    size = _replica_size(found)
    if size is None:
        raise _not_unique(doubled[0])
    return [it.numbered(dp * size + (it.rank or 0), dp) for it in found for dp in [it.labels["DP"]]]


def _replica_size(found: list[_Found]) -> int | None:
    """The ranks of each replica; None where DP does not tell replicas apart."""
    places = {(it.labels.get("DP"), it.rank) for it in found}
    sizes = {it.world_size for it in found}
    if len(places) < len(found) or any("DP" not in it.labels for it in found) or len(sizes) > 1:
        return None
    return sizes.pop() or 1 + max(it.rank or 0 for it in found)


def _not_unique(them: list[_Found]) -> RankNotUnique:
    size = f" of {them[0].world_size}" if them[0].world_size is not None else ""
    return RankNotUnique(
        f"{' and '.join(it.file for it in them[:2])} are both of rank {them[0].rank}{size}. Leave "
        "one out; if they are replicas, each a job of its own, name them DP-0, DP-1, ..."
    )


def _check_one_job(ranks: list[JobRank], files: Sequence[tuple[str, TraceMetadata]]) -> None:
    """Raises InputError where two files cannot be of one job."""
    sized = [(it, files[it.place][1].world_size) for it in ranks]
    known = [(it, size) for it, size in sized if size is not None]
    groups: dict[tuple[int, str], tuple[str, frozenset[int]]] = {}
    for it, size in known:
        first, of = known[0]
        if size != of:
            raise InputError(
                f"{first.file} is of a job of {of} ranks, {it.file} of one of {size}. "
                "Give the ranks of one job."
            )
    for it in ranks:
        for group, members in files[it.place][1].groups.items():
            file, others = groups.setdefault((it.replica, group), (it.file, members))
            if members & others and members != others:
                raise InputError(
                    f"{file} and {it.file} are of different jobs: process group {group} is "
                    f"{some(sorted(others))} in one and {some(sorted(members))} in the other."
                )


def _missing(
    ranks: list[JobRank], files: Sequence[tuple[str, TraceMetadata]], choice: RankChoice
) -> list[int]:
    """The ranks between 0 and the size of the job that have no file.

    Raises:
        InputError: there are some, and that was not allowed.
    """
    sizes = [files[it.place][1].world_size for it in ranks]
    known = [size for size in sizes if size is not None]
    replicas = 1 + max(it.replica for it in ranks)
    total = max(*known, 0) * replicas if known else 1 + max(it.rank for it in ranks)
    there = {it.rank for it in ranks}
    beyond = [it for it in ranks if it.rank >= total]
    if beyond:
        raise InputError(
            f"{beyond[0].file}: is rank {beyond[0].rank} of a job of {total} ranks: contradictory."
        )
    missing = [rank for rank in range(total) if rank not in there]
    if missing and not choice.allow_missing:
        raise InputError(
            f"{len(missing)} of {total} ranks have no file: {some(missing)}. Give them, or go on "
            "without them: --allow-missing."
        )
    return missing


def _say_witnesses(ranks: list[JobRank], found: list[_Found], say: Callable[[str], None]) -> None:
    """Says of which ranks the name says none or another. Numbers that repeat are no ranks."""
    hints = Counter(it.by_name for it in found if it.is_hinted)
    by_rank = [(it, found[it.place]) for it in ranks]
    another = [
        f"{Path(it.file).name} (rank {it.rank})"
        for it, of in by_rank
        if it.by == BY_INFO and of.is_hinted and hints[of.by_name] == 1
    ]
    silent = [
        it for it, of in by_rank if of.by_name is None or (of.is_hinted and hints[of.by_name] > 1)
    ]
    if another:
        say(f"Rank by distributedInfo, names say another: {some(another)}.")
    by_name = [it for it in ranks if it.by == BY_NAME]
    by_info = [it for it in silent if it.by != BY_NAME]
    for by, why, them in (
        (BY_NAME, "they have no distributedInfo", by_name),
        (BY_INFO, "their names say none", by_info),
    ):
        if them:
            say(f"Rank by {by} alone, {why}: {some([Path(it.file).name for it in them])}.")


def some(items: Iterable[object]) -> str:
    """The first few of them."""
    listed = [str(item) for item in items]
    more = f", ... {listed[-1]}" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
