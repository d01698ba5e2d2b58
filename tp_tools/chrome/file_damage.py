"""How a trace was damaged: cut short, without events, or with text that had to be mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tp_tools.trace.model import UNTIMED, is_phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.files.source import Source
    from tp_tools.trace.model import Trace

_HABITS = frozenset(
    {
        "bare_texts",
        "byte_order_marks",
        "escapes",
        "fine_times",
        "first_keys",
        "large_integers",
        "huge_numbers",
        "long_decimals",
    }
)
"""What sound profilers write and Perfetto misreads: repaired, and no damage."""

_LEFT_OUT = {
    "damaged_events": "damaged events",
    "damaged_stretches": "damaged stretches of text between events",
    "damaged_members": "damaged members around the events",
}
"""Kinds of text that could not be mended, and what they are called."""

_SAID_OTHERWISE = frozenset({"truncated_tail", "trailing_text", *_LEFT_OUT})


@dataclass(frozen=True)
class FileDamage:
    """What is wrong with the file of a trace.

    Attributes:
        cut_short: whether it ends too early.
        lost_bytes: of text that was left out at its end.
        events: how many there are that have a time.
        mended: what was mended in its text, by kind, habits of profilers included.
        left_out: a line about damaged text that was left out; "" if there is none.
    """

    cut_short: bool
    lost_bytes: int
    events: int
    mended: dict[str, int]
    left_out: str = ""

    def losses(self, file: str) -> Iterator[str]:
        """A line about text that could not be kept, if there is any."""
        lost = f"{self.lost_bytes:,} byte{'' if self.lost_bytes == 1 else 's'}"
        if self.cut_short:
            yield f"{file}: was cut short: {lost} behind its last whole event were left out."
        elif self.lost_bytes:
            yield f"{file}: {lost} behind the end of the trace were left out."
        if self.left_out:
            yield f"{file}: {self.left_out}"

    def mends(self, file: str) -> Iterator[str]:
        """A line about text that was damaged and is mended, if there is any."""
        damaged = [
            f"{kind.replace('_', ' ')} ({count:,})"
            for kind, count in sorted(self.mended.items())
            if kind not in _HABITS | _SAID_OTHERWISE
        ]
        if damaged:
            yield f"{file}: its text was damaged, and is mended: {', '.join(damaged)}."

    def tell(self, file: str, warn: Callable[[str], None], say: Callable[[str], None]) -> None:
        """Warns of what is missing, and says what was mended."""
        for line in self.losses(file):
            warn(line)
        if not self.events:
            warn(f"{file}: holds no events. Was the profiler stopped before it recorded?")
        for line in self.mends(file):
            say(line)


def damage(trace: Trace, source: Source) -> FileDamage:
    """What is wrong with a file that was read."""
    timed = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    cut_short = trace.tail.cut_short or source.truncated
    mended = dict(sorted(trace.repairs.items()))
    return FileDamage(cut_short, trace.tail.lost, int(timed.sum()), mended, _left_out(trace))


def _left_out(trace: Trace) -> str:
    """Count the damaged text that was left out, and say where the first of it is."""
    counts = [
        f"{trace.repairs[kind]:,} {name}" for kind, name in _LEFT_OUT.items() if trace.repairs[kind]
    ]
    if not counts or not trace.damage:
        return ""
    first = trace.damage[0]
    name = f" ({first.name})" if first.name else ""
    return f"{', '.join(counts)} were left out, the first at byte {first.byte:,} of its text{name}."
