"""Proves the launch arrows of a loaded trace: each recorded launch is tied to its own work, once.

What is right comes from the trace as recorded: the launch and the work with the id of the flow as
their correlation, of the same rank. How Perfetto binds flow events plays no part in it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tp_tools import engine, library
from tp_tools.errors import VerificationError
from tp_tools.repair.launch_flows import meant_launches
from tp_tools.trace.flow_groups import LAUNCH_CATS
from tp_tools.trace.model import NO_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tp_tools.engine.processor import Processor
    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices

_PLAIN = str.maketrans("", "", '\\"')


class SliceKey(NamedTuple):
    """What tells a slice that is shown from others."""

    pid: int
    tid: int
    ts: int
    name: str
    correlation: str | None

    def said(self) -> str:
        """For messages."""
        place = f"thread {self.tid} of process {self.pid}"
        return f"{self.name} (correlation {self.correlation}) at {self.ts} ns on {place}"


Arrow: TypeAlias = tuple[SliceKey, SliceKey]


def comparable(name: str | None) -> str:
    """A name without what versions of Perfetto read differently: escapes and control characters."""
    plain = (name or "").translate(_PLAIN)
    return plain if plain.isprintable() and "\\" not in (name or "") else ""


def correlation_of(trace: Trace, event: int) -> str | None:
    """The correlation of a slice, if it is a plain number."""
    link = int(trace.link[event])
    return str(trace.links.plain[link]) if NO_ID < link < len(trace.links.plain) else None


@dataclass(frozen=True)
class Launches:
    """The launch arrows that have to be there.

    Attributes:
        arrows: how often each is.
        origin: the slice that stands for each call that made a launch.
    """

    arrows: Counter[Arrow]
    origin: dict[SliceKey, SliceKey]

    def named(self, arrow: Arrow) -> Arrow:
        """An arrow from the slice that stands for its call."""
        return self.origin.get(arrow[0], arrow[0]), arrow[1]


def expected(trace: Trace, table: Slices, plan: Plan, key: Callable[[int], SliceKey]) -> Launches:
    """The launch arrows that have to be there.

    Args:
        trace: the trace as recorded.
        table: its slices.
        plan: what was changed.
        key: the key by which a slice is shown, by its event.
    """
    found = Launches(Counter(), {})
    for calls, work in meant_launches(trace, table, plan):
        keys = [key(call) for call in calls]
        first = found.origin.get(keys[0], keys[0])
        found.origin.update(dict.fromkeys(keys, first))
        found.arrows[first, key(work)] += 1
    return found


def check(name: str, tp: Processor, launches: Launches, others: Counter[Arrow] | None) -> None:
    """Makes sure that each launch is tied to its own work, and to no other.

    Args:
        name: of the file, for messages.
        tp: the loaded file.
        launches: the arrows that have to be there.
        others: other arrows, which are no launches; None if the file gives the category of each.

    Raises:
        VerificationError: an arrow is missing or wrong.
    """
    drawn, launched = Counter[Arrow](), Counter[Arrow]()
    for category, *ends in engine.run_file(tp, library.check("arrows")).rows:
        arrow = launches.named((_shown(ends[:5]), _shown(ends[5:])))
        drawn[arrow] += 1
        if others is not None or category in LAUNCH_CATS:
            launched[arrow] += 1
    missing = launches.arrows - drawn
    extra = launched - launches.arrows
    extra -= Counter(launches.named(arrow) for arrow in (others or Counter()).elements())
    known = {end for arrow in launches.arrows for end in arrow}
    wrong = [arrow for arrow in extra if _is_wrong(arrow, known)]
    if missing or wrong:
        start, end = next(iter(missing), None) or wrong[0]
        raise VerificationError(
            f"{name}: {missing.total()} launch arrows are missing and {len(wrong)} are wrong, such "
            f"as one from {start.said()} to {end.said()}. The result was not kept; please report "
            "this with the trace."
        )


def _shown(end: Sequence[Any]) -> SliceKey:
    """The key of a row's slice."""
    pid, tid, ts, name, correlation = end
    known = str(correlation) if isinstance(correlation, int) else None
    return SliceKey(pid or 0, tid, ts, comparable(name), known)


def _is_wrong(arrow: Arrow, known: set[SliceKey]) -> bool:
    """Whether an arrow that is not expected joins what no launch did."""
    start, end = arrow
    if None in {start.correlation, end.correlation}:
        return False
    return start.correlation != end.correlation or not known.isdisjoint(arrow)
