"""Name outputs where -o is not given."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tp_tools.errors import UsageError
from tp_tools.files.remote import is_pattern, is_url

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUFFIXES = (".gz", ".zst", ".json", ".pftrace", ".perfetto-trace", ".sqlite", ".db", ".xplane.pb")
"""Suffixes of traces, in the order in which they are taken away."""


FIXED = ".fixed.json.gz"
MERGED = {"archive": ".merged.zip", "folder": ".merged", "trace": ".merged.json.gz"}
REPORT = ".report.html"
"""Ends of the names of outputs of `fix`, of `merge` by its format, and of `report`."""


def stem(file: str) -> str:
    """Return the name of a trace without its folder and suffixes."""
    name = PurePosixPath(file.partition("?")[0]).name if is_url(file) else Path(file).name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def beside(trace: str, suffix: str) -> str:
    """Name an output beside its trace; in the current folder where a URL names the trace.

    Raises:
        UsageError: the trace is stdin, which has no name.
    """
    if trace == "-":
        raise UsageError("the trace comes from stdin: say with -o where the result goes.")
    if is_url(trace):
        return stem(trace) + suffix
    return str(Path(trace).parent / f"{stem(trace)}{suffix}")


def in_current_folder(inputs: Sequence[str], suffix: str) -> str:
    """Name an output in the current folder after its inputs: the one trace, or their folder.

    `traces/` and `traces/*.json.gz` give `traces.merged.json.gz` with the suffix
    `.merged.json.gz`, and so does `.` in the folder `traces`.

    Raises:
        UsageError: the input is stdin, which has no name.
    """
    first = Path(inputs[0])
    if inputs[0] == "-":
        raise UsageError("the trace comes from stdin: say with -o where the result goes.")
    if is_url(inputs[0]):
        is_one = not is_pattern(inputs[0])
        if is_one and len(inputs) == 1 and first.name.endswith(_SUFFIXES):
            return stem(inputs[0]) + suffix
        is_file = not is_one or first.name.endswith(_SUFFIXES)
        return (first.parent if is_file else first).name + suffix
    # any text can be a name, and none raises here
    if len(inputs) == 1 and os.path.isfile(first):  # noqa: PTH113
        return stem(inputs[0]) + suffix
    folder = first if os.path.isdir(first) else first.parent  # noqa: PTH112
    return (folder.resolve().name or "traces") + suffix
