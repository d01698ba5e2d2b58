"""The terminal's summary of a repair."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tp_tools.formatting import middle, percent, plural, span
from tp_tools.repair.summary import hidden_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.repair.analysis import Examined

_MOST_NAMES = 5
_WIDEST = 120

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


def lines(examined: Examined, numbers: dict[str, Any]) -> Iterator[str]:
    """What Perfetto would have hidden, and what was done.

    Args:
        examined: the trace and its plan.
        numbers: its `summary.summary`.
    """
    yield (
        f"{plural(numbers['events'], 'event')}, {plural(numbers['slices'], 'slice')}, "
        f"{plural(numbers['kernels'], 'kernel')}"
    )
    yield from _hidden(examined)
    if examined.is_sound():
        yield "Nothing to repair."
    yield from _done(examined, numbers)


def _hidden(examined: Examined) -> Iterator[str]:
    hidden = hidden_of(examined.trace, examined.hidden)
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
    width = min(shutil.get_terminal_size().columns, _WIDEST) - 22
    for name, count, time in hidden.names[:_MOST_NAMES]:
        yield f"  {count:>5} x {span(time):>10}  {middle(name, width)}"
    if len(hidden.names) > _MOST_NAMES:
        yield f"  and {plural(len(hidden.names) - _MOST_NAMES, 'more name')}"


def _done(examined: Examined, numbers: dict[str, Any]) -> Iterator[str]:
    if numbers["moved"]:
        names = sorted({lane.name for lane in examined.plan.lanes.values()})
        shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        yield f"  moved    {plural(numbers['moved'], 'slice')} that ran concurrently, to {shown}"
    if numbers["trimmed"]:
        yield f"  trimmed  {plural(numbers['trimmed'], 'slice')} that overlapped by clock jitter"
    if numbers["rebased_ns"]:
        days = numbers["rebased_ns"] // (86_400 * 10**9)
        hidden = numbers["overlaps"]["precision"]
        because = f"; rounding alone hid {plural(hidden, 'slice')}" if hidden else ""
        yield f"  rebased  all times by {plural(days, 'day')}, so that none is rounded{because}"
    for kind, count in numbers["repairs"].items():
        yield f"  mended   {REPAIRS[kind]}" + (f" ({count:,})" if count > 1 else "")
