"""Count the defects and repairs of a trace, for `--summary json`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from tp_tools.columns import exact_sum, indices_of, iterate_rows
from tp_tools.repair.cut_slices import cut_slices
from tp_tools.repair.perfetto_import import hidden_events
from tp_tools.trace.gpu_names import new_gpu_names
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.pairs import swapped_pairs
from tp_tools.trace.renaming import is_kernel, is_renamed
from tp_tools.trace.slices import subset

if TYPE_CHECKING:
    from tp_tools.repair.analysis import Analysis
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints


class Hidden(Struct, frozen=True):
    """Counts of the slices that Perfetto v51 to v56 hides.

    Attributes:
        slices: number of hidden X events of any category.
        kernels: number of hidden kernels.
        kernel_ns: summed duration of the hidden kernels, ns.
        share: kernel_ns divided by the duration of all kernels, 0 to 1.
        names: (name, count, ns) of the hidden kernels, most time first.
    """

    slices: int
    kernels: int
    kernel_ns: int
    share: float
    names: list[tuple[str, int, int]]


def hidden_of(trace: Trace, events: Ints) -> Hidden:
    """Count hidden events.

    Args:
        trace: the trace.
        events: numbers of the hidden events.
    """
    kernels = is_kernel(trace)
    hidden = events[kernels[events]]
    count, time = Counter[int](), Counter[int]()
    for name, dur in zip(trace.name[hidden].tolist(), trace.dur[hidden].tolist(), strict=True):
        count[name] += 1
        time[name] += dur
    total = exact_sum(np.maximum(trace.dur[kernels], 0))
    hidden_ns = exact_sum(trace.dur[hidden])
    return Hidden(
        slices=len(events),
        kernels=len(hidden),
        kernel_ns=hidden_ns,
        share=hidden_ns / total if total else 0.0,
        names=[(trace.names[name], count[name], ns) for name, ns in time.most_common()],
    )


def summary(analysis: Analysis) -> dict[str, Any]:
    """Return the object of `--summary json`, without file names and the result of --verify."""
    trace, plan = analysis.trace, analysis.plan
    hidden = hidden_of(trace, analysis.hidden)
    kinds = Counter(repair.kind for repair in analysis.repairs)
    return {
        "events": len(trace),
        "slices": len(analysis.table),
        "kernels": int(is_kernel(trace).sum()),
        "overlaps": {
            "concurrent": kinds["concurrent"],
            "jitter": kinds["jitter"],
            "precision": _rounded(analysis) if plan.rebase_ns else 0,
        },
        "hidden": {
            "slices": hidden.slices,
            "kernels": hidden.kernels,
            "kernel_ns": hidden.kernel_ns,
            "share": round(hidden.share, 6),
        },
        "moved": sum(repair.lane > 1 for repair in analysis.repairs),
        "trimmed": len(plan.trims),
        "rebased_ns": plan.rebase_ns,
        "lanes": len(plan.lanes),
        "repairs": repairs_of(trace, plan),
        **_damage(analysis),
        **_short_names(analysis),
        **_gpu_names(analysis),
    }


def _short_names(analysis: Analysis) -> dict[str, int]:
    """Count the kernels that get a short name, where the plan gives any."""
    short = analysis.plan.short_names
    return {"short_names": int(is_renamed(analysis.trace, short).sum())} if short else {}


def _gpu_names(analysis: Analysis) -> dict[str, list[str]]:
    """List the GPUs that their processes are named after, where the plan does so."""
    names = [*new_gpu_names(analysis.trace, analysis.plan)]
    return {"named_gpus": names} if names else {}


def _damage(analysis: Analysis) -> dict[str, Any]:
    """Say where the first damage is and how many B and E Perfetto matches otherwise, if any."""
    trace = analysis.trace
    damage = trace.damage
    unmatched = _unmatched(analysis)
    found: dict[str, Any] = {}
    if damage:
        found["damage"] = [stretch.as_object() for stretch in damage]
    if any(unmatched.values()):
        found["unmatched"] = unmatched
    if swapped := len(swapped_pairs(trace)[0]):
        found["swapped"] = swapped
    if cut := cut_slices(trace, analysis.table, analysis.plan, trace.ts != UNTIMED).sooner:
        found["cut"] = cut
    return found


def _unmatched(analysis: Analysis) -> dict[str, int]:
    """Count the B and E events that are written and match no other one."""
    trace = analysis.trace
    pairs = int((analysis.table.closing >= 0).sum())
    return {
        phase: int((is_phase(trace, phase) & (trace.ts != UNTIMED)).sum()) - pairs
        for phase in ("B", "E")
    }


def _rounded(analysis: Analysis) -> int:
    """Count the slices hidden only by rounding: at exact times they overlap no other slice."""
    candidates = np.intersect1d(analysis.hidden, hidden_events(analysis.trace, misread_ids=False))
    off = subset(analysis.table, np.flatnonzero(analysis.lane))
    return len(candidates) - len(_overlapping(analysis.table, off, candidates))


def _overlapping(table: Slices, off: Slices, events: Ints) -> set[int]:
    """Return which of these events partly overlap a slice of their track.

    Args:
        table: all slices.
        off: slices off lane 0; of any two slices that overlap, one is among them.
        events: numbers of the events to check.
    """
    found = set(off.event.tolist())
    chosen = indices_of(table.event, events.tolist())
    for event, track, ts, end in iterate_rows(
        *(c[chosen] for c in (table.event, table.track, table.ts, table.end))
    ):
        starts_before = (off.ts < ts) & (ts < off.end) & (off.end < end)
        starts_after = (ts < off.ts) & (off.ts < end) & (end < off.end)
        if ((off.track == track) & (starts_before | starts_after)).any():
            found.add(event)
    return found & set(events.tolist())


def repairs_of(trace: Trace, plan: Plan) -> dict[str, int]:
    """Count the repairs other than of overlaps, by kind; kinds that did not occur are left out."""
    counts = trace.repairs + plan.ids.repairs + Counter(plan.flows.repairs())
    counts["durationless"] = len(plan.durationless)
    counts["untimed"] = len(plan.untimed) - counts["unfilled_times"] - counts["points"]
    return {kind: count for kind, count in sorted(counts.items()) if count}


REPAIRS = {
    "bare_texts": "numbers as names or categories: written as text",
    "byte_order_marks": "a byte order mark dropped",
    "control_characters": "control characters in text escaped",
    "damaged_events": "damaged events left out",
    "damaged_heads": "a damaged head of the file written anew",
    "damaged_members": "damaged members around the events left out",
    "damaged_stretches": "damaged text between events left out",
    "durationless": "slices without a duration: shown as 0 long",
    "escapes": r"\u escapes written as UTF-8",
    "fine_times": "times finer than a nanosecond rounded to one",
    "first_keys": "a first key by which Perfetto mistakes the format: no longer the first",
    "flow_ends_left_out": "ends of arrows without a start left out: Perfetto would draw them from "
    "the first slice of the trace",
    "flow_ids": "ids of arrows that other arrows have too, or that are no number: new ones",
    "invalid_utf8": "invalid UTF-8 replaced",
    "large_integers": "integers over 63 bits written as text",
    "points": "slices of 0 ns of B and E events, whose E Perfetto takes first: X events",
    "own_flow_ids": "slices whose bind_id Perfetto confuses with the arrows of s and f: new ones",
    "numbers_not_json": "numbers that JSON does not know (+3, 03, 3., .5, 0x10) written as it does",
    "launch_arrows_bound": "launch arrows that would join other slices: tied to their own",
    "launch_arrows_left_out": "launch arrows left out that would join other slices: their own "
    "were not recorded, or the work starts before its launch",
    "lone_surrogates": "lone surrogates replaced",
    "huge_numbers": "numbers too large for a double written as text",
    "long_decimals": "decimals of too many digits shortened",
    "missing_commas": "missing commas between events written",
    "negative_pids": "negative process ids replaced",
    "negative_tids": "negative thread ids replaced",
    "not_a_number": "NaN or Infinity written as text",
    "other_pids": "process ids that Perfetto misreads replaced",
    "other_tids": "thread ids that Perfetto misreads replaced",
    "quoted_ids": "process and thread ids that were numbers in quotes: written as numbers",
    "stray_commas": "stray commas dropped",
    "text_pids": "text process ids replaced",
    "text_tids": "text thread ids replaced",
    "trailing_backslashes": "strings ending in a backslash escaped",
    "trailing_text": "text behind the end of the trace dropped",
    "truncated_tail": "the file was cut short: ended behind its last whole event",
    "unescaped_quotes": "texts with quotes that were not escaped",
    "unfilled_times": "events with time 0, which was never filled in, left out",
    "text_ids_twice": "ids given twice, the first as text, renamed",
    "args_twice": "args given twice, the last no object, renamed",
    "unknown_escapes": "backslashes that escape nothing doubled",
    "untimed": "events that Perfetto cannot place left out",
    "void_times": "times that are no number renamed",
    "zero_bytes": "zero bytes at the end of the file dropped",
    "zero_tids": "thread ids 0 replaced",
}
"""Text for each kind of repair, as users see it."""
