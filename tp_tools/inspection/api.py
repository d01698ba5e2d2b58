"""Offer the description of traces as a function of the Python API.

import tp_tools

(about,) = tp_tools.info("rank0.json.gz")
print(about.metadata, about.defects)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.caller import KeptWarnings, paths
from tp_tools.files import copies, open_source
from tp_tools.inspection.facts import TraceInfos
from tp_tools.inspection.trace_info import describe
from tp_tools.merging import job_files
from tp_tools.merging.rank_names import RankChoice
from tp_tools.querying import LoadOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.caller import PathLike


def info(
    traces: PathLike | Iterable[PathLike],
    *,
    engine: str | None = None,
    profile: str | None = None,
    stage: str | None = None,
) -> TraceInfos:
    """Say what is in each trace: its job, GPUs, streams, steps, collectives and defects.

    Args:
        traces: files, folders, globs, URLs.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.

    Returns:
        A list with a description per trace, whose `.as_object()` is what
        `tp-tools info --format json` prints.

    Raises:
        tp_tools.errors.InputError: a trace cannot be used.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    kept, how = KeptWarnings(), LoadOptions(engine)
    choice = RankChoice(profile, stage, allow_missing=True)
    found = TraceInfos()
    with copies.kept():
        for name in job_files.list_files(paths(traces), choice, kept):
            with open_source(name) as source:
                found.append(describe(source, how, kept))
    kept.warn_caller()
    return found
