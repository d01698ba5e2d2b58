"""Launch flows: whatever starts together, each launch is joined to its own work, or counted."""

from __future__ import annotations

import tempfile
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import Fixed, fixed, loaded, source_of, text
from tests.support.launch_events import call, flow, work
from tests.support.perfetto_content import pftrace_of
from tests.support.strategies import LOADING
from tp_tools import engine
from tp_tools.errors import VerificationError
from tp_tools.repair import analysis, verify_json, verify_pftrace
from tp_tools.writing.pftrace.options import PftraceOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypothesis.strategies import DrawFn

    from tests.support.handmade import Event

Arrows = Counter[tuple[str, str]]


def drawn(data: bytes) -> Arrows:
    """Names of the slices that each arrow joins."""
    query = (
        "SELECT a.name, b.name FROM flow JOIN slice AS a ON a.id = flow.slice_out "
        "JOIN slice AS b ON b.id = flow.slice_in"
    )
    with loaded(data) as tp:
        return Counter(engine.rows(tp, query))


def proved(events: Iterable[Event]) -> tuple[Fixed, Arrows, Arrows]:
    """The repaired trace, and its arrows as JSON and as `.pftrace`; both are verified first."""
    data = text(events)
    result, packets, part = fixed(data), pftrace_of(data), PftraceOptions()
    with tempfile.TemporaryDirectory() as folder:
        path = source_of(result.data, Path(folder)).path
        verify_json.verify(path, "t.json", result.analysis, None)
        path = Path(folder) / "t.pftrace"
        path.write_bytes(packets)
        verify_pftrace.verify(path, "t.pftrace", result.analysis, None, options=part)
    again = fixed(result.data)
    assert again.analysis.is_sound()
    assert again.data == result.data
    return result, drawn(result.data), drawn(packets)


def both(events: Iterable[Event]) -> Arrows:
    """The arrows of the repaired trace, the same in both forms."""
    _, as_json, as_packets = proved(events)
    assert as_json == as_packets
    return as_json


IDS: list[Callable[[int], Any]] = [
    lambda i: i,
    str,
    lambda i: f"launch {i}",
    lambda i: i + 0.5,
    lambda i: 10**18 + i,
    lambda i: f"{10**18 + i}",
    lambda i: 2**63 + i,
    hex,
]
"""Ways to write the id of a launch."""


RANKS = [[""], ["[TP00] ", "[TP01] "], ["[TP0-DP0] ", "[TP0-DP1] ", "[TP1-DP0] "]]
"""What the pids of each rank of a file begin with."""


@st.composite
def launches(draw: DrawFn) -> tuple[list[Event], dict[tuple[str, str], tuple[int, int]]]:
    """Calls, launches and kernels on a grid of 1 us, in any order; when each pair starts.

    A launch may have several kernels, ranks of a file the same ids and correlations, and slices
    may have threads in quotes where arrows have numbers.
    """
    write, labels = draw(st.sampled_from(IDS)), draw(st.sampled_from(RANKS))
    is_quoted, is_plain = draw(st.booleans()), write in IDS[:2] and len(labels) == 1
    events, starts = [], {}
    for number in range(1, draw(st.integers(1, 5)) + 1):
        rank = (number - 1) % len(labels)
        i, label = 1 + (number - 1) // len(labels), labels[rank]
        pids = [{"pid": f"{label}{pid + rank}"} if label else {} for pid in (100, 0)]
        at = draw(st.integers(0, 6))
        start = call(f"launch {number}", at, draw(st.integers(0, 3)), i, **pids[0])
        s_ts = at + (draw(st.integers(0, 2)) if is_plain else 0)  # others know by its place alone
        events.append(start)
        for letter in "ab"[: draw(st.integers(1, 2)) if is_plain else 1]:
            behind = 3 + draw(st.integers(0, 6))
            name = f"kernel {number}{letter}"
            end = work(name, behind, draw(st.integers(0, 3)), i, **pids[1])
            begin, finish = flow(write(i), {**start, "ts": s_ts}, end)
            events += [begin, end, finish] if letter == "a" else [end, finish]
            starts[f"launch {number}", name] = max(at, s_ts), behind
    for i in range(draw(st.integers(0, 4))):
        pid = {"pid": f"{labels[0]}100"} if labels[0] else {}
        events.append(
            call(f"call {i}", draw(st.integers(0, 6)), draw(st.integers(0, 2)), 90 + i, **pid)
        )
    if is_quoted:
        events = [{**it, "tid": f"{it['tid']}"} if it["ph"] == "X" else it for it in events]
    if is_plain:
        events = draw(st.permutations(events))
    return events, starts


@LOADING
@given(launches())
def test_launches_are_joined_to_their_own_work(
    made: tuple[list[Event], dict[tuple[str, str], tuple[int, int]]],
) -> None:
    """Where the launch starts first there is one arrow; where not, one or none; none is wrong."""
    events, starts = made
    result, as_json, as_packets = proved(events)
    sure = {pair for pair, (start, end) in starts.items() if start < end}
    flows = result.analysis.plan.flows
    for arrows in (as_json, as_packets):
        assert set(arrows) <= set(starts)
        assert sure <= set(arrows)
        assert max(arrows.values(), default=1) == 1
        assert len(starts) - len(arrows) == flows.lost + flows.undrawn


def together(call_dur: int, order: str) -> list[Event]:
    """A call that starts with the launch after it, the events in this order."""
    start, end = call("launch", 10, 3, 2), work("kernel", 20, 5, 2)
    begin, finish = flow(2, start, end)
    named = {"c": call("other call", 10, call_dur, 1), "l": start, "s": begin}
    return [*(named[key] for key in order), end, finish]


@pytest.mark.parametrize("call_dur", [0, 1, 3, 5])
@pytest.mark.parametrize("order", ["cls", "lsc", "scl", "lcs"])
def test_a_call_that_starts_with_a_launch_takes_no_arrow(call_dur: int, order: str) -> None:
    """However long it is, and wherever it stands in the file."""
    assert both(together(call_dur, order)) == {("launch", "kernel"): 1}


@pytest.mark.parametrize("begin", [5, 10, 12])
@pytest.mark.parametrize("more", [[], [call("later", 30, 1, 3)]])
def test_a_begin_without_an_end_takes_no_arrow(begin: int, more: list[Event]) -> None:
    """Where it starts with a launch it lies on top of that."""
    start, end = call("launch", 10, 3, 2), work("kernel", 20, 5, 2)
    opened = {**call("open", begin, 0, 1), "ph": "B"}
    del opened["dur"]
    events = [opened, start, *flow(2, start, end), end, *more]
    assert both(events) == {("launch", "kernel"): 1}


@pytest.mark.parametrize("at", [24, 25, 26])
def test_an_end_without_a_begin_leaves_the_arrow(at: int) -> None:
    """It takes a kernel that is over off the stack, to which a late flow event then cannot bind."""
    start, end = call("launch", 10, 3, 2), work("kernel", 20, 5, 2)
    begin, finish = flow(2, start, end)
    stray = {**work("stray", at, 0, 3), "ph": "E"}
    del stray["dur"]
    assert both([start, begin, end, stray, {**finish, "ts": 30}]) == {("launch", "kernel"): 1}


def test_kernels_that_start_together_keep_their_arrows() -> None:
    """The shorter one lies on top, and takes one arrow, not both."""
    calls = [call("one", 0, 1, 1), call("two", 3, 1, 2)]
    kernels = [work("A", 10, 5, 1), work("B", 10, 9, 2)]
    flows = [it for i in (0, 1) for it in flow(i + 1, calls[i], kernels[i])]
    assert both([*calls, *kernels, *flows]) == {("one", "A"): 1, ("two", "B"): 1}


def test_kernels_of_one_graph_that_start_together_have_an_arrow_each() -> None:
    """One launch, one correlation, two kernels."""
    start = call("graph", 0, 4, 1)
    kernels = [work("A", 10, 5, 1), work("B", 10, 9, 1)]
    begin = flow(1, start, kernels[0])[0]
    ends = [flow(1, start, kernel)[1] for kernel in kernels]
    assert both([start, *kernels, begin, *ends]) == {("graph", "A"): 1, ("graph", "B"): 1}


def test_external_ids_tell_launches_without_correlations() -> None:
    """Of two calls that start together, the one with the External id of the kernel launched it."""
    start = call("launch", 10, 0, args={"External id": 5})
    other = call("other", 10, 0, args={"External id": 4})
    end = work("kernel", 20, 5, args={"External id": 5})
    assert both([start, *flow(77, start, end), other, end]) == {("launch", "kernel"): 1}
    assert both([*flow(77, start, end), other, start, end]) == {("launch", "kernel"): 1}


@pytest.mark.parametrize("write", IDS)
def test_ids_of_every_kind_join_what_they_joined(write: Callable[[int], Any]) -> None:
    """Text of digits, words, decimals, numbers of 19 digits: two ids stay two."""
    calls = [call(f"launch {i}", 10 * i, 3, i) for i in (1, 2)]
    kernels = [work(f"kernel {i}", 10 * i + 5, 3, i) for i in (1, 2)]
    flows = [it for i in (0, 1) for it in flow(write(i + 1), calls[i], kernels[i])]
    own = {("launch 1", "kernel 1"): 1, ("launch 2", "kernel 2"): 1}
    assert both([*calls, *kernels, *flows]) == own


@pytest.mark.parametrize("write", ["starts", "ends", "steps", "all", "slices"])
def test_what_is_written_twice_is_one_launch(write: str) -> None:
    """A step or a second event of a flow neither makes a chain of kernels nor costs the arrow."""
    events = []
    for i in (1, 2):
        start, end = call(f"launch {i}", 5 * i, 3, i), work(f"kernel {i}", 5 * i + 8, 4, i)
        begin, finish = flow(i, start, end)
        more: dict[str, list[Event]] = {
            "starts": [begin],
            "ends": [finish],
            "steps": [{**finish, "ph": "t"}],
            "all": [begin, finish],
            "slices": [start, end],
        }
        events += [start, end, begin, finish, *more[write]]
    arrows = set(both(events))
    assert arrows == {("launch 1", "kernel 1"), ("launch 2", "kernel 2")}


@pytest.mark.parametrize("shift", [1, 2])
def test_numbers_of_a_merge_are_no_correlations(shift: int) -> None:
    """A merge numbers flows anew, and its numbers may be the correlations of other launches."""
    events = []
    for i in range(1, 5):
        start, end = call(f"launch {i}", 20 * i, 3, i), work(f"kernel {i}", 20 * i + 8, 4, i)
        events += [start, end, *flow((i + shift) % 4 + 1, start, end)]
    result, *arrows = proved(events)
    assert result.analysis.is_sound()
    assert arrows == [{(f"launch {i}", f"kernel {i}"): 1 for i in range(1, 5)}] * 2


def test_correlations_tell_launches_of_one_id() -> None:
    """Two launches before the kernel of the second: the arrow is that of its correlation."""
    calls = [call("one", 0, 3, 1), call("two", 5, 3, 2)]
    end = work("kernel", 20, 4, 2)
    flows = [flow(9, calls[0], end)[0], *flow(9, calls[1], end)]
    result, *arrows = proved([*calls, end, *flows])
    assert arrows == [{("two", "kernel"): 1}] * 2
    assert result.analysis.plan.flows.repairs() == {"launch_arrows_bound": 1}


def test_a_launch_that_two_uses_of_an_id_join_to_its_kernel_has_one_arrow() -> None:
    """Both ends of the second use lie behind its slices; repairing it again changes nothing."""
    start, end = call("launch", 0, 0, 4), work("kernel", 0, 0, 4)
    again = flow(4, {**start, "ts": 1}, {**end, "ts": 2})
    result, *arrows = proved([start, end, *flow(4, start, end), *again])
    assert arrows == [{("launch", "kernel"): 1}] * 2
    assert result.analysis.plan.flows.repairs() == {"launch_arrows_left_out": 1}


@pytest.mark.parametrize("work_of_it", [[], [work("kernel 2", 4, 0, 2)]])
@pytest.mark.parametrize("more", ["s", "tt"])
def test_unclear_flows_between_slices_of_another_launch_draw_nothing(
    work_of_it: list[Event], more: str
) -> None:
    """Their events start with no slice, and lie behind a launch and work that have an arrow."""
    start, end = call("launch 1", 0, 0, 1), work("kernel 1", 7, 0, 1)
    begin, finish = flow(2, {**start, "ts": 1}, {**end, "ts": 8})
    unclear = [begin, finish, *({**(begin if it == "s" else finish), "ph": it} for it in more)]
    events = [start, end, *flow(1, start, end), *work_of_it, *unclear]
    assert both(events) == {("launch 1", "kernel 1"): 1}


def test_steps_amid_work_make_no_chain() -> None:
    """Perfetto draws one from the work to itself; the launch keeps one arrow."""
    start, end = call("launch", 0, 5, 1), work("kernel", 10, 9, 1)
    begin, finish = flow("word", {**start, "ts": 2}, {**end, "ts": 12})
    events = [start, end, begin, {**finish, "ph": "t"}, {**finish, "ph": "t", "ts": 13}]
    assert both(events) == {("launch", "kernel"): 1}


def test_an_arrow_known_by_its_id_alone_does_not_depend_on_a_new_id() -> None:
    """Of two uses of an id each end belongs to the start of the other; twice is once."""
    calls = [call(f"launch {i}", 1, 0, i) for i in (1, 2, 3)]
    end = work("kernel 2", 1, 1, 2)
    begin, finish = flow(2, calls[1], end)
    events = [*calls[:2], end, begin, finish, calls[2], {**begin, "ts": 0}, {**finish, "ts": 4}]
    assert both(events).keys() <= {("launch 2", "kernel 2")}


def test_a_start_written_twice_is_no_end() -> None:
    """Of a launch whose call and `s` stand there twice, and another `s`, no arrow is made."""
    start = call("launch", 1, 0, 1)
    begin = flow(1, start, start)[0]
    assert both([start, begin, dict(start), dict(begin), {**begin, "ts": 0}]) == {}


def test_kernels_of_one_correlation_that_start_together_are_one_end() -> None:
    """Nothing tells which of them the arrow means; verification takes any."""
    start = call("launch", 0, 3, 1)
    kernels = [work(name, 10, 5, 1) for name in ("a", "b", "a")]
    (arrow,) = both([start, *kernels, *flow(1, start, kernels[0])])
    assert arrow[0] == "launch"


@st.composite
def careless(draw: DrawFn) -> list[Event]:
    """Launches whose flow events moved, were written twice, got another's id or were lost."""
    count, events = draw(st.integers(1, 4)), []
    for i in range(1, count + 1):
        at = draw(st.integers(0, 6))
        start = call(f"launch {i}", at, draw(st.integers(0, 3)), i)
        end = work(f"kernel {i}", at + draw(st.integers(0, 8)), draw(st.integers(0, 4)), i)
        number = draw(st.sampled_from([i, i, *range(1, count + 1)]))
        written = draw(st.lists(st.sampled_from("stf"), max_size=5)) or ["s", "f"]
        flows = []
        for phase in written:
            begin, finish = flow(number, start, end)
            event = {**(begin if phase == "s" else finish), "ph": phase}
            event["ts"] += draw(st.sampled_from([0, 0, 0, -1, 2]))
            flows.append(event)
        slices = draw(st.lists(st.sampled_from([start, end]), min_size=1, max_size=3))
        events += [*slices, *flows]
    return draw(st.permutations(events))


@LOADING
@given(careless())
def test_no_arrow_joins_a_launch_to_the_work_of_another(events: list[Event]) -> None:
    """However careless the profiler was; verification proves it in both forms."""
    _, *forms = proved(events)
    for start, end in (pair for arrows in forms for pair in arrows):
        assert start.split()[0] == "launch"
        assert end.split()[0] == "kernel"
        assert start.split()[1] == end.split()[1]


def test_an_id_used_again_joins_each_launch_to_its_own_kernel() -> None:
    """An id that occurs again, as when a profiler's counter starts anew, joins nearest pairs."""
    events = []
    for i in range(3):
        start, end = call(f"launch {i}", 20 * i, 3, 5), work(f"kernel {i}", 20 * i + 8, 4, 5)
        events += [start, end, *flow(5, start, end)]
    assert both(events) == {(f"launch {i}", f"kernel {i}"): 1 for i in range(3)}


@pytest.mark.parametrize("cat", ["ac2g", "fwdbwd"])
def test_ranks_of_a_merged_file_share_no_arrow(cat: str) -> None:
    """SGLang puts the rank into the pids, and leaves the ids that all ranks count alike."""
    events = []
    for i in range(3):
        start = call(f"launch {i}", 0, 3, 1, pid=f"[TP0{i}] 100{i}")
        end = work(f"kernel {i}", 9, 4, 1, pid=f"[TP0{i}] {i}")
        events += [start, end, *flow(1, start, end, cat=cat)]
    assert both(events) == {(f"launch {i}", f"kernel {i}"): 1 for i in range(3)}


def test_a_launch_that_was_not_recorded_draws_no_arrow_from_another() -> None:
    """It is left out, and counted; a kernel that was not recorded takes none either."""
    ended, end = call("launch A", 0, 5, 1), work("kernel B", 20, 5, 2)
    lone = [ended, end, *flow(2, {**ended, "ts": 9}, end)]
    result, *arrows = proved(lone)
    assert arrows == [{}, {}]
    assert result.analysis.plan.flows.repairs() == {"launch_arrows_left_out": 1}


def test_an_arrow_whose_end_has_no_slice_stays_as_recorded() -> None:
    """Perfetto draws nothing there; it is no defect, and no reason to refuse the result."""
    start = call("launch", 0, 5, 7)
    data = text([start, *flow(7, start, work("gone", 30, 1, 7))])
    result = fixed(data)
    assert result.data == data
    assert result.analysis.plan.flows.undrawn == 1
    with tempfile.TemporaryDirectory() as folder:
        path = source_of(result.data, Path(folder)).path
        verify_json.verify(path, "t.json", result.analysis, None)


def test_a_start_outside_of_its_launch_is_bound_to_it() -> None:
    """By correlation: `s` stands after the end of the launch, where another call is on top."""
    start, other = call("launch", 0, 5, 2), call("other", 6, 1, 1)
    end = work("kernel", 20, 5, 2)
    flows = flow(2, {**start, "ts": 9}, end)
    assert both([start, other, end, *flows]) == {("launch", "kernel"): 1}


def test_arrows_of_other_categories_are_no_launches() -> None:
    """`critical_path` joins slices of unlike correlations; it is drawn as it was recorded."""
    start, end, sync = call("launch", 0, 5, 1), work("kernel", 9, 5, 1), call("sync", 12, 9, 2)
    path = flow(0, end, sync, cat="critical_path", name="critical_path")
    path[1]["ts"] = 15
    events = [start, end, sync, *flow(1, start, end), *path]
    assert both(events) == {("launch", "kernel"): 1, ("kernel", "sync"): 1}
    assert fixed(text(events)).data == text(events)


def test_a_thread_written_as_text_is_the_thread_of_that_number() -> None:
    """PyTorch 1.8 writes tid "24572" on slices and 24572 on flows and instants."""
    start = call("launch", 100, 20, 3, pid=24572, tid="24572", cat="Runtime")
    end = work("kernel", 150, 10, 3, tid="stream 7", cat="Kernel")
    memory = {"ph": "i", "name": "[memory]", "pid": 24572, "tid": 24572, "ts": 90, "s": "t"}
    flows = flow(3, {**start, "tid": 24572}, end, cat="async", name="launch")
    assert both([memory, start, end, *flows]) == {("launch", "kernel"): 1}


def test_verification_misses_a_launch_without_its_arrow() -> None:
    """The flow events are there, and an end is in no slice any more."""
    events = together(0, "cls")
    result = fixed(text(events))
    wrong = result.data.replace(b'"flow_in"', b'"other"')
    with tempfile.TemporaryDirectory() as folder:
        path = source_of(wrong, Path(folder)).path
        with pytest.raises(VerificationError, match="1 launch arrows are missing"):
            verify_json.verify(path, "t.json", result.analysis, None)


def test_repairs_of_arrows_are_counted() -> None:
    """In the summary, by kind."""
    result = fixed(text(together(0, "cls")))
    assert result.analysis.plan.flows.repairs() == {"launch_arrows_bound": 1}
    assert analysis.Analysis.is_sound(result.analysis) is False


LAUNCHES = [call("a", 10, 5, 7), call("b", 20, 5, 8), work("k", 30, 5, 7), work("l", 40, 5, 8)]


def waiting(number: int, ts: int, cat: str = "ac2g") -> Event:
    """An `f` without `bp`: it binds to the next kernel that starts."""
    return {"ph": "f", "cat": cat, "name": cat, "id": number, "pid": 0, "tid": 7, "ts": ts}


@pytest.mark.parametrize("cat", ["ac2g", "other"])
def test_an_end_without_a_start_draws_no_arrow(cat: str) -> None:
    """Perfetto draws one from the first slice to the next; `tp_tools.repair.invented_flows`."""
    events = [*LAUNCHES, *flow(7, LAUNCHES[0], LAUNCHES[2]), waiting(8, 39, cat)]
    assert drawn(text(events)) == {("a", "k"): 1, ("a", "l"): 1}
    result, as_json, as_packets = proved(events)
    assert as_json == as_packets == {("a", "k"): 1}
    assert result.analysis.plan.flows.repairs() == {"flow_ends_left_out": 1}


@pytest.mark.parametrize("ts", [9, 19, 25])
def test_an_end_that_waits_takes_no_launch_to_the_kernel_of_another(ts: int) -> None:
    """Whether it comes before or behind its launch: Perfetto draws the arrow to the next kernel."""
    start = flow(8, LAUNCHES[1], LAUNCHES[3])[0]
    events = [*LAUNCHES, *flow(7, LAUNCHES[0], LAUNCHES[2]), start, waiting(8, ts)]
    assert drawn(text(events)) == {("a", "k"): 1, ("b", "k"): 1}
    assert both(events) == {("a", "k"): 1, ("b", "l"): 1}


@pytest.mark.parametrize("ts", [19, 25, 39])
def test_an_end_that_waits_for_a_slice_behind_its_start_stays(ts: int) -> None:
    """Whether it comes before or behind its start in time, Perfetto draws its arrow as recorded."""
    start = {**flow(8, LAUNCHES[1], LAUNCHES[3])[0], "cat": "other"}
    events = [*LAUNCHES, {**waiting(8, ts), "cat": "other"}, start]
    result, as_json, as_packets = proved(events)
    assert result.analysis.is_sound()
    assert as_json == as_packets == drawn(text(events))


@pytest.mark.parametrize("dur", [0, 5])
@pytest.mark.parametrize("order", list(permutations(["first", "later", "kernel"])))
def test_the_start_that_perfetto_reads_first_begins_the_flow(
    order: tuple[str, ...], dur: int
) -> None:
    """By time, then by its place in the file; a slice with a duration comes before all of them."""
    start = {**flow(8, LAUNCHES[1], LAUNCHES[3])[0], "cat": "other"}
    named = {"first": start, "later": {**start, "ts": 22}, "kernel": work("m", 20, dur, 9)}
    events = [*LAUNCHES, {**waiting(8, 19), "cat": "other"}, *(named[key] for key in order)]
    is_begun = not dur and order.index("first") < order.index("kernel")
    assert drawn(text(events)) == {("b" if is_begun else "a", "m"): 1}
    assert both(events) == ({("b", "m"): 1} if is_begun else {})


@pytest.mark.parametrize("elsewhere", [{"tid": 999}, {"ts": 9}])
def test_a_start_in_no_slice_begins_no_flow(elsewhere: Event) -> None:
    """Perfetto draws the arrow of its end from the first slice."""
    start = {**flow(8, LAUNCHES[1], LAUNCHES[3])[0], "cat": "other", **elsewhere}
    events = [*LAUNCHES, start, {**waiting(8, 39), "cat": "other"}]
    assert drawn(text(events)) == {("a", "l"): 1}
    assert both(events) == {}


@st.composite
def waits(draw: DrawFn) -> list[Event]:
    """Launches, and flows of another category whose starts and waiting ends lie anywhere."""
    events = [call("first", 1, 1, tid=99), *LAUNCHES]
    for number in draw(st.lists(st.integers(1, 3), max_size=6)):
        phase, at = draw(st.sampled_from("ssft")), draw(st.sampled_from([9, 10, 20, 30, 39, 40]))
        track = draw(st.sampled_from([{"pid": 100, "tid": 100}, {}]))
        events.append({**waiting(number, at, "other"), "ph": phase, **track})
    events += [work(f"m{at}", at, draw(st.sampled_from([0, 3])), at) for at in (9, 20)]
    return draw(st.permutations(events))


@LOADING
@given(waits())
def test_an_end_that_waits_takes_no_arrow_from_the_first_slice(events: list[Event]) -> None:
    """No flow begins in it; arrows of ids that begin once stay as Perfetto draws them."""
    arrows = both(events)
    assert all(start != "first" for start, _ in arrows)
    starts = [it for it in events if it["ph"] == "s"]
    inside = [it for it in starts if any(covers(other, it) for other in events)]
    once = [it["id"] for it in inside if [it["id"] for it in starts].count(it["id"]) == 1]
    recorded = drawn(text([it for it in events if it["ph"] == "X" or it["id"] in once]))
    assert arrows >= Counter({pair: n for pair, n in recorded.items() if pair[0] != "first"})


def test_flows_are_grouped_without_the_ends_that_are_left_out() -> None:
    """A second repair finds nothing: of s, s, f, f, f with one id the first f is left out."""
    on = {"pid": 100, "tid": 100}
    ends = [{**waiting(1, at, "other"), **on} for at in (9, 20, 20)]
    starts = [{**waiting(1, 9, "other"), **on, "ph": "s"}] * 2
    points = [work(f"m{at}", at, 0, at) for at in (9, 20)]
    both([call("first", 1, 1, tid=99), *LAUNCHES, *starts, *ends, *points])


def covers(event: Event, flow: Event) -> bool:
    """Tell whether a slice is open at the time of a flow event of its track."""
    is_there = (event["ph"], event["pid"], event["tid"]) == ("X", flow["pid"], flow["tid"])
    return is_there and event["ts"] <= flow["ts"] < event["ts"] + event["dur"]


@pytest.mark.parametrize("phase", ["i", "R"])
def test_a_launch_is_not_bound_to_an_instant(phase: str) -> None:
    """Perfetto draws no `bind_id` to it; the arrow to another slice is left out and counted."""
    instant = {**LAUNCHES[3], "ph": phase}
    around = {**work("around", 35, 20, 9), "cat": "gpu_user_annotation"}
    end = {**flow(8, LAUNCHES[1], LAUNCHES[3])[1]}
    events = [*LAUNCHES[:3], around, flow(8, LAUNCHES[1], LAUNCHES[3])[0], end, instant]
    assert drawn(text(events)) == {("b", "around"): 1}
    result, as_json, as_packets = proved(events)
    assert as_json == as_packets == {}
    assert result.analysis.plan.flows.repairs() == {"launch_arrows_left_out": 1}
