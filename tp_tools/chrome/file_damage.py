"""Report the damage of a file: cut short, without events, or with repaired or lost text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.chrome.metadata import metadata
from tp_tools.trace.model import UNTIMED, is_phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.files import Source
    from tp_tools.progress import Reporter
    from tp_tools.trace import Trace
    from tp_tools.trace.model import TextDamage

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
"""Repairs of text that intact profilers write and Perfetto misreads: not damage."""

_LEFT_OUT = {
    "damaged_events": ("damaged event", "damaged events"),
    "damaged_stretches": (
        "damaged stretch of text between events",
        "damaged stretches of text between events",
    ),
    "damaged_members": (
        "damaged member around the events",
        "damaged members around the events",
    ),
}
"""Name in messages of one and of several of each kind of text that was left out."""

_REPORTED_AS_LOSS = frozenset({"truncated_tail", "trailing_text", *_LEFT_OUT})


class FileDamage(Struct, frozen=True):
    """The damage of the file of a trace.

    Attributes:
        cut_short: whether the file ends too early.
        lost_bytes: bytes of text that were left out at the end.
        events: number of events with a time.
        mended: counts of repairs of the text by kind, including habits of profilers.
        left_out: a line about damaged text that was left out; "" if there is none.
        first: the first stretches of damaged text that were left out.
        notes: what the reader of an export says of it, a line each.
    """

    cut_short: bool
    lost_bytes: int
    events: int
    mended: dict[str, int]
    left_out: str = ""
    first: tuple[TextDamage, ...] = ()
    notes: tuple[str, ...] = ()

    def as_object(self) -> dict[str, Any]:
        """Return the damage for JSON."""
        return {
            "cut_short": self.cut_short,
            "lost_bytes": self.lost_bytes,
            "events": self.events,
            "mended": self.mended,
            "left_out": self.left_out,
            "first": [stretch.as_object() for stretch in self.first],
        }

    def losses(self, file: str) -> Iterator[str]:
        """Yield lines about text that was left out."""
        one = self.lost_bytes == 1
        lost = f"{self.lost_bytes:,} byte{'' if one else 's'}"
        were = "was" if one else "were"
        if self.cut_short and not self.lost_bytes:
            yield f"{file}: was cut short behind its last whole event."
        elif self.cut_short:
            yield f"{file}: was cut short: {lost} behind its last whole event {were} left out."
        elif self.lost_bytes:
            yield f"{file}: {lost} behind the end of the trace {were} left out."
        if self.left_out:
            yield f"{file}: {self.left_out}"

    def mends(self, file: str) -> Iterator[str]:
        """Yield a line about damaged text that was repaired, if there is any."""
        damaged = [
            f"{kind.replace('_', ' ')} ({count:,})"
            for kind, count in sorted(self.mended.items())
            if kind not in _HABITS | _REPORTED_AS_LOSS
        ]
        if damaged:
            yield f"{file}: its text was damaged, and is mended: {', '.join(damaged)}."

    def tell(self, file: str, reporter: Reporter) -> None:
        """Report the damage.

        Args:
            file: the name of the file.
            reporter: receives warnings of lost text or missing events, and a note about repairs.
        """
        for line in self.losses(file):
            reporter.warn(line)
        if not self.events:
            reporter.warn(f"{file}: holds no events. Was the profiler stopped before it recorded?")
        for line in self.mends(file):
            reporter.note(line)
        for line in self.notes:
            reporter.note(f"{file}: {line}")


def damage(trace: Trace, source: Source) -> FileDamage:
    """Return the damage of a file that was read into `trace`."""
    timed = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    cut_short = trace.tail.cut_short or source.truncated
    mended = dict(sorted(trace.repairs.items()))
    return FileDamage(
        cut_short,
        trace.tail.lost,
        int(timed.sum()),
        mended,
        left_out=_left_out(trace),
        first=tuple(trace.damage or ()),
        notes=metadata(trace).notes,
    )


def _left_out(trace: Trace) -> str:
    """Format a line with the count of damaged stretches that were left out and the first offset."""
    counts = {kind: trace.repairs[kind] for kind in _LEFT_OUT if trace.repairs[kind]}
    if not counts or not trace.damage:
        return ""
    named = [f"{count:,} {_LEFT_OUT[kind][count > 1]}" for kind, count in counts.items()]
    first = trace.damage[0]
    name = f" ({first.name})" if first.name else ""
    were, where = ("was", "") if sum(counts.values()) == 1 else ("were", "the first ")
    return f"{', '.join(named)} {were} left out, {where}at byte {first.byte:,} of its text{name}."
