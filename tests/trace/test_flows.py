"""Arrows belong to slices: found quickly, they are those that a search through all finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import text, trace_of
from tests.support.strategies import PURE
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import is_phase
from tp_tools.trace.slices import slices

if TYPE_CHECKING:
    from tests.support.handmade import Event
    from tp_tools.trace.model import Trace
    from tp_tools.trace.slices import Slices

SLICES = st.builds(
    lambda tid, ts, dur, correlation: {
        "ph": "X",
        "name": "k",
        "pid": 1,
        "tid": tid,
        "ts": ts,
        "dur": dur,
        "args": {"correlation": correlation},
    },
    st.integers(1, 2),
    st.integers(0, 20),
    st.integers(0, 12),
    st.integers(1, 3),
)
FLOWS = st.builds(
    lambda ph, tid, ts, number: {
        "ph": ph,
        "name": "a",
        "pid": 1,
        "tid": tid,
        "ts": ts,
        "id": number,
    },
    st.sampled_from("stf"),
    st.integers(1, 2),
    st.integers(0, 25),
    st.integers(1, 3),
)


def owner(trace: Trace, table: Slices, flow: int) -> int | None:
    """The slice that a flow event belongs to, as the rule says it."""
    at, row = int(trace.ts[flow]), int(trace.track[flow])
    ts, end = table.ts[:], table.end[:]
    here = [i for i in range(len(table)) if table.track[i] == row]
    starting = [i for i in here if ts[i] == at]
    tied = [i for i in starting if trace.link[table.event[i]] == trace.link[flow]]
    around = [i for i in here if ts[i] < at < end[i]]
    chosen = (tied if len(starting) > 1 else []) or starting or around
    return int(table.event[chosen[-1]]) if chosen else None


@PURE
@given(st.lists(SLICES, max_size=12), st.lists(FLOWS, max_size=12), st.sampled_from([1, 2, 64]))
def test_each_flow_follows_its_slice(made: list[Event], flows: list[Event], near: int) -> None:
    """Of a start the one with its id, else the shortest; else the innermost that is open."""
    trace = trace_of(text([*made, *flows]))
    table = slices(trace)
    found = flows_of(trace, table, {event: event for event in table.event.tolist()}, near)
    wanted = {
        flow: owner(trace, table, flow) for flow in np.flatnonzero(is_phase(trace, "stf")).tolist()
    }
    assert found == {flow: event for flow, event in wanted.items() if event is not None}
