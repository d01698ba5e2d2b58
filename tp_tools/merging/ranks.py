"""Tell which rank of a job each file is, by its metadata and its name, and put ranks in order.

A file's own `distributedInfo` is the truth, its name (`rank_names`) is a hint.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.errors import InputError
from tp_tools.merging.rank_names import AXES, named_together, ranks_by_name, with_places
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tp_tools.chrome import TraceMetadata
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.progress import Reporter

BOTH, BY_INFO, BY_NAME = "distributedInfo and name", "distributedInfo", "name"

_SHOWN = 4


class RankNotUnique(InputError):  # noqa: N818  the name reads as the fact it states
    """Two files are of one rank."""


class JobRank(Struct, frozen=True):
    """A rank and its file.

    Attributes:
        rank: its number in the job.
        file: path of the trace.
        labels: its index on each parallel axis, for example {"DP": 0, "TP": 3}.
        by: source of the number: BOTH, BY_INFO or BY_NAME.
        replica: 0, or the number of its data parallel replica where each is a job of its own.
        place: index of the file among the given ones.
    """

    rank: int
    file: str
    labels: dict[str, int]
    by: str
    replica: int
    place: int

    @property
    def title(self) -> str:
        """Name of the rank, for example "rank 3 (DP0 TP3)"."""
        labels = " ".join(f"{axis}{self.labels[axis]}" for axis in AXES if axis in self.labels)
        return f"rank {self.rank} ({labels})" if labels else f"rank {self.rank}"


class _Candidate(Struct, frozen=True):
    """A file with the rank that its metadata and its name state; None where one states none.

    Attributes:
        place: index of the file among the given ones.
        file: path of the trace.
        by_info: its rank by its own distributedInfo.
        by_name: its rank by its name.
        is_hinted: whether the name has a number of a rank, not only indices on the parallel axes.
        labels: its index on each parallel axis.
        world_size: number of ranks of its job.
    """

    place: int
    file: str
    by_info: int | None
    by_name: int | None
    is_hinted: bool
    labels: dict[str, int]
    world_size: int | None

    @property
    def rank(self) -> int | None:
        """Its rank: the one of its metadata, else the one of its name."""
        return self.by_name if self.by_info is None else self.by_info

    def numbered(self, rank: int, replica: int = 0) -> JobRank:
        """Return the file as the rank of this number."""
        by = BY_NAME if self.by_info is None else BOTH if self.by_name == rank else BY_INFO
        return JobRank(rank, self.file, self.labels, by, replica, self.place)


def resolve(
    files: Sequence[tuple[str, TraceMetadata]],
    choice: RankChoice,
    reporter: Reporter = SILENT,
) -> tuple[list[JobRank], list[int]]:
    """Put the files of a job in order of rank.

    Args:
        files: each file with its metadata.
        choice: the ranks that are wanted, and whether some may be missing.
        reporter: receives notes about ranks that only one source states, or on which they disagree.

    Returns:
        The ranks in order, and the numbers of the ranks without a file.

    Raises:
        InputError: ranks are unknown, not unique, contradictory or missing; or of several jobs.
    """
    for name, stated in files:
        if stated.exported_ranks > 1:
            raise InputError(
                f"{name}: holds {stated.exported_ranks} ranks: alone it is taken as it is; with "
                "other files, merge them first (tp-tools merge), which takes it apart."
            )
    candidates = _candidates(files)
    for file in candidates:
        if file.rank is None:
            raise InputError(
                f"{file.file}: its rank is unknown: it has no distributedInfo, and its name says "
                "none. Name it rank0.json.gz or the like, or leave it out."
            )
    ordered = sorted(_numbered(candidates), key=lambda rank: (rank.replica, rank.rank))
    _check_one_job(ordered, files)
    missing = _missing(ordered, files, choice)
    _say_sources(ordered, candidates, reporter)
    return ordered, missing


def rankless(files: Sequence[tuple[str, TraceMetadata]]) -> list[str]:
    """List the files that are no rank: no metadata states one, and the name none that can be true.

    The name of a machine may look like that of a rank, such as "worker3": where the names of other
    files contradict their metadata, the name of a file without metadata does not count.
    """
    candidates = _candidates(files)
    taken = {file.by_info for file in candidates if file.by_info is not None}
    are_wrong = any(
        file.is_hinted and file.by_info not in {None, file.by_name} for file in candidates
    )
    return [
        file.file
        for file in candidates
        if file.by_info is None
        and (file.by_name is None or file.by_name in taken or (file.is_hinted and are_wrong))
    ]


def collide(files: Sequence[tuple[str, TraceMetadata]]) -> bool:
    """Tell whether files cannot be of one job: two are of one rank, or of jobs of other sizes."""
    if len(files) < 2:  # noqa: PLR2004  one is of one job
        return False
    ranked = [file for file in _candidates(files) if file.rank is not None]
    if len({file.world_size for file in ranked} - {None}) > 1:
        return True
    try:
        _numbered(ranked)
    except RankNotUnique:
        return True
    return False


def _candidates(files: Sequence[tuple[str, TraceMetadata]]) -> list[_Candidate]:
    """Return each file with the rank that its metadata and its name state."""
    sizes = [stated.world_size for _, stated in files]
    names = with_places(named_together([file for file, _ in files]), sizes)
    return [
        _Candidate(
            place, file, stated.rank, by_name, bool(name.hints), name.labels, stated.world_size
        )
        for place, ((file, stated), name, by_name) in enumerate(
            zip(files, names, ranks_by_name(names), strict=True)
        )
    ]


def _numbered(candidates: list[_Candidate]) -> list[JobRank]:
    """Give each file its own number: replicas that count from 0 each follow each other by DP.

    Raises:
        RankNotUnique: two files are of one rank.
    """
    by_rank = defaultdict[int, list[_Candidate]](list)
    for file in candidates:
        by_rank[file.rank or 0].append(file)
    doubled = [files for _, files in sorted(by_rank.items()) if len(files) > 1]
    if not doubled:
        return [file.numbered(file.rank or 0) for file in candidates]
    size = _replica_size(candidates)
    if size is None:
        raise _not_unique(doubled[0])
    return [
        file.numbered(dp * size + (file.rank or 0), dp)
        for file in candidates
        for dp in [file.labels["DP"]]
    ]


def _replica_size(candidates: list[_Candidate]) -> int | None:
    """Return the number of ranks of each replica; None where DP does not tell replicas apart."""
    places = {(file.labels.get("DP"), file.rank) for file in candidates}
    sizes = {file.world_size for file in candidates}
    has_dp = all("DP" in file.labels for file in candidates)
    if len(places) < len(candidates) or not has_dp or len(sizes) > 1:
        return None
    return sizes.pop() or 1 + max(file.rank or 0 for file in candidates)


def _not_unique(files: list[_Candidate]) -> RankNotUnique:
    """Return the error for files of one rank."""
    size = f" of {files[0].world_size}" if files[0].world_size is not None else ""
    names = " and ".join(file.file for file in files[:2])
    return RankNotUnique(
        f"{names} are both of rank {files[0].rank}{size}. Leave "
        "one out; if they are replicas, each a job of its own, name them DP-0, DP-1, ..."
    )


def _check_one_job(ranks: list[JobRank], files: Sequence[tuple[str, TraceMetadata]]) -> None:
    """Raise InputError where two files cannot be of one job."""
    sized = [(rank, files[rank.place][1].world_size) for rank in ranks]
    known = [(rank, size) for rank, size in sized if size is not None]
    groups: dict[tuple[int, str], tuple[str, frozenset[int]]] = {}
    for rank, size in known:
        first, first_size = known[0]
        if size != first_size:
            raise InputError(
                f"{first.file} is of a job of {first_size} ranks, {rank.file} of one of {size}. "
                "Give the ranks of one job."
            )
    for rank in ranks:
        for group, members in files[rank.place][1].groups.items():
            file, others = groups.setdefault((rank.replica, group), (rank.file, members))
            if members & others and members != others:
                raise InputError(
                    f"{file} and {rank.file} are of different jobs: process group {group} is "
                    f"{some(sorted(others))} in one and {some(sorted(members))} in the other."
                )


def _missing(
    ranks: list[JobRank], files: Sequence[tuple[str, TraceMetadata]], choice: RankChoice
) -> list[int]:
    """Return the ranks that `choice` takes, of all that the job has, and that have no file.

    Raises:
        InputError: ranks are missing and `choice` does not allow that, or a rank is too high.
    """
    known = [size for rank in ranks if (size := files[rank.place][1].world_size) is not None]
    replicas = 1 + max(rank.replica for rank in ranks)
    total = max(*known, 0) * replicas if known else 1 + max(rank.rank for rank in ranks)
    present = {rank.rank for rank in ranks}
    beyond = [rank for rank in ranks if rank.rank >= total]
    if beyond:
        raise InputError(
            f"{beyond[0].file}: is rank {beyond[0].rank} of a job of {total} ranks: contradictory."
        )
    wanted = choice.wanted(total)
    missing = [number for number in wanted if number not in present]
    if missing and not choice.allow_missing:
        raise InputError(
            f"{len(missing)} of {len(wanted)} ranks have no file: {some(missing)}. Give them, or "
            "go on without them: --allow-missing."
        )
    return missing


def _say_sources(ranks: list[JobRank], candidates: list[_Candidate], reporter: Reporter) -> None:
    """Print the ranks whose name states another rank or none, and those by name alone.

    Numbers that repeat in the names are no ranks.
    """
    hints = Counter(file.by_name for file in candidates if file.is_hinted)
    pairs = [(rank, candidates[rank.place]) for rank in ranks]
    another = [
        f"{Path(rank.file).name} (rank {rank.rank})"
        for rank, file in pairs
        if rank.by == BY_INFO and file.is_hinted and hints[file.by_name] == 1
    ]
    unnamed = [rank for rank, file in pairs if file.by_name is None]
    repeated = [rank for rank, file in pairs if file.is_hinted and hints[file.by_name] > 1]
    if another:
        reporter.say(f"Rank by distributedInfo, names say another: {some(another)}.")
    by_name = [rank for rank in ranks if rank.by == BY_NAME]
    for by, why, listed in (
        (BY_NAME, "they have no distributedInfo", by_name),
        (BY_INFO, "their names say none", [it for it in unnamed if it.by != BY_NAME]),
        (BY_INFO, "numbers in their names repeat", [it for it in repeated if it.by != BY_NAME]),
    ):
        if listed:
            names = [Path(rank.file).name for rank in listed]
            reporter.say(f"Rank by {by} alone, {why}: {some(names)}.")


def some(items: Iterable[object]) -> str:
    """Write the first few items, and the last one where there are more: "0, 1, 2, 3, ... 7"."""
    listed = [str(item) for item in items]
    more = f", ... {listed[-1]}" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
