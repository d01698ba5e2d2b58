"""Prove the launch flows of a loaded trace: one flow joins each recorded launch and its own work.

The expected flows come from the trace as recorded: the launch and the work of one rank whose
correlation is the id of the flow. Perfetto's rules for binding flow events play no part in it; they
only tell which other flows may be drawn, because they were recorded so (`kept_launches`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import Struct

from tp_tools.columns import indices_of
from tp_tools.errors import VerificationError
from tp_tools.repair.flow_bindings import recorded_pairs
from tp_tools.repair.kept_flows import kept_launches
from tp_tools.repair.launch_flows import meant_launches
from tp_tools.trace.flow_groups import LAUNCH_CATS, flow_groups
from tp_tools.trace.model import NO_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tp_tools.trace import Plan, Slices, Trace

_NUL = re.compile(r"\\*(?:\x00|\\u0000)")
_PLAIN = str.maketrans("", "", '\\"')


class SliceKey(NamedTuple):
    """Identifies a slice that Perfetto shows; `ts` is in ns, `name` "" if it has a correlation."""

    pid: int
    tid: int
    ts: int
    name: str
    correlation: str | None

    def describe(self) -> str:
        """Describe the slice for a message."""
        thread = f"thread {self.tid} of process {self.pid}"
        what = f"correlation {self.correlation}" if self.correlation else self.name
        return f"the slice {what} at {self.ts} ns on {thread}"


def slice_key(pid: int, tid: int, ts: int, name: str | None, correlation: str | None) -> SliceKey:
    """Return the key of a slice.

    Slices of one correlation that start together have one key, whatever their names: nothing tells
    which of them a flow means.
    """
    return SliceKey(pid, tid, ts, comparable(name) if correlation is None else "", correlation)


Flow: TypeAlias = tuple[SliceKey, SliceKey]

Arrows: TypeAlias = list[tuple[Any, ...]]
"""Rows of `checks/arrows.sql`."""


def comparable(name: str | None) -> str:
    """Return a name that all versions of Perfetto read alike.

    Quotes and backslashes are dropped; a name with a backslash or a control character becomes "".
    v52 cuts a name with both an escaped quote and a NUL at the NUL: all are cut there.
    """
    text = _NUL.split(name or "", maxsplit=1)[0]
    plain = text.translate(_PLAIN)
    return plain if plain.isprintable() and "\\" not in text else ""


def correlation_of(trace: Trace, event: int) -> str | None:
    """Return the correlation of a slice, if it is a plain number; else None."""
    link = int(trace.link[event])
    return str(trace.links.plain[link]) if NO_ID < link < len(trace.links.plain) else None


class Launches(Struct, frozen=True):
    """The expected launch flows.

    Attributes:
        flows: number of each flow.
        origin: for each call of a launch, the call that represents the launch: where one call made
            the other, both have its correlation.
        kept: flows that may be drawn as well: see `kept_launches`.
        tied: the slices that name a flow themselves as recorded, by `bind_id`, with the number of
            their rank. Their flows are not judged, but for those between two ranks: they join
            what the file says, whether it launched the other or not.
    """

    flows: Counter[Flow]
    origin: dict[SliceKey, SliceKey]
    kept: set[Flow]
    tied: dict[SliceKey, int]

    def is_tied(self, start: SliceKey, end: SliceKey) -> bool:
        """Tell whether one of the slices, or both of a rank, name flows themselves."""
        return len({self.tied[it] for it in (start, end) if it in self.tied}) == 1

    def from_origin(self, flow: Flow) -> Flow:
        """Return the flow from the call that represents its launch."""
        return self.origin.get(flow[0], flow[0]), flow[1]


def expected(trace: Trace, table: Slices, plan: Plan, key: Callable[[int], SliceKey]) -> Launches:
    """List the expected launch flows.

    Args:
        trace: the trace as recorded.
        table: its slices.
        plan: the repairs.
        key: returns the key of the slice of an event.
    """
    launches = Launches(Counter(), {}, set(), {})
    pairs, _ = recorded_pairs(trace, table, plan, flow_groups(trace))
    for calls, work in meant_launches(trace, table, plan, pairs):
        keys = [key(call) for call in calls]
        first = launches.origin.get(keys[0], keys[0])
        launches.origin.update(dict.fromkeys(keys, first))
        launches.flows[first, key(work)] += 1
    for call, work in kept_launches(trace, table, plan, pairs):
        launches.kept.add(launches.from_origin((key(call), key(work))))
    for event in table.event[indices_of(table.event, trace.bind_ids)].tolist():
        named = key(event)
        launches.tied.update({named: 0, launches.origin.get(named, named): 0})
    return launches


def check(name: str, arrows: Arrows, launches: Launches, others: Counter[Flow] | None) -> None:
    """Prove that a flow joins each launch and its own work, and no other work.

    Args:
        name: name of the file, for messages.
        arrows: what TraceProcessor shows.
        launches: the expected flows.
        others: expected flows that are no launches; None if the file gives the category of each.

    Raises:
        VerificationError: a flow is missing or wrong.
    """
    drawn, launched = Counter[Flow](), Counter[Flow]()
    for category, *ends in arrows:
        flow = launches.from_origin((_shown(ends[:5]), _shown(ends[5:])))
        drawn[flow] += 1
        if others is not None or category in LAUNCH_CATS:
            launched[flow] += 1
    missing = launches.flows - drawn
    extra = launched - launches.flows
    extra -= Counter(launches.from_origin(flow) for flow in (others or Counter()).elements())
    known = {end for flow in launches.flows for end in flow}
    judged = {flow for flow in extra if not launches.is_tied(*flow)} - launches.kept
    wrong = [flow for flow in judged if _is_wrong(flow, known)]
    if missing or wrong:
        start, end = next(iter(missing), None) or wrong[0]
        raise VerificationError(
            f"{name}: {missing.total()} launch arrows are missing and {len(wrong)} are wrong, such "
            f"as one from {start.describe()} to {end.describe()}. The result was not kept; without "
            "--verify it is."
        )


def _shown(end: Sequence[Any]) -> SliceKey:
    """Return the key of a slice from one end of a row of the query."""
    pid, tid, ts, name, correlation = end
    known = str(correlation) if isinstance(correlation, int) else None
    return slice_key(pid or 0, tid, ts, name, known)


def _is_wrong(flow: Flow, known: set[SliceKey]) -> bool:
    """Tell whether an unexpected flow joins a launch and work of another launch."""
    start, end = flow
    if None in {start.correlation, end.correlation}:
        return False
    return start.correlation != end.correlation or not known.isdisjoint(flow)
