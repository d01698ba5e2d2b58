"""Offer comparisons as functions of the Python API.

import tp_tools

found = tp_tools.diff("before.json.gz", "after.json.gz")
print(found.step.diff_ns)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tp_tools.caller import KeptWarnings, paths
from tp_tools.comparison import judged_traces, reading
from tp_tools.comparison.comparing import compare
from tp_tools.comparison.judging import Rules
from tp_tools.files import copies
from tp_tools.merging.rank_names import RankChoice
from tp_tools.querying import LoadOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.caller import PathLike
    from tp_tools.comparison.model import Comparison
    from tp_tools.comparison.verdicts import Judgement


def diff(
    a: PathLike,
    b: PathLike,
    *,
    each: bool = False,
    phase: str | None = None,
    exact: bool = False,
    modules: bool = False,
    threshold: float = 0.02,
    engine: str | None = None,
    profile: str | None = None,
    stage: str | None = None,
) -> Comparison:
    """Say what became slower from A to B, by kernel, collective and cause of idle time.

    Args:
        a: a trace, a folder of the ranks of a job, a merge, or a baseline.
        b: the same, of the other recording.
        each: whether A and B are folders or globs of recordings of one program, three or more.
        phase: compare the steps of this phase; None for the one that takes most time of those that
            both have.
        exact: whether to tell kernels apart by their full names.
        modules: whether to compare modules, too.
        threshold: relative change of a row below which it is within noise: 0.02 is 2 %.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.

    Returns:
        The comparison: `.step` and `.changes`, times in ns of a step; `.cannot` says why the two
        cannot be compared, and is empty where they can.

    Raises:
        tp_tools.errors.UsageError: there is no such phase.
        tp_tools.errors.InputError: a trace cannot be used, or the sides have no phase in common.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    kept = KeptWarnings()
    wanted = reading.Selection(_choice(profile, stage), phase, modules)
    names = os.fspath(a), os.fspath(b)
    with copies.kept():
        sides = reading.pair(names, wanted, LoadOptions(engine), kept, each=each)
    found = compare(*sides, Rules(least_change=threshold), exact=exact)
    found = reading.with_families(found, engine)
    kept.warn_caller()
    return found


def gate(
    traces: PathLike | Iterable[PathLike],
    baseline: PathLike,
    *,
    metrics: Iterable[str] = ("step_time",),
    max_regression: float = 0.05,
    each: bool = False,
    phase: str | None = None,
    engine: str | None = None,
    profile: str | None = None,
    stage: str | None = None,
) -> Judgement:
    """Judge a recording by a baseline, as `tp-tools gate` does.

    Args:
        traces: a trace, a folder of the ranks of a job, or a merge; several are ranks, or with
            `each` recordings of one program.
        baseline: what `write_baseline` wrote, or a trace or folder of ranks.
        metrics: what to judge; the worst decides.
        max_regression: how much worse a metric may be: 0.05 is 5 %.
        each: whether each trace is a recording of one program, not a rank.
        phase: judge the steps of this phase; None for that of the baseline.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.

    Returns:
        The judgement: `.verdict` is "pass", "regression" or "cannot be judged", `.lines()` say why.

    Raises:
        tp_tools.errors.UsageError: there is no such metric or phase.
        tp_tools.errors.InputError: the baseline cannot be used.
        tp_tools.errors.EngineError: TraceProcessor failed on the baseline.
    """
    kept = KeptWarnings()
    recordings = _recordings(traces, _choice(profile, stage), phase, each=each)
    limit = judged_traces.Limit(os.fspath(baseline), tuple(metrics), max_regression)
    found = judged_traces.judge(recordings, limit, LoadOptions(engine), kept)
    kept.warn_caller()
    return found


def write_baseline(
    traces: PathLike | Iterable[PathLike],
    baseline: PathLike,
    *,
    metrics: Iterable[str] = ("step_time",),
    each: bool = False,
    phase: str | None = None,
    engine: str | None = None,
    profile: str | None = None,
    stage: str | None = None,
) -> None:
    """Write a baseline of a recording for `gate`, over one that is there: some kB of JSON.

    Args:
        traces: as for `gate`, and so are the others.
        baseline: the .json file to write.
        metrics: what will be judged by it: modules are read only where one is of a module.
        each: whether each trace is a recording of one program.
        phase: the phase whose steps are kept; None for the one that takes most time.
        engine: the TraceProcessor.
        profile: which profile of several in a folder.
        stage: which stage of several.

    Raises:
        tp_tools.errors.UsageError: there is no such metric or phase.
        tp_tools.errors.InputError: a trace cannot be used.
        tp_tools.errors.EngineError: TraceProcessor failed.
        tp_tools.errors.OutputError: the file cannot be written.
    """
    kept = KeptWarnings()
    recordings = _recordings(traces, _choice(profile, stage), phase, each=each)
    limit = judged_traces.Limit(os.fspath(baseline), tuple(metrics))
    judged_traces.write_baseline(recordings, limit, LoadOptions(engine), kept)
    kept.warn_caller()


def _recordings(
    traces: PathLike | Iterable[PathLike],
    choice: RankChoice,
    phase: str | None,
    *,
    each: bool,
) -> judged_traces.Recordings:
    return judged_traces.Recordings(paths(traces), each, choice, phase)


def _choice(profile: str | None, stage: str | None) -> RankChoice:
    return RankChoice(profile, stage, allow_missing=True)
