"""Read the names of files: rank, indices on the parallel axes, profile and stage.

Names as profilers write them: SGLang `ID-TP-0-DP-0-PP-0-EP-0[-STAGE].trace.json.gz`, vLLM
`dp0_pp0_tp0_dcp0_ep0_rank0.TIME...`, TensorRT-LLM `trace-rank-0.json`, Megatron `rank-0.json.gz`,
PyTorch `rank0`, `rank_0`, `rank 0`, `worker0`, `HOST_PID.TIME.pt.trace.json`, Primus
`exp[NAME]-rank[0]`; indices on axes also as `tp_rank_0`.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

AXES = ("DP", "PP", "TP", "EP", "CP", "DCP", "PCP")
"""The parallel axes that names may hold, in the order in which ranks are sorted."""

_HINT = re.compile(
    r"(?P<axis>(?<![A-Za-z])(?:DCP|PCP|TP|DP|PP|EP|CP)[-_ ]?)?"
    r"(?P<kind>(?:global|local|node)[-_]?rank|rank|worker)"
    r"(?:[-_=.]|\s?#|\s)?[\[(]?(?P<number>\d+)"
    r"(?![\d.]*[kKmM]?[bB]\b)",
    re.IGNORECASE,
)
_AXIS = re.compile(
    r"(?<![A-Za-z])(DCP|PCP|TP|DP|PP|EP|CP)(?:[-_ ]?rank)?[-_=]?[\[(]?(\d+)(?![A-Za-z\d])",
    re.IGNORECASE,
)
_SGLANG = re.compile(
    r"(?P<profile>.*?)-?TP-\d+(?:-[A-Z]{2,4}-\d+)*(?:-(?P<stage>[A-Za-z]+(?:_[A-Za-z]+)*))?\.(?:trace\.)?json",
)
_MERGED = re.compile(r"merged[-_.]", re.IGNORECASE)
_VLLM = re.compile(r"(?:dp\d+_)?pp\d+_tp\d+_(?:[a-z]+\d+_)*rank\d+\b")
_HOST_PID = re.compile(r"^.*_\d+(?=\.\d{10,}\.|\.[\w-]+\.\d{10,}\.)")
_TIME = re.compile(
    r"(?<!\d)(?:1\d{9}(?:\d{3}){0,3}|20\d\d-?\d\d-?\d\d[-_T]?\d\d[-:.]?\d\d(?:[-:.]?\d\d)?)(?!\d)"
)
_SURE, _WEAK = ("globalrank", "rank", "worker"), ("localrank", "noderank")


class FileNameInfo(Struct, frozen=True):
    """The facts that a file's name holds.

    Attributes:
        hints: numbers behind "rank", or else behind "worker", in their order.
        labels: index on each parallel axis, for example {"DP": 0, "TP": 3}.
        profile: id of the profile, of several (SGLang); else empty.
        stage: stage of the engine (SGLang: prefill, decode); else empty.
        pattern: the name with an asterisk for each number of a rank, an axis, a time or a process.
        time: time when the profile was written, as in the name; else empty.
        is_structured: whether labels are certainly indices, and not sizes of axes.
        is_local: whether the rank counts within a data parallel engine (vLLM).
        is_merged: whether the file is a merge of ranks (SGLang's `merged-ID`).
    """

    hints: tuple[int, ...]
    labels: dict[str, int]
    profile: str = ""
    stage: str = ""
    pattern: str = ""
    time: str = ""
    is_structured: bool = False
    is_local: bool = False
    is_merged: bool = False

    @property
    def rank(self) -> int | None:
        """The last of `hints`; None if there is none."""
        return self.hints[-1] if self.hints else None


class RankChoice(Struct, frozen=True):
    """The job to take where a folder holds more than one.

    Attributes:
        profile, stage: the profile and the stage to take; None takes the only one there is.
        allow_missing: whether ranks may be missing.
        ranks: numbers of the ranks to take; none at all stand for all ranks.
    """

    profile: str | None = None
    stage: str | None = None
    allow_missing: bool = False
    ranks: tuple[range, ...] = ()

    def wanted(self, total: int) -> list[int]:
        """Return the numbers of the ranks to take of a job of this many, in order."""
        return sorted(set(itertools.chain.from_iterable(self.ranks or (range(total),))))


def parse_file_name(file: str) -> FileNameInfo:
    """Read the name of a file; where it holds no rank and no axis, that of its folder, too."""
    path = Path(file)
    name, folder = _parse(path.name), _parse(path.absolute().parent.name)
    if not name.hints and not name.labels:
        return replace(name, hints=folder.hints, labels=folder.labels)
    return name


def named_together(files: Sequence[str]) -> list[FileNameInfo]:
    """Read the names of several files together.

    The name of a folder counts where the files lie in several folders. Of several numbers behind
    "rank" in a name, the last one that differs most between the files counts.
    """
    paths = [Path(file).absolute() for file in files]
    names = [_parse(path.name) for path in paths]
    if len({path.parent for path in paths}) > 1 or len(files) == 1:
        folders = [_parse(path.parent.name) for path in paths]
        names = [
            replace(name, hints=name.hints or folder.hints, labels={**folder.labels, **name.labels})
            for name, folder in zip(names, folders, strict=True)
        ]
    return _with_one_hint(names)


def _with_one_hint(names: list[FileNameInfo]) -> list[FileNameInfo]:
    """Keep, of several hints per name, those at the position that tells most files apart."""
    hinted = [name.hints for name in names if name.hints]
    if len(hinted) == 1 or len({len(hints) for hints in hinted}) != 1:
        return names
    columns = reversed(list(zip(*hinted, strict=True)))
    numbers = iter(max(columns, key=lambda column: len(set(column))))
    return [replace(name, hints=(next(numbers),)) if name.hints else name for name in names]


def with_places(names: list[FileNameInfo], sizes: list[int | None]) -> list[FileNameInfo]:
    """Drop labels that are sizes of axes: "tp8" in the names of all eight ranks is no index.

    Args:
        names: the files of a job.
        sizes: number of ranks of the job, as each file states it; None where it states none.
    """
    labelled = [name.labels for name in names if name.labels]
    constant = {
        axis
        for axis in AXES
        if len(labelled) > 1 and len({labels.get(axis) for labels in labelled}) == 1
        if labelled[0].get(axis)
    }

    def is_place(name: FileNameInfo, axis: str, number: int, size: int | None) -> bool:
        if name.is_structured:
            return True
        is_replica = axis == "DP" and len(names) > 1
        return axis not in constant and (is_replica or size is None or number < size)

    return [
        replace(
            name,
            labels={axis: n for axis, n in name.labels.items() if is_place(name, axis, n, size)},
        )
        for name, size in zip(names, sizes, strict=True)
    ]


def ranks_by_name(names: list[FileNameInfo]) -> list[int | None]:
    """Return the rank that each name states; None where it states none.

    A number behind "rank" is the rank, unless several files have the same and indices on the
    parallel axes tell them apart. vLLM's counts within its data parallel engine.
    """
    engine = 1 + max((name.rank or 0 for name in names if name.is_local), default=0)
    hinted = [
        None if name.rank is None else name.rank + engine * name.labels.get("DP", 0) * name.is_local
        for name in names
    ]
    by_axes = _ranks_by_axes(names)
    is_unique = len(set(hinted)) == len(names)
    if not is_unique and len(set(by_axes) - {None}) == len(names):
        return by_axes
    return [
        by_axis if hint is None else hint for hint, by_axis in zip(hinted, by_axes, strict=True)
    ]


def _ranks_by_axes(names: list[FileNameInfo]) -> list[int | None]:
    """Compute ranks from indices on the parallel axes, as digits: DP first, TP last.

    Where TP numbers do not repeat within a PP stage, DP lies within TP, as with SGLang's data
    parallel attention. Axes that only split the tensor parallel one, EP and DCP, add no rank.
    """
    counted = ["DP", "PP", "PCP", "CP", "TP"]
    inner = [
        tuple(name.labels.get(axis, 0) for axis in counted[1:]) for name in names if name.labels
    ]
    if len(set(inner)) == len(inner):
        counted = counted[1:]
    size = {axis: 1 + max(name.labels.get(axis, 0) for name in names) for axis in counted}

    def rank_of(name: FileNameInfo) -> int | None:
        rank = 0
        for axis in counted:
            rank = rank * size[axis] + name.labels.get(axis, 0)
        return rank if name.labels else None

    return [rank_of(name) for name in names]


def _parse(name: str) -> FileNameInfo:
    """Read one name of a file or folder."""
    labels = {axis.upper(): int(number) for axis, number in _AXIS.findall(name)}
    sglang = _SGLANG.match(name)
    time = _TIME.search(name)
    return FileNameInfo(
        _hints(name),
        labels,
        sglang["profile"] if sglang else "",
        (sglang["stage"] or "") if sglang else "",
        _pattern(name),
        time[0] if time else "",
        is_structured=bool(sglang or _VLLM.search(name)),
        is_local=bool(_VLLM.search(name)),
        is_merged=bool(_MERGED.match(name)) and not labels and not _hints(name),
    )


def _hints(name: str) -> tuple[int, ...]:
    """Return the numbers behind the surest word for a rank that the name holds."""
    words = [
        (re.sub(r"[-_]", "", match["kind"].lower()), int(match["number"]))
        for match in _HINT.finditer(name)
        if match["axis"] is None
    ]
    for kind in (*_SURE, *_WEAK):
        numbers = tuple(number for word, number in words if word == kind)
        if numbers:
            return numbers
    return ()


def _pattern(name: str) -> str:
    """Replace the numbers of ranks, axes, times and processes by asterisks."""
    stem = name.split(".json", maxsplit=1)[0].removesuffix(".trace").removesuffix(".pt")
    stem = _HOST_PID.sub("*", f"{stem}.").removesuffix(".")
    for digits in (_HINT, _AXIS, _TIME):
        stem = digits.sub(lambda match: re.sub(r"\d+", "*", match[0]), stem)
    return stem
