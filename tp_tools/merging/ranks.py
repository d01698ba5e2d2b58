"""Which rank of a job each file is, from what it says and how it is called, in one order.

A file's own `distributedInfo` is the truth, its name (`file_names`) confirms it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import InputError
from tp_tools.merging.rank_names import AXES, parse_file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tp_tools.merging.jobs import Said
    from tp_tools.merging.rank_names import FileNameInfo, RankChoice

BOTH, BY_INFO, BY_NAME = "distributedInfo and name", "distributedInfo", "name"

_SHOWN = 4


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


def resolve(
    files: Sequence[tuple[str, Said]], choice: RankChoice, say: Callable[[str], None]
) -> tuple[list[JobRank], list[int]]:
    """The ranks in order, and the numbers of those that are missing.

    Args:
        files: each file with what it says itself.
        choice: whether ranks may be missing.
        say: gets a line where ranks rest on one witness only.

    Raises:
        InputError: ranks are unknown, contradictory, doubled or missing; or of several jobs.
    """
    names = _with_labels([parse_file_name(file) for file, _ in files], [said for _, said in files])
    found = [
        _rank(place, file, name, said)
        for place, ((file, said), name) in enumerate(zip(files, names, strict=True))
    ]
    numbered = _numbered(found, names)
    ordered = sorted(_apart(numbered, files), key=lambda it: (it.replica, it.rank))
    _check_one_job(ordered, files)
    _say_witnesses(ordered, say)
    return ordered, _missing(ordered, files, choice)


def _with_labels(names: list[FileNameInfo], said: list[Said]) -> list[FileNameInfo]:
    """Labels that are sizes left out: "tp8" in the names of all eight ranks is no rank."""
    sizes = {
        axis
        for axis in AXES
        if len(names) > 1
        and len({name.labels.get(axis) for name in names}) == 1
        and names[0].labels.get(axis)
    }
    return [
        replace(
            name,
            labels={
                axis: number
                for axis, number in name.labels.items()
                if axis not in sizes and number < (it.world_size or number + 1)
            },
        )
        for name, it in zip(names, said, strict=True)
    ]


@dataclass(frozen=True)
class _Found:
    """A file whose rank may still be open."""

    place: int
    file: str
    rank: int | None
    by: str
    labels: dict[str, int]


def _rank(place: int, file: str, name: FileNameInfo, said: Said) -> _Found:
    """What both witnesses agree on.

    Raises:
        InputError: they do not.
    """
    by_name = name.rank
    only_tp = by_name is None and not any(
        v for a, v in name.labels.items() if a not in ("TP", "EP")
    )
    if only_tp:
        by_name = name.labels.get("TP")
    if said.rank is not None and by_name not in (None, said.rank):
        raise InputError(
            f"{file}: its name says rank {by_name}, its distributedInfo rank {said.rank}. "
            "Rename it, or leave it out."
        )
    rank = by_name if said.rank is None else said.rank
    by = BY_NAME if said.rank is None else BY_INFO if by_name is None else BOTH
    return _Found(place, file, rank, by, name.labels)


def _numbered(found: list[_Found], names: list[FileNameInfo]) -> list[_Found]:
    """Ranks for files that tell only their place on the parallel axes.

    DP, PP, TP count like digits; where TP numbers do not repeat within a PP stage, DP lies within
    TP, as with SGLang's data parallel attention.

    Raises:
        InputError: a file tells nothing.
    """
    unknown = [it for it in found if it.rank is None or (it.by == BY_NAME and len(it.labels) > 1)]
    for it in unknown:
        if it.rank is None and not it.labels:
            raise InputError(
                f"{it.file}: its rank is unknown: it has no distributedInfo, and its name says "
                "none. Name it rank0.json.gz or the like."
            )
    if not unknown:
        return found
    size = {axis: 1 + max(name.labels.get(axis, 0) for name in names) for axis in AXES}
    within = [(it.labels.get("PP", 0), it.labels.get("TP", 0)) for it in unknown]
    repeated = len(set(within)) < len(within)
    result = []
    for it, name in zip(found, names, strict=True):
        dp, pp, tp = (it.labels.get(axis, 0) for axis in AXES[:3])
        rank = ((dp if repeated else 0) * size["PP"] + pp) * size["TP"] + tp
        known = it not in unknown or name.rank is not None
        result.append(it if known else replace(it, rank=rank))
    return result


def _apart(found: list[_Found], files: Sequence[tuple[str, Said]]) -> list[JobRank]:
    """Ranks with numbers of their own: replicas that count from 0 each are told apart by DP.

    Raises:
        InputError: two files are of one rank.
    """
    by_rank = defaultdict[int, list[_Found]](list)
    for it in found:
        by_rank[it.rank or 0].append(it)
    doubled = {rank: them for rank, them in by_rank.items() if len(them) > 1}
    sizes = {files[it.place][1].world_size for it in found}
    size = sizes.pop() if len(sizes) == 1 else None
    replicas = {(it.labels.get("DP"), it.rank) for it in found}
    if doubled and size and len(replicas) == len(found):
        return [
            JobRank(dp * size + (it.rank or 0), it.file, it.labels, it.by, dp, it.place)
            for it in found
            for dp in [it.labels.get("DP", 0)]
        ]
    for rank, them in doubled.items():
        raise InputError(
            f"{' and '.join(it.file for it in them[:2])} are both of rank {rank}. Leave one out."
        )
    return [JobRank(it.rank or 0, it.file, it.labels, it.by, 0, it.place) for it in found]


def _check_one_job(ranks: list[JobRank], files: Sequence[tuple[str, Said]]) -> None:
    """Raises InputError where two files cannot be of one job."""
    first = ranks[0]
    size = files[first.place][1].world_size
    groups: dict[tuple[int, str], tuple[str, frozenset[int]]] = {}
    for it in ranks:
        said = files[it.place][1]
        if None not in (size, said.world_size) and said.world_size != size:
            raise InputError(
                f"{first.file} is of a job of {size} ranks, {it.file} of one of "
                f"{said.world_size}. Give the ranks of one job."
            )
        for group, members in said.groups.items():
            file, others = groups.setdefault((it.replica, group), (it.file, members))
            if members & others and members != others:
                raise InputError(
                    f"{file} and {it.file} are of different jobs: process group {group} is "
                    f"{_some(sorted(others))} in one and {_some(sorted(members))} in the other."
                )


def _missing(
    ranks: list[JobRank], files: Sequence[tuple[str, Said]], choice: RankChoice
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
            f"{len(missing)} of {total} ranks have no file: {_some(missing)}. Give them, or go on "
            "without them: --allow-missing."
        )
    return missing


def _say_witnesses(ranks: list[JobRank], say: Callable[[str], None]) -> None:
    for by, other in ((BY_NAME, "they have no distributedInfo"), (BY_INFO, "their names say none")):
        them = [it for it in ranks if it.by == by]
        if them:
            say(f"Rank by {by} alone, {other}: {_some([Path(it.file).name for it in them])}.")


def _some(items: Iterable[object]) -> str:
    """The first few of them."""
    listed = [str(item) for item in items]
    more = f", ... {listed[-1]}" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
