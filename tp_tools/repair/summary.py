"""What was found and done, as numbers: the object of --summary json."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tp_tools.columns import indices_of, iterate_rows
from tp_tools.repair.hidden import hidden
from tp_tools.trace.categories import KERNEL, has_category
from tp_tools.trace.model import is_phase
from tp_tools.trace.slices import subset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.repair.analysis import Analysis
    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slices import Slices


@dataclass(frozen=True)
class Hidden:
    """What Perfetto v51 to v56 would not have shown.

    Attributes:
        slices: X events of any kind.
        kernels: those that are kernels.
        kernel_ns: their duration, summed.
        share: of the duration of all kernels, 0 to 1.
        names: (name, count, ns) of the hidden kernels, most time first.
    """

    slices: int
    kernels: int
    kernel_ns: int
    share: float
    names: list[tuple[str, int, int]]


def is_kernel(trace: Trace) -> NDArray[np.bool_]:
    """Which events are kernels."""
    return is_phase(trace, "X") & has_category(trace, KERNEL)


def hidden_of(trace: Trace, events: Ints) -> Hidden:
    """Sums up the hidden events."""
    kernels = is_kernel(trace)
    missing = events[kernels[events]]
    count, time = Counter[int](), Counter[int]()
    for name, dur in zip(trace.name[missing].tolist(), trace.dur[missing].tolist(), strict=True):
        count[name] += 1
        time[name] += dur
    total, lost = int(np.maximum(trace.dur[kernels], 0).sum()), int(trace.dur[missing].sum())
    return Hidden(
        slices=len(events),
        kernels=len(missing),
        kernel_ns=lost,
        share=lost / total if total else 0.0,
        names=[(trace.names[name], count[name], ns) for name, ns in time.most_common()],
    )


def summary(examined: Analysis) -> dict[str, Any]:
    """All but the file names and the verification of --summary json, as the contract has it."""
    trace, plan = examined.trace, examined.plan
    missing = hidden_of(trace, examined.hidden)
    kinds = Counter(repair.kind for repair in examined.repairs)
    return {
        "events": len(trace),
        "slices": len(examined.table),
        "kernels": int(is_kernel(trace).sum()),
        "overlaps": {
            "concurrent": kinds["concurrent"],
            "jitter": kinds["jitter"],
            "precision": _rounded(examined) if plan.rebase_ns else 0,
        },
        "hidden": {
            "slices": missing.slices,
            "kernels": missing.kernels,
            "kernel_ns": missing.kernel_ns,
            "share": round(missing.share, 6),
        },
        "moved": sum(repair.lane > 1 for repair in examined.repairs),
        "trimmed": len(plan.trims),
        "rebased_ns": plan.rebase_ns,
        "lanes": len(plan.lanes),
        "repairs": _repairs(examined),
    }


def _rounded(examined: Analysis) -> int:
    """How many slices are hidden by rounding alone: to the nanosecond, nothing overlaps them."""
    candidates = np.intersect1d(examined.hidden, hidden(examined.trace, misread_ids=False))
    off = subset(examined.table, np.flatnonzero(examined.lane))
    return len(candidates) - len(_overlapping(examined.table, off, candidates))


def _overlapping(table: Slices, off: Slices, events: Ints) -> set[int]:
    """Which of these events partly overlap a slice of their row; of any two one is off the row.

    Args:
        table: all slices.
        off: those that are off their row.
        events: numbers of events.
    """
    found = set(off.event.tolist())
    chosen = indices_of(table.event, events.tolist())
    for event, row, ts, end in iterate_rows(
        *(c[chosen] for c in (table.event, table.row, table.ts, table.end))
    ):
        before = (off.ts < ts) & (ts < off.end) & (off.end < end)
        behind = (ts < off.ts) & (off.ts < end) & (end < off.end)
        if ((off.row == row) & (before | behind)).any():
            found.add(event)
    return found & set(events.tolist())


def _repairs(examined: Analysis) -> dict[str, int]:
    """What was mended besides overlaps, by kind, the kinds that occurred."""
    plan = examined.plan
    counts = examined.trace.repairs + plan.ids.repairs
    counts["durationless"] = len(plan.durationless)
    counts["untimed"] = len(plan.untimed)
    return {kind: count for kind, count in sorted(counts.items()) if count}


REPAIRS = {
    "bare_texts": "numbers as names or categories: written as text",
    "byte_order_marks": "a byte order mark dropped",
    "control_characters": "control characters in text escaped",
    "durationless": "slices without a duration: shown as 0 long",
    "escapes": r"\u escapes written as UTF-8",
    "fine_times": "times finer than a nanosecond rounded to one",
    "first_keys": "a first key by which Perfetto mistakes the format: no longer the first",
    "invalid_utf8": "invalid UTF-8 replaced",
    "large_integers": "integers over 63 bits written as text",
    "lone_surrogates": "lone surrogates replaced",
    "long_decimals": "decimals of too many digits shortened",
    "negative_pids": "negative process ids replaced",
    "negative_tids": "negative thread ids replaced",
    "not_a_number": "NaN or Infinity written as text",
    "other_pids": "process ids that Perfetto misreads replaced",
    "other_tids": "thread ids that Perfetto misreads replaced",
    "stray_commas": "stray commas dropped",
    "text_pids": "text process ids replaced",
    "text_tids": "text thread ids replaced",
    "trailing_backslashes": "strings ending in a backslash escaped",
    "trailing_text": "text behind the end of the trace dropped",
    "truncated_tail": "the file was cut short: ended behind its last whole event",
    "unknown_escapes": "backslashes that escape nothing doubled",
    "untimed": "events that Perfetto cannot place left out",
    "void_times": "times that are no number renamed",
    "zero_bytes": "zero bytes at the end of the file dropped",
    "zero_tids": "thread ids 0 replaced",
}
"""What each kind of repair is called."""
