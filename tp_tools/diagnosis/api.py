"""Offer the diagnosis as a function of the Python API.

import tp_tools

print(tp_tools.diagnose("rank0.json.gz").summary)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.caller import KeptWarnings
from tp_tools.diagnosis.collection import collect
from tp_tools.diagnosis.judgement import judge
from tp_tools.files import copies
from tp_tools.querying import LoadOptions, api

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.caller import PathLike
    from tp_tools.diagnosis.model import Diagnosis


def diagnose(
    traces: PathLike | Iterable[PathLike],
    *,
    engine: str | None = None,
    profile: str | None = None,
    stage: str | None = None,
) -> Diagnosis:
    """Say what made a trace, or a job, slow.

    Args:
        traces: files, folders, globs, URLs. Several traces are the ranks of one job.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.

    Returns:
        At most five findings, most GPU time first, each with its cost in ns, its evidence and the
        next step; `.as_object()` is what `tp-tools diagnose --format json` prints.

    Raises:
        tp_tools.errors.InputError: a trace cannot be used, or the ranks do not fit together.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    kept = KeptWarnings()
    with copies.kept():
        files = api.find_files(traces, profile, stage, kept).files
        numbers = collect(files, LoadOptions(engine), kept)
    kept.warn_caller()
    return judge(numbers)
