"""The traces that a command is given: files, folders, globs, standard input; and their ranks."""

from __future__ import annotations

import glob
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools.errors import InputError, UsageError
from tp_tools.files.missing import refuse_missing
from tp_tools.files.source import Source
from tp_tools.merging import rank_names, ranks
from tp_tools.merging.jobs import Said

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
_EVENTS = b'"traceEvents"'
_JOB = re.compile(r'"distributedInfo"\s*:\s*(?=\{)')
_LARGEST_HEAD = 64 << 20
_TAIL = 4 << 20


def expand(names: Iterable[str]) -> list[str]:
    """The files that are meant, each once, in the order given; those of a folder or glob sorted.

    Of a folder, what `tp-tools fix` left beside a trace is not taken for another one.

    Raises:
        InputError: a folder or a glob holds no trace, or there is no such file.
        UsageError: standard input is given among others.
    """
    given = list(names)
    if STDIN in given and len(given) > 1:
        raise UsageError("- is one trace; give the others and this one as files.")
    found = [file for name in given for file in _expanded(name)]
    return list(dict.fromkeys(found))


def _expanded(name: str) -> list[str]:
    path = Path(name)
    try:
        if path.is_dir():
            return _in_folder(path)
        is_there = name == STDIN or path.exists()
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}.") from error
    if not is_there and not any(character in name for character in _MAGIC):
        refuse_missing(name)
    if is_there:
        return [name]
    matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  absolute patterns as well
    files = [match for match in matches if Path(match).is_file()]
    if not files:
        raise InputError(f"{name}: matches no file. Check the pattern, or give the folder.")
    return files


def _in_folder(folder: Path) -> list[str]:
    files = sorted(it for it in folder.iterdir() if it.name.endswith(SUFFIXES) and it.is_file())
    repaired = {f"{_stem(path)}{_FIXED}" for path in files}
    traces = [path for path in files if _stem(path) not in repaired]
    if not traces:
        kinds = ", ".join(SUFFIXES[:4])
        raise InputError(
            f"{folder}: holds no trace ({kinds}...). Give the folder that does, or files by name."
        )
    return [str(path) for path in traces]


def _stem(path: Path) -> str:
    suffix = max((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), key=len)
    return path.name.removesuffix(suffix)


def in_order(files: list[str]) -> list[tuple[int, str]]:
    """The ranks of these traces with their files, by number; some of the job's may be missing.

    Raises:
        InputError: a trace says no rank, or another one than its name; two are of one rank, or of
            two jobs.
    """
    said = [(file, _said(file)) for file in files]
    found, _ = ranks.resolve(said, rank_names.RankChoice(allow_missing=True), lambda _: None)
    return [(rank.rank, rank.file) for rank in found]


def _said(file: str) -> Said:
    name = rank_names.parse_file_name(file)
    thorough = name.rank is None and not name.labels
    info = distributed_info(Source(Path(file), file), thorough=thorough)
    numbers = {key: info[key] for key in ("rank", "world_size") if isinstance(info.get(key), int)}
    return Said(**numbers)


def distributed_info(source: Source, *, thorough: bool) -> dict[str, Any]:
    """What Chrome JSON says of its job, without reading its events; empty if it says nothing.

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
            info = _info_in(head.partition(_EVENTS)[0])
            if info or not thorough:
                return info
        tail = (tail + block)[-_TAIL:]
    return _info_in(tail or head)


def _info_in(text: bytes) -> dict[str, Any]:
    """The last whole `distributedInfo` in this text."""
    found: dict[str, Any] = {}
    decoded = text.decode(errors="replace")
    for match in _JOB.finditer(decoded):
        with suppress(json.JSONDecodeError):
            found, _ = json.JSONDecoder().raw_decode(decoded, match.end())
    return found
