"""The traces that a command is given: files, folders, globs, standard input; and their ranks."""

from __future__ import annotations

import glob
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools.chrome.source import Source
from tp_tools.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

STDIN = "-"
SUFFIXES = (
    ".json",
    ".json.gz",
    ".json.zst",
    ".pftrace",
    ".pftrace.gz",
    ".pftrace.zst",
    ".perfetto-trace",
)
"""What files in a folder end in, to be taken for traces."""

_FIXED = ".fixed"
_MAGIC = "*?["
_NAMED = re.compile(r"rank[-_]?(\d+)", re.IGNORECASE)
_EVENTS = b'"traceEvents"'
_JOB = re.compile(r'"distributedInfo"\s*:\s*(?=\{)')
_LARGEST_HEAD = 64 << 20
_TAIL = 4 << 20


def expand(names: Iterable[str]) -> list[str]:
    """The files that are meant, each once, in the order given; those of a folder or glob sorted.

    Of a folder, what `tp-tools fix` left beside a trace is not taken for another one.

    Raises:
        InputError: a folder or a glob holds no trace.
        UsageError: standard input is given among others.
    """
    found = [file for name in names for file in _expanded(name)]
    if STDIN in found and len(found) > 1:
        raise UsageError("- is one trace; give the others and this one as files.")
    return list(dict.fromkeys(found))


def _expanded(name: str) -> list[str]:
    path = Path(name)
    if path.is_dir():
        return _in_folder(path)
    if path.exists() or not any(character in name for character in _MAGIC):
        return [name]
    matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  absolute patterns as well
    files = [match for match in matches if Path(match).is_file()]
    if not files:
        raise InputError(f"{name}: matches no file.")
    return files


def _in_folder(folder: Path) -> list[str]:
    files = sorted(it for it in folder.iterdir() if it.name.endswith(SUFFIXES) and it.is_file())
    repaired = {f"{_stem(path)}{_FIXED}" for path in files}
    traces = [path for path in files if _stem(path) not in repaired]
    if not traces:
        raise InputError(f"{folder}: holds no trace ({', '.join(SUFFIXES[:4])}...).")
    return [str(path) for path in traces]


def _stem(path: Path) -> str:
    suffix = max((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), key=len)
    return path.name.removesuffix(suffix)


def ranks(names: list[str]) -> list[int]:
    """The rank of each trace: what it says itself, else what its name says.

    Raises:
        InputError: a trace says none, or another one than its name; two are of one rank.
    """
    files = defaultdict[int, list[str]](list)
    found = [_rank(name) for name in names]
    for rank, name in zip(found, names, strict=True):
        files[rank].append(name)
    for rank, same in files.items():
        if len(same) > 1:
            raise InputError(f"{' and '.join(same[:2])} are both of rank {rank}. Leave one out.")
    return found


def _rank(name: str) -> int:
    file = Path(name)
    match = _NAMED.search(file.name) or _NAMED.search(file.absolute().parent.name)
    named = int(match[1]) if match else None
    recorded = recorded_rank(Source(file, name), thorough=named is None)
    rank = named if recorded is None else recorded
    if rank is None:
        raise InputError(
            f"{name}: its rank is unknown: it has no distributedInfo, and no rank in its name. "
            "Name it rank0.json.gz, or query it alone."
        )
    if named not in {None, rank}:
        raise InputError(f"{name}: its name says rank {named}, its distributedInfo {rank}.")
    return rank


def recorded_rank(source: Source, *, thorough: bool) -> int | None:
    """`distributedInfo.rank` of Chrome JSON; None if there is none.

    Args:
        source: the file.
        thorough: looks behind the events as well, where on-demand profiles have it: that reads
            the whole file.

    Raises:
        InputError: the file cannot be read.
    """
    head, tail, in_head = b"", b"", True
    for block in source.blocks():
        if in_head:
            head += block
            in_head = _EVENTS not in head and len(head) < _LARGEST_HEAD
            if in_head:
                continue
            rank = _rank_in(head.partition(_EVENTS)[0])
            if rank is not None or not thorough:
                return rank
        tail = (tail + block)[-_TAIL:]
    return _rank_in(tail or head)


def _rank_in(text: bytes) -> int | None:
    """The rank in the last whole `distributedInfo` in this text."""
    rank = None
    decoded = text.decode(errors="replace")
    for match in _JOB.finditer(decoded):
        try:
            info: dict[str, Any] = json.JSONDecoder().raw_decode(decoded, match.end())[0]
        except json.JSONDecodeError:
            continue
        if isinstance(info.get("rank"), int):
            rank = info["rank"]
    return rank
