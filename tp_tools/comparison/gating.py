"""Decide whether a metric regressed from a baseline: pass, regression, or cannot be judged."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.comparison import statistics
from tp_tools.comparison.comparing import compare
from tp_tools.comparison.judging import is_of_cpu, is_one_recording
from tp_tools.comparison.model import BUS, COLLECTIVE, KERNEL, MODULE, TIME, Key
from tp_tools.comparison.verdicts import (
    BUSBW,
    PASS,
    REGRESSION,
    UNJUDGED,
    Judgement,
    Verdict,
    number,
)
from tp_tools.errors import UsageError

if TYPE_CHECKING:
    from tp_tools.comparison.model import Floats, Side

_PARTS = {
    "gpu_busy": ("compute", "communication", "waiting", "copy"),
    "exposed_comm": ("communication", "waiting"),
    "launch_gap": ("cpu",),
}
"""Metrics that are sums of parts of a step."""

METRICS = ("step_time", *_PARTS, BUSBW, "kernel:GLOB", "module:GLOB")
"""Names of metrics."""


def needs_modules(metrics: tuple[str, ...]) -> bool:
    """Tell whether a metric needs samples by module."""
    return any(it.startswith(f"{MODULE}:") for it in metrics)


def check(metrics: tuple[str, ...]) -> None:
    """Refuse metrics that there are not.

    Raises:
        UsageError: there is no such metric.
    """
    for it in metrics:
        level, glob, pattern = it.partition(":")
        known = it in METRICS or (glob and pattern and level in {KERNEL, MODULE})
        if not known or it.endswith(":GLOB"):
            raise UsageError(f"{it}: is no metric. There are {', '.join(METRICS)}.")


def judge(baseline: Side, now: Side, metric: str, most: float) -> Verdict:
    """Judge one metric.

    It is a regression if it is worse by more than `most`, and for sure worse. It cannot be judged
    where a side lacks it, or noise is as large as what is asked for.

    Args:
        baseline: the samples before.
        now: the samples of now.
        metric: one of `METRICS`, as `check` lets through.
        most: relative change for the worse that is allowed: 0.05 is 5 %.
    """
    before, after = _samples(baseline, metric), _samples(now, metric)
    trim = min(baseline.trim, now.trim)
    if before is None or after is None or not _value(before, after, trim)[0]:
        return Verdict(metric, UNJUDGED, f"{metric}: {_missing(before, after)}")
    # of a bandwidth the time per byte, so that larger is worse
    worse = (_inverse(before), _inverse(after)) if metric == BUSBW else (before, after)
    values = _value(*worse, trim)
    change = values[1] / values[0] - 1
    found = _interval(*worse, trim)
    code, reason = _decide(change, found, most)
    is_alone = is_one_recording(baseline) or is_one_recording(now)
    if code == REGRESSION and metric == "step_time" and is_of_cpu(now.step) and is_alone:
        code, reason = UNJUDGED, "cannot be judged: on a CPU three recordings a side tell (--each)"
    shown = _value(before, after, trim)
    said = _said(metric, *shown, change, found)
    return Verdict(
        metric,
        code,
        f"{said}: {reason}",
        *shown,
        change,
        None if found is None else found.low,
        None if found is None else found.high,
    )


def _decide(change: float, interval: _Interval | None, most: float) -> tuple[int, str]:
    """Return the exit code and the reason."""
    limit = f"{100 * most:.3g} %"
    if interval is None:
        if change <= 0:
            return PASS, "not worse"
        return UNJUDGED, "cannot be judged: one sample a side says nothing about noise"
    is_noisy = (interval.high - interval.low) / 2 > most
    if change > most and interval.is_sure:
        return REGRESSION, f"regression, more than {limit}"
    if change > most or (is_noisy and interval.high > most):
        noise = 50 * (interval.high - interval.low)
        return UNJUDGED, f"cannot be judged: noise of {noise:.1f} % hides a change of {limit}"
    return PASS, f"at most {limit}"


class _Interval(Struct, frozen=True):
    """How much worse a metric became, as share of its mean before.

    Attributes:
        low, high: of 95 %.
        is_sure: whether it is worse for sure.
    """

    low: float
    high: float
    is_sure: bool


def _interval(before: Floats, after: Floats, most_trim: float) -> _Interval | None:
    if min(len(before), len(after)) < statistics.FEWEST:
        return None
    columns = before[:, None], after[:, None]
    trim = _trim(before, after, most_trim)
    found, p = statistics.intervals(*columns, trim), statistics.yuen(*columns, trim)
    whole = _value(before, after, most_trim)[0]
    low, high = (float(it[0] / whole) for it in (found.low, found.high))
    return _Interval(low, high, low > 0 and bool(p[0] < 1 - statistics.CONFIDENCE))


def _value(before: Floats, after: Floats, most_trim: float) -> tuple[float, float]:
    """Return the typical values of both sides."""
    trim = _trim(before, after, most_trim)
    one, other = (float(statistics.typical(it[:, None], trim)[0]) for it in (before, after))
    return one, other


def _trim(before: Floats, after: Floats, most: float) -> float:
    """Return the share to leave out at either end: none where some samples have nothing."""
    return most if before.all() and after.all() else 0


def _missing(before: Floats | None, after: Floats | None) -> str:
    if before is None and after is None:
        return "cannot be judged: neither the baseline nor the trace has it"
    return f"cannot be judged: {'the trace' if after is None else 'the baseline'} does not have it"


def _said(metric: str, before: float, now: float, change: float, found: _Interval | None) -> str:
    """Write the numbers: step_time 1.000 ms -> 1.100 ms (+10.0 %, 95 %: +9.0 to +11.0 %)."""
    numbers = f"{number(metric, before)} -> {number(metric, now)}"
    worse = f"{100 * change:+.1f} %"
    numbers += f", {worse} time per byte" if metric == BUSBW else f" ({worse})"
    if found is None:
        return f"{metric} {numbers}"
    return f"{metric} {numbers}, 95 %: {100 * found.low:+.1f} to {100 * found.high:+.1f} %"


def _inverse(values: Floats) -> Floats:
    return 1 / np.maximum(values, 1e-12)


def _samples(side: Side, metric: str) -> Floats | None:
    """Return the values of a metric in each sample; None where the side has none."""
    if metric == "step_time":
        return side.rows[side.step].ns
    if metric == BUSBW:
        return _busbw(side)
    if metric in _PARTS:
        keys = [Key(TIME, name) for name in _PARTS[metric]]
        return _sum(side, [key for key in keys if key in side.rows])
    level, _, pattern = metric.partition(":")
    keys = [key for key in side.rows if key.level == level and _fits(side, key, pattern)]
    return _sum(side, keys)


def _fits(side: Side, key: Key, pattern: str) -> bool:
    names = {key.name, side.full_names.get(key.name, key.name)}
    return any(fnmatchcase(name, pattern) for name in names)


def _sum(side: Side, keys: list[Key]) -> Floats | None:
    if not keys:
        return None
    whole: Floats = np.sum([side.rows[key].ns for key in keys], axis=0)
    return whole


def _busbw(side: Side) -> Floats | None:
    """Return the busbw that ranks see: bytes of collectives of known size by their time, GB/s."""
    known = [key for key in side.rows if key.level == BUS]
    if not known:
        return None
    nbytes = np.sum([side.rows[key].ns for key in known], axis=0)
    ns = np.sum([side.rows[Key(COLLECTIVE, it.name, it.detail)].ns for it in known], axis=0)
    found: Floats = nbytes / np.maximum(ns, 1)
    return found


def gate(
    baseline: Side, now: Side, metrics: tuple[str, ...] = ("step_time",), most: float = 0.05
) -> Judgement:
    """Judge a recording by a baseline.

    Args:
        baseline: the samples before.
        now: the samples of now.
        metrics: what to judge.
        most: as in `judge`.
    """
    compared = compare(baseline, now)
    if compared.cannot:
        return Judgement(cannot=compared.cannot)
    return Judgement(tuple(judge(baseline, now, metric, most) for metric in metrics))
