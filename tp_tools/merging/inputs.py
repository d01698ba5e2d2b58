"""Expand the arguments of a command to files: names, folders, globs, URLs, or standard input."""

from __future__ import annotations

import glob
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tp_tools import nsys
from tp_tools.errors import InputError, UsageError
from tp_tools.files import remote
from tp_tools.files.missing import refuse_missing
from tp_tools.files.remote import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STDIN = "-"
SUFFIXES = (
    ".json",
    ".json.gz",
    ".json.zst",
    ".pftrace",
    ".pftrace.gz",
    ".pftrace.zst",
    ".perfetto-trace",
    ".sqlite",
    ".sqlite.gz",
    ".sqlite.zst",
)
"""Suffixes of files in a folder that count as traces."""

LAST_SUFFIXES = (".xplane.pb", ".xplane.pb.gz", ".xplane.pb.zst", ".db", ".db.gz", ".db.zst")
"""Suffixes of files that count as traces in a folder without any other.

JAX writes the same profile twice, and a database may be that of another program.
"""

_FIXED = ".fixed"
_IN_TURN = (SUFFIXES, LAST_SUFFIXES)
_MAGIC = "*?["
_MOST_FOLDERS = 5
_MOST_SEARCHED = 1000
_LEVELS = 2
"""Levels of folders below that of a URL in which traces are looked for."""


class Input(Struct, frozen=True):
    """A file that an argument names or holds.

    Attributes:
        file: its path, its URL, or "-".
        is_given: whether an argument names it; else it is from a folder or a glob.
        is_copy: whether `tp-tools fix` wrote it beside the trace that it repairs.
    """

    file: str
    is_given: bool
    is_copy: bool = False


def expand(names: Iterable[str]) -> list[str]:
    """List the files of `find`, without copies that `tp-tools fix` wrote beside their traces.

    Raises:
        InputError, UsageError: as `find`.
    """
    return [one.file for one in find(names) if not one.is_copy]


def find(names: Iterable[str]) -> list[Input]:
    """List the files of the arguments, each once, in their order; those of a folder or glob sorted.

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
    if is_url(name):
        return _remote(name)
    path = Path(name)
    try:
        if path.is_dir():
            is_export = nsys.is_parquet_folder(path)
            return [Input(name, is_given=True)] if is_export else _in_folder(path)
        is_there = name == STDIN or path.exists()
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}.") from error
    if not is_there and not any(character in name for character in _MAGIC):
        refuse_missing(name)
    if is_there:
        return [Input(name, is_given=True)]
    files = next(filter(None, map(_matches, _patterns(name))), [])
    if not files:
        raise _no_match(name)
    return _with_copies(files)


def _remote(url: str) -> list[Input]:
    if not (remote.is_pattern(url) or remote.is_folder(url)):
        return [Input(url, is_given=True)]
    files = remote.listed(url)
    if remote.is_pattern(url):
        if not files:
            raise _no_match(url)
        return _with_copies(files)
    if not (files := _traces(files)):
        below = _traces(remote.listed(url, _LEVELS))
        raise _no_trace(url, sorted({it.rpartition("/")[0] for it in below}))
    return _with_copies(files)


def _no_match(name: str) -> InputError:
    return InputError(f"{name}: matches no file. Check the pattern, or give the folder.")


def _no_trace(folder: str, below: Sequence[str]) -> InputError:
    """Return the error for a folder without a trace; `below` are folders in it that hold some."""
    shown = ", ".join(below[:_MOST_FOLDERS]) + ", ..." * (len(below) > _MOST_FOLDERS)
    names = ", ".join(SUFFIXES[:4])
    return InputError(
        f"{folder}: holds no trace itself, its folders do: {shown}. Give one of them."
        if below
        else f"{folder}: holds no trace ({names}...). Give the folder that does, or files by name."
    )


def _patterns(name: str) -> Iterator[str]:
    """Yield the readings of a pattern, the first choice first.

    Existing folders with brackets in their names are no pattern. In the rest, brackets first stand
    for themselves ("exp[a]-rank[*].json"), then for one of the characters between them.
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
    files = sorted(_traces(str(it) for it in folder.iterdir() if it.is_file()))
    if not files:
        below = sorted(itertools.islice(_folders_with_traces(folder), _MOST_FOLDERS + 1))
        raise _no_trace(str(folder), list(map(str, below)))
    return _with_copies(files)


def _traces(files: Iterable[str]) -> list[str]:
    """Return the files and URLs that count as traces, by their suffixes."""
    paths = [(file, file.partition("?")[0] if is_url(file) else file) for file in files]
    several = ([file for file, path in paths if path.endswith(it)] for it in _IN_TURN)
    return next(filter(None, several), [])


def _folders_with_traces(folder: Path) -> Iterator[Path]:
    """Yield folders below this one that hold traces; of a large tree only the first ones."""
    for path, folders, files in itertools.islice(os.walk(folder), _MOST_SEARCHED):
        folders.sort()
        if _traces(files):
            yield Path(path)


def _with_copies(files: list[str]) -> list[Input]:
    copies = {f"{stem(file)}{_FIXED}" for file in files}
    found = [Input(file, is_given=False) for file in files]
    return [replace(it, is_copy=stem(it.file) in copies) for it in found]


def stem(file: str) -> str:
    """Return the path without the suffix of a trace."""
    suffixes = [suffix for suffix in SUFFIXES if file.endswith(suffix)]
    return file.removesuffix(max(suffixes, key=len, default=""))
