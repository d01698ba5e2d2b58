"""What the names of files say: which rank, which place on the parallel axes, which profile.

Names as profilers write them: SGLang `ID-TP-0-DP-0-PP-0-EP-0[-STAGE].trace.json.gz`, vLLM
`dp0_pp0_tp0_dcp0_ep0_rank0.TIME...`, TensorRT-LLM `trace-rank-0.json`, Megatron `rank-0.json.gz`,
PyTorch `rank0`, `rank_0`, `worker0`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

AXES = ("DP", "PP", "TP", "EP", "CP", "DCP", "PCP")
"""The parallel axes that names tell, in the order in which ranks are sorted."""

_RANK = re.compile(r"(?:rank|worker)[-_]?(\d+)(?![\d.]*[kKmM]?[bB]\b)", re.IGNORECASE)
_AXIS = re.compile(r"(?<![A-Za-z])(DCP|PCP|TP|DP|PP|EP|CP)[-_]?(\d+)(?![A-Za-z\d])", re.IGNORECASE)
_SGLANG = re.compile(
    r"(?P<profile>.*?)-?TP-\d+(?:-(?:DP|PP|EP|CP)-\d+)*(?:-(?P<stage>[A-Za-z]\w*))?\.(?:trace\.)?json",
)


@dataclass(frozen=True)
class FileNameInfo:
    """What a file's name says.

    Attributes:
        rank: None if it says none.
        labels: numbers on the parallel axes.
        profile: which of several profiles the file is of (SGLang); else empty.
        stage: which stage of the engine (SGLang: prefill, decode); else empty.
    """

    rank: int | None
    labels: dict[str, int]
    profile: str = ""
    stage: str = ""


@dataclass(frozen=True)
class RankChoice:
    """What was asked for where a folder holds more than one job.

    Attributes:
        profile, stage: the one to take; None takes what there is, if there is one.
        allow_missing: whether ranks may be missing.
    """

    profile: str | None = None
    stage: str | None = None
    allow_missing: bool = False


def parse_file_name(file: str) -> FileNameInfo:
    """What the name of a file says, or, if that says nothing, the name of its folder."""
    path = Path(file)
    here, above = _named(path.name), _named(path.absolute().parent.name)
    if here.rank is None and not here.labels:
        return replace(here, rank=above.rank, labels=above.labels)
    return here


def _named(name: str) -> FileNameInfo:
    rank = _RANK.search(name)
    labels = {axis.upper(): int(number) for axis, number in _AXIS.findall(name)}
    sglang = _SGLANG.match(name)
    return FileNameInfo(
        int(rank[1]) if rank else None,
        labels,
        sglang["profile"] if sglang else "",
        (sglang["stage"] or "") if sglang else "",
    )


def chosen(files: Sequence[str], choice: RankChoice) -> list[str]:
    """The files of one profile and stage.

    Raises:
        InputError: there are several and none was chosen, or the chosen one is not there.
    """
    names = {file: parse_file_name(file) for file in files}
    kept = _chosen(names, list(names), "profile", choice.profile)
    return _chosen(names, kept, "stage", choice.stage)


def _chosen(
    names: dict[str, FileNameInfo], files: list[str], key: str, wanted: str | None
) -> list[str]:
    groups = defaultdict[str, list[str]](list)
    for file in files:
        groups[getattr(names[file], key)].append(file)
    counts = ", ".join(f"{group or 'none'} ({len(them)})" for group, them in sorted(groups.items()))
    if wanted is not None:
        if wanted not in groups:
            raise InputError(f"no file is of {key} {wanted!r}; there are: {counts}.")
        return groups[wanted]
    if len(groups) > 1 and _collide(names, files):
        raise InputError(
            f"the files are of {len(groups)} {key}s: {counts}. Choose one with --{key}, or give "
            "the files of one only."
        )
    return files


def _collide(names: dict[str, FileNameInfo], files: list[str]) -> bool:
    """Whether two files claim the same place in the job."""
    places = [(names[file].rank, *sorted(names[file].labels.items())) for file in files]
    return len(set(places)) < len(places)
