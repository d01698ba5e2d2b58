"""The files that a command is given: by name, by folder, by glob, or standard input."""

from __future__ import annotations

import glob
import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import InputError, UsageError
from tp_tools.files.missing import refuse_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


@dataclass(frozen=True)
class Input:
    """A file that is meant.

    Attributes:
        file: its path, or "-".
        is_given: whether it was named; else it was found in a folder or by a glob.
        is_copy: whether `tp-tools fix` wrote it, beside the trace of which it is a copy.
    """

    file: str
    is_given: bool
    is_copy: bool = False


def expand(names: Iterable[str]) -> list[str]:
    """The files of `find`, without copies that `tp-tools fix` left beside their traces.

    Raises:
        InputError, UsageError: as `find`.
    """
    return [it.file for it in find(names) if not it.is_copy]


def find(names: Iterable[str]) -> list[Input]:
    """The files that are meant, each once, in the order given; those of a folder or glob sorted.

    Raises:
        InputError: a folder or a glob holds no trace, or there is no such file.
        UsageError: standard input is given among others.
    """
    given = list(names)
    if STDIN in given and len(given) > 1:
        raise UsageError("- is one trace; give the others and this one as files.")
    found: dict[str, Input] = {}
    for it in itertools.chain.from_iterable(map(_expanded, given)):
        if it.file not in found or it.is_given:
            found[it.file] = it
    return list(found.values())


def _expanded(name: str) -> list[Input]:
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
        return [Input(name, is_given=True)]
    files = next(filter(None, map(_matches, _patterns(name))), [])
    if not files:
        raise InputError(f"{name}: matches no file. Check the pattern, or give the folder.")
    return _with_copies(files)


def _patterns(name: str) -> Iterator[str]:
    """The readings of a pattern: folders that are there and have brackets are no pattern.

    Brackets stand for themselves ("exp[a]-rank[*].json"), and if nothing is called so, for one of
    the characters between them.
    """
    parts = Path(name).parts
    there = max(n for n in range(len(parts)) if not n or Path(*parts[:n]).exists())
    fixed, rest = parts[:there], parts[there:]
    escaped = [glob.escape(part) for part in fixed]
    yield str(Path(*escaped, *(part.replace("[", "[[]") for part in rest)))
    yield str(Path(*escaped, *rest))
    yield name


def _matches(pattern: str) -> list[str]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  absolute patterns as well
    return [match for match in found if Path(match).is_file()]


def _in_folder(folder: Path) -> list[Input]:
    files = sorted(it for it in folder.iterdir() if it.name.endswith(SUFFIXES) and it.is_file())
    if not files:
        kinds = ", ".join(SUFFIXES[:4])
        raise InputError(
            f"{folder}: holds no trace ({kinds}...). Give the folder that does, or files by name."
        )
    return _with_copies([str(it) for it in files])


def _with_copies(files: list[str]) -> list[Input]:
    copies = {f"{stem(file)}{_FIXED}" for file in files}
    found = [Input(file, is_given=False) for file in files]
    return [replace(it, is_copy=stem(it.file) in copies) for it in found]


def stem(file: str) -> str:
    """The path without the suffix of a trace."""
    suffixes = [suffix for suffix in SUFFIXES if file.endswith(suffix)]
    return file.removesuffix(max(suffixes, key=len, default=""))
