"""Flows of several starts or with steps are split into launches by the correlations of slices."""

from __future__ import annotations

from tests.support.handmade import text, trace_of
from tests.support.launch_events import call, flow, work
from tp_tools.repair.unclear_flows import unclear_flows
from tp_tools.trace.flow_groups import flow_groups


def test_an_end_belongs_to_the_last_start_of_its_correlation() -> None:
    """Of three starts; an end of no known correlation belongs to none."""
    launch, kernel = call("launch", 0, 3, 1), work("kernel", 30, 4, 1)
    starts = [{**flow(9, launch, kernel)[0], "ts": ts} for ts in (0, 10, 20)]
    ends = [{**flow(9, launch, kernel)[1], "ts": ts} for ts in (12, 30)]
    trace = trace_of(text([*starts, *ends]))
    (found,) = unclear_flows(trace, flow_groups(trace))
    assert (found.starts, found.ends, found.arrows) == ([0, 1, 2], [3, 4], 2)
    marks = {0: {5}, 1: {5}, 2: {6}, 3: {5}, 4: {7}}
    split = found.split(marks.__getitem__)
    assert [(launch.start, launch.ends) for launch in split] == [(1, [3])]


def test_a_clear_flow_is_none_of_them() -> None:
    """One start and any number of ends, or no start at all."""
    launch, kernel = call("launch", 0, 3, 1), work("kernel", 30, 4, 1)
    start, end = flow(1, launch, kernel)
    trace = trace_of(text([start, end, end, {**end, "id": 2}]))
    assert unclear_flows(trace, flow_groups(trace)) == []
