"""Write the summary of a repair for a terminal."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tp_tools.formatting import middle, percent, plural, span
from tp_tools.repair.cut_slices import cut_text
from tp_tools.repair.summary import REPAIRS, hidden_of
from tp_tools.trace.gpu_names import new_gpu_names
from tp_tools.trace.tracks import default_name, only_category

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.repair import Analysis
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Scalar

_MOST_NAMES = 5
_WIDEST = 120
_MOST_CHARACTERS = 60


def lines(analyzed: Analysis, numbers: dict[str, Any]) -> Iterator[str]:
    """Yield lines on the slices that Perfetto would have hidden and on the repairs.

    Args:
        analyzed: the trace and its plan.
        numbers: the counts that `repair.summary.summary` returns for them.
    """
    yield (
        f"{plural(numbers['events'], 'event')}, {plural(numbers['slices'], 'slice')}, "
        f"{plural(numbers['kernels'], 'kernel')}"
    )
    yield from _hidden(analyzed)
    if analyzed.is_sound():
        yield "Nothing to repair."
    yield from _done(analyzed, numbers)


def in_one_line(analyzed: Analysis, numbers: dict[str, Any]) -> str:
    """Say what a trace had, in some words; arguments as for `lines`."""
    if analyzed.is_sound():
        return "nothing to repair"
    hidden, repairs = numbers["hidden"], sum(numbers["repairs"].values())
    parts = [
        f"{plural(hidden['kernels'], 'kernel')} hidden ({percent(hidden['share'])} of kernel time)"
        if hidden["kernels"]
        else "",
        f"{plural(hidden['slices'], 'slice')} hidden"
        if hidden["slices"] and not hidden["kernels"]
        else "",
        f"{numbers['moved']:,} moved" if numbers["moved"] else "",
        f"{numbers['trimmed']:,} trimmed" if numbers["trimmed"] else "",
        "times rebased" if numbers["rebased_ns"] else "",
        f"{repairs:,} mended" if repairs else "",
    ]
    return ", ".join(filter(None, parts))


def _hidden(analyzed: Analysis) -> Iterator[str]:
    hidden = hidden_of(analyzed.trace, analyzed.hidden)
    if not hidden.slices:
        yield "Perfetto v51-56 would have shown every slice."
        return
    others = hidden.slices - hidden.kernels
    if not hidden.kernels:
        yield f"Perfetto v51-56 would have hidden {plural(others, 'slice')}, no kernel."
        return
    yield (
        f"Perfetto v51-56 would have hidden {plural(hidden.kernels, 'kernel')}, "
        f"{span(hidden.kernel_ns)}, {percent(hidden.share)} of kernel time"
        + (f", and {plural(others, 'other slice')}:" if others else ":")
    )
    from tp_tools.trace.short_names import short_names  # noqa: PLC0415  only with hidden kernels

    width = min(shutil.get_terminal_size().columns, _WIDEST) - 22
    short = short_names(name for name, _, _ in hidden.names)
    for name, count, time in hidden.names[:_MOST_NAMES]:
        yield f"  {count:>5} x {span(time):>10}  {middle(short[name], width)}"
    if len(hidden.names) > _MOST_NAMES:
        yield f"  and {plural(len(hidden.names) - _MOST_NAMES, 'more name')}"


def _done(analyzed: Analysis, numbers: dict[str, Any]) -> Iterator[str]:
    if numbers["moved"]:
        names = sorted({lane.name for lane in analyzed.plan.lanes.values()})
        shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        yield f"  moved    {plural(numbers['moved'], 'slice')} that ran concurrently, to {shown}"
    if numbers["trimmed"]:
        yield f"  trimmed  {plural(numbers['trimmed'], 'slice')} that overlapped by clock jitter"
    if numbers["rebased_ns"]:
        days = numbers["rebased_ns"] // (86_400 * 10**9)
        hidden = numbers["overlaps"]["precision"]
        because = f"; rounding alone hid {plural(hidden, 'slice')}" if hidden else ""
        yield f"  rebased  all times by {plural(days, 'day')}, so that none is rounded{because}"
    if numbers.get("short_names"):
        short = plural(len(analyzed.plan.short_names), "short name")
        kernels = plural(numbers["short_names"], "kernel")
        yield f"  named    {kernels} by {short}; the full ones are in args"
    yield from _named_gpus(analyzed)
    for kind, count in numbers["repairs"].items():
        yield f"  mended   {REPAIRS[kind]}" + (f" ({count:,})" if count > 1 else "")
    yield from _misplaced(analyzed)
    if undrawn := analyzed.plan.flows.undrawn:
        yield (
            f"  not drawn by Perfetto, and left as recorded: "
            f"{plural(undrawn, 'launch arrow')} with an end in no slice, or with "
            "work that starts before its launch"
        )
    yield from _damaged(numbers)


def _named_gpus(analyzed: Analysis) -> Iterator[str]:
    """Yield which processes get the name of their GPU."""
    names = new_gpu_names(analyzed.trace, analyzed.plan)
    for name, recorded in [*names.items()][:_MOST_NAMES]:
        before = middle(recorded, _MOST_CHARACTERS) or f"Process {name.split()[-1]}"
        yield f"  named    {name}, whose process was called {before}"
    if len(names) > _MOST_NAMES:
        yield f"           and {plural(len(names) - _MOST_NAMES, 'more GPU')}"


def _misplaced(analyzed: Analysis) -> Iterator[str]:
    """Yield where the eye met processes and threads whose ids Perfetto takes for others."""
    seen = [*_in_process_0(analyzed), *_on_other_threads(analyzed)]
    for text in seen[:_MOST_NAMES]:
        yield f"           {text}"
    if len(seen) > _MOST_NAMES:
        yield f"           and so on: {len(seen) - _MOST_NAMES:,} more"


def _in_process_0(analyzed: Analysis) -> Iterator[str]:
    """Yield the processes with a negative id, which Perfetto puts into process 0."""
    trace = analyzed.trace
    changed = zip(trace.tracks, analyzed.plan.ids.pids, strict=True)
    for pid in dict.fromkeys(pid for (pid, _), new in changed if new != pid):
        if isinstance(pid, int) and pid < 0:
            name = f"{only_category(trace, pid) or 'process'} {pid}"
            yield f"{name} was drawn in {_process(trace, 0)}, and stands by itself now"


def _on_other_threads(analyzed: Analysis) -> Iterator[str]:
    """Yield the threads 0, which Perfetto takes for the thread with the number of the process."""
    trace, ids = analyzed.trace, analyzed.plan.ids
    for track, ((pid, tid), new_pid, new) in enumerate(
        zip(trace.tracks, ids.pids, ids.tids, strict=True)
    ):
        if tid == 0 and new != 0 and pid == new_pid:
            name = default_name(trace, track)
            other = name.replace("0", str(pid))
            yield f"{name} of {_process(trace, pid)} was drawn on {other}, and stands by itself now"


def _process(trace: Trace, pid: Scalar) -> str:
    """Name a process: a GPU where it has streams."""
    tracks = [track for track, (other, _) in enumerate(trace.tracks) if other == pid]
    is_gpu = any(default_name(trace, track).startswith("stream") for track in tracks)
    return f"{'GPU' if is_gpu else 'process'} {pid}"


def _damaged(numbers: dict[str, Any]) -> Iterator[str]:
    """Yield lines on the first damaged stretches, and on B and E events Perfetto misreads."""
    for damage in numbers.get("damage", ()):
        name = f" of {middle(damage['name'], _MOST_CHARACTERS)}" if damage["name"] else ""
        yield (
            f"           left out: {plural(damage['bytes'], 'byte')}{name} "
            f"at byte {damage['byte']:,} of the text"
        )
    unmatched = numbers.get("unmatched", {})
    if ends := unmatched.get("E", 0):
        yield f"{plural(ends, 'E event')} without a B: Perfetto shows nothing of that"
    if swapped := numbers.get("swapped", 0):
        yield (
            f"{plural(swapped, 'slice')} of 0 ns of B and E events: Perfetto takes the E first, "
            "which ends another slice; those around are shown with wrong times"
        )
    if cut := numbers.get("cut", 0):
        yield cut_text(cut)
    if begins := unmatched.get("B", 0):
        yield f"{plural(begins, 'B event')} without an E: Perfetto shows slices that never end"
