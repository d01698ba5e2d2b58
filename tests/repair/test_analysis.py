"""The repair of whole traces: generated, handmade and recorded ones.

Expected values are computed here from the JSON, by other code than the repair's.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make import FIXTURES, HERE
from tests.support.handmade import (
    Event,
    Fixed,
    arrow,
    cpu,
    fixed,
    loaded,
    micros,
    overlap_options,
    source_of,
    text,
)
from tests.support.strategies import LOADING, LOADING_MANY, MANY, events_of, laminar, traces
from tp_tools import engine
from tp_tools.repair.analysis import analyze
from tp_tools.repair.verify_json import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support.overlap_model import Slice
    from tp_tools.engine.processor import Processor

Row = tuple[object, object]
End = tuple[int, str]
"""ts and name of the slice at one end of a flow."""

GPU_WORK = ("kernel", "gpu_memcpy", "gpu_memset", "Kernel", "Memcpy", "Memset")
TOLERANCE = 1000
RECORDED = (
    "alexnet_whole_us",
    "b200_vllm_tp8_rank0",
    "epoch_decimals_rank0",
    "h100_qwen15_chat",
    "mi300_resnet_ddp8_rank0",
    "mi300_xdit_sd35_rank0.cut3000",
    "nccl_args_rank0",
    "sglang_qwen3_decode",
    "train128_rank0",
    "train128_rank1",
    "vllm_piecewise_graph_execution",
)
FIXED_UP = (*sorted(name.removesuffix(".json.gz") for name in FIXTURES), "torch_cpu_with_stack")


@dataclass(frozen=True)
class Case:
    """A trace before and after its repair; times are ns.

    Attributes:
        name: of its file.
        data: its text.
        before: its events.
        base: its base time.
        after: what `fix` made of it.
        tp: that, loaded.
    """

    name: str
    data: bytes
    before: list[Event]
    base: int
    after: Fixed
    tp: Processor

    def shift(self) -> int:
        """Return the ns subtracted from all times, from the base times."""
        return int(self.after.top.get("baseTimeNanoseconds", 0)) - self.base

    def pairs(self) -> Iterable[tuple[Event, Event]]:
        """Pair each event with its repaired one."""
        left_out = set(self.after.analysis.plan.flows.left_out)
        kept = [event for i, event in enumerate(self.before) if i not in left_out]
        return zip(kept, self.after.events, strict=False)


@pytest.fixture(scope="module", params=[*FIXED_UP, *RECORDED])
def case(request: pytest.FixtureRequest, real_trace: Callable[[str], Path]) -> Iterator[Case]:
    """Give each trace in turn."""
    name = request.param
    path = HERE / f"{name}.json.gz" if name in FIXED_UP else real_trace(f"{name}.json.gz")
    data = gzip.decompress(path.read_bytes())
    top = json.loads(data, parse_float=Decimal)
    events = top["traceEvents"]
    for event in events:
        for key in ("ts", "dur"):
            if key in event:
                event[key] = int(Decimal(event[key]) * 1000)
    after = fixed(data)
    with loaded(after.data) as tp:
        yield Case(name, data, events, top.get("baseTimeNanoseconds", 0), after, tp)


def slices(events: Iterable[Event]) -> list[Event]:
    """Return the X events."""
    return [event for event in events if event["ph"] == "X"]


def by_row(events: Iterable[Event]) -> dict[Row, list[Event]]:
    """Group X events by (pid, tid)."""
    rows: dict[Row, list[Event]] = defaultdict(list)
    for event in slices(events):
        rows[event["pid"], event["tid"]].append(event)
    return rows


def first_overlap(events: Iterable[Event]) -> tuple[Event, Event] | None:
    """Return two slices of one track that partly overlap; None if there are none."""
    for row in by_row(events).values():
        still_open: list[Event] = []
        for event in sorted(row, key=lambda it: (it["ts"], -it["dur"])):
            while still_open and still_open[-1]["ts"] + still_open[-1]["dur"] <= event["ts"]:
                still_open.pop()
            if still_open:
                outer = still_open[-1]
                if event["ts"] + event["dur"] > outer["ts"] + outer["dur"]:
                    return outer, event
            still_open.append(event)
    return None


def overlapping_pairs(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Return all pairs of one track that partly overlap, comparing each slice with each other."""
    found = []
    for row in by_row(events).values():
        for one, other in combinations(row, 2):
            a, b = sorted((one, other), key=lambda it: it["ts"])
            if a["ts"] < b["ts"] < a["ts"] + a["dur"] < b["ts"] + b["dur"]:
                found.append((a["name"], b["name"]))
    return found


def plain(name: str | None) -> str:
    """Return a name; "" for one that versions of Perfetto read differently (escapes, controls)."""
    name = name or ""
    return name if name.isprintable() and not {"\\", '"'} & set(name) else ""


def arrows_of(events: list[Event]) -> Counter[tuple[End, End]]:
    """Count the flows by their two slices.

    A flow event belongs to a slice that starts with it: the one whose correlation is the flow's
    id, else the shortest. A flow has one start; an `f` before it, in time or in the file, does not
    count.
    """
    starting: dict[object, list[Event]] = defaultdict(list)
    for event in slices(events):
        starting[event["pid"], event["tid"], event["ts"]].append(event)

    def end(flow: Event) -> End:
        found = starting[flow["pid"], flow["tid"], flow["ts"]]
        same = [it for it in found if (it.get("args") or {}).get("correlation") == flow["id"]]
        chosen = same[0] if same else min(found, key=lambda it: it["dur"])
        return chosen["ts"], plain(chosen["name"])

    started: dict[object, Event] = {}
    joined: Counter[tuple[End, End]] = Counter()
    for flow in sorted((it for it in events if it["ph"] in "sf"), key=lambda it: it["ts"]):
        start = started.get((flow["cat"], flow["id"]))
        if flow["ph"] == "s":
            started.setdefault((flow["cat"], flow["id"]), flow)
        elif start:
            joined[end(start), end(flow)] += 1
    return joined


def test_no_slice_overlaps_another_afterwards(case: Case) -> None:
    """On every thread of the result, slices nest or share no time."""
    assert first_overlap(case.after.events) is None


def test_times_are_what_was_recorded(case: Case) -> None:
    """Each event keeps its exact start and, unless trimmed, its duration; the base time agrees."""
    shift = case.shift()
    for before, after in case.pairs():
        assert before["name"] == after["name"]
        if before["ph"] != "M":
            assert after["ts"] == before["ts"] - shift
        if before["ph"] == "X" and "tpt_recorded_dur" not in (after.get("args") or {}):
            assert after["dur"] == before["dur"]


def test_trims_are_small_and_said(case: Case) -> None:
    """Trims are within the tolerance, none is of GPU work, and args keep the recorded duration."""
    for before, after in case.pairs():
        if "tpt_recorded_dur" in (after.get("args") or {}):
            assert before["cat"] not in GPU_WORK
            assert 0 < before["dur"] - after["dur"] <= TOLERANCE
            assert int(Decimal(after["args"]["tpt_recorded_dur"]) * 1000) == before["dur"]


def test_args_are_kept(case: Case) -> None:
    """All args are kept."""
    for before, after in case.pairs():
        args = before.get("args")
        if args:
            assert args.items() <= after["args"].items()


def test_only_moved_slices_change_thread(case: Case) -> None:
    """Other slices keep their thread; ids that Perfetto misreads change together."""
    ids: dict[Row, set[Row]] = defaultdict(set)
    for before, after in case.pairs():
        if before["ph"] == "X" and "tpt_lane" not in (after.get("args") or {}):
            ids[before["pid"], before["tid"]].add((after["pid"], after["tid"]))
    assert {len(now) for now in ids.values()} <= {1}
    for (pid, tid), now in ids.items():
        if isinstance(pid, int) and isinstance(tid, int) and pid >= 0 and tid > 0:
            assert now == {(pid, tid)}


def test_perfetto_shows_everything(case: Case) -> None:
    """The result loads without a loss, with the name, start and duration of every slice."""
    events = [it for it in case.after.events if it["ph"] in "Xi"]
    wanted = Counter((plain(it["name"]), it["ts"], it.get("dur", 0)) for it in events)
    rows = engine.rows(case.tp, "SELECT name, ts, dur FROM slice")
    assert Counter((plain(name), ts, dur) for name, ts, dur in rows) == wanted
    assert len(rows) == sum(it["ph"] in "Xi" for it in case.before)


def test_every_kernel_is_visible(case: Case) -> None:
    """All recorded kernels are shown, 768 of 768 on the B200."""
    ((shown, time),) = engine.rows(
        case.tp, "SELECT COUNT(*), COALESCE(SUM(dur), 0) FROM slice WHERE category = 'kernel'"
    )
    kernels = [it["dur"] for it in slices(case.before) if it["cat"] == "kernel"]
    assert (shown, time) == (len(kernels), sum(kernels))


def test_every_arrow_keeps_its_ends(case: Case) -> None:
    """Flows join the recorded slices: launch and kernel, forward and backward operators."""
    shift = case.shift()
    wanted = Counter(
        {
            ((ts - shift, name), (to - shift, other)): count
            for ((ts, name), (to, other)), count in arrows_of(case.before).items()
        }
    )
    query = (
        "SELECT a.ts, a.name, b.ts, b.name FROM flow "
        "JOIN slice AS a ON a.id = flow.slice_out JOIN slice AS b ON b.id = flow.slice_in"
    )
    rows = engine.rows(case.tp, query)
    assert Counter(((ts, plain(a)), (to, plain(b))) for ts, a, to, b in rows) == wanted


def test_fixing_twice_changes_nothing_more(case: Case) -> None:
    """A second repair finds no defect and writes the same bytes."""
    again = fixed(case.after.data)
    assert again.analysis.is_sound()
    assert again.data == case.after.data


def test_a_sound_trace_keeps_its_bytes(case: Case) -> None:
    """The output has the bytes of the input only if there is nothing to repair."""
    assert (case.after.data == case.data) == case.after.analysis.is_sound()
    assert case.after.analysis.is_sound() == (case.name == "sound")


def test_the_plan_is_that_of_a_full_load(case: Case, tmp_path: Path) -> None:
    """SQL decides the same from all slices of the trace."""
    whole = analyze(source_of(case.data, tmp_path), overlap_options(everything=True))
    part = case.after.analysis
    assert whole.repairs == part.repairs
    assert (whole.plan.moves, whole.plan.trims) == (part.plan.moves, part.plan.trims)
    assert whole.plan.lanes == part.plan.lanes


def test_python_stacks_stay_whole(real_trace: Callable[[str], Path]) -> None:
    """In xDiT, few of 2,100 overlapping slices move, and at most one Python frame."""
    result = fixed(gzip.decompress(real_trace("mi300_xdit_sd35_rank0.json.gz").read_bytes()))
    moved = [it for it in slices(result.events) if "tpt_lane" in (it.get("args") or {})]
    assert len(moved) <= 15
    assert sum(it["cat"] == "python_function" for it in moved) <= 1


START = 1_000_000
"""Start of generated slices, ns, so that launches come before them."""


def with_launches(trace: list[list[Slice]]) -> tuple[list[Event], set[tuple[str, str]]]:
    """Add a launch and a flow for each slice with a unique start; return the names joined."""
    events = events_of(trace, START)
    starts = Counter((it["pid"], it["tid"], bytes(it["ts"])) for it in events)
    more: list[Event] = []
    joins = set()
    for number, it in enumerate(events):
        alone = starts[it["pid"], it["tid"], bytes(it["ts"])] == 1
        if alone and bytes(it["dur"]) != b"0.000":
            launch = cpu(f"launch {it['name']}", number * 100, number * 100 + 50, pid=99)
            more += [launch, *arrow(it["args"]["correlation"], launch, it)]
            joins.add((launch["name"], it["name"]))
    return events + more, joins


@LOADING_MANY
@given(traces(MANY), st.sampled_from([0, 500, 1000, 2000]))
def test_generated_traces_are_repaired(trace: list[list[Slice]], tolerance: int) -> None:
    """No pair overlaps, GPU work keeps its times, trims stay within the tolerance."""
    events, joins = with_launches(trace)
    result = fixed(text(events), tolerance)
    assert overlapping_pairs(result.events) == []
    recorded = {f"{i}.{j}": it for i, row in enumerate(trace) for j, it in enumerate(row)}
    for it in slices(result.events):
        slice_ = recorded.get(it["name"])
        if slice_:
            lost = slice_.recorded_end - slice_.ts - it["dur"]
            assert it["ts"] == START + slice_.ts
            assert 0 <= lost <= (0 if slice_.is_gpu_work else tolerance)
    query = (
        "SELECT a.name, b.name FROM flow "
        "JOIN slice AS a ON a.id = flow.slice_out JOIN slice AS b ON b.id = flow.slice_in"
    )
    with loaded(result.data) as tp:
        assert set(engine.rows(tp, query)) == joins


@LOADING_MANY
@given(traces(MANY), st.sampled_from([0, 500, 1000, 2000]))
def test_generated_repairs_are_verified_and_final(trace: list[list[Slice]], tolerance: int) -> None:
    """Repairs pass verification, and a second repair with any tolerance changes nothing."""
    result = fixed(text(with_launches(trace)[0]), tolerance)
    with tempfile.TemporaryDirectory() as folder:
        verify(source_of(result.data, Path(folder)).path, "t", result.analysis, None)
    for other in (tolerance, 0, 5000):
        again = fixed(result.data, other)
        assert again.analysis.is_sound()
        assert again.data == result.data


@LOADING
@given(st.lists(laminar(0, 50_000), min_size=1, max_size=4))
def test_generated_stacks_stay_as_they_are(rows: list[list[tuple[int, int]]]) -> None:
    """Tracks of nested slices keep their bytes, and none is hidden."""
    data = text(
        cpu(f"{row}.{i}", start, end, tid=row + 1)
        for row, stack in enumerate(rows)
        for i, (start, end) in enumerate(stack)
    )
    result = fixed(data) if any(rows) else None
    assert result is None or (result.data == data and result.analysis.is_sound())
    assert result is None or len(result.analysis.hidden) == 0


@LOADING_MANY
@given(traces(most_rows=4), st.sampled_from([0, 1_712_188_800_123_456_789, 1 << 52]))
def test_when_a_trace_was_recorded_does_not_matter(trace: list[list[Slice]], epoch: int) -> None:
    """At epoch times, which a double cannot hold, the repair is the same."""
    events = events_of(trace)
    here = fixed(text(events))
    times = {it["name"]: (it["ts"], it["dur"]) for it in slices(here.events)}
    far = [{**it, "ts": micros(epoch + times[it["name"]][0])} for it in events]
    there = fixed(text(far))
    assert (there.lanes(), there.durs()) == (here.lanes(), here.durs())
    moved = {
        it["name"]: it["ts"] + there.top.get("baseTimeNanoseconds", 0)
        for it in slices(there.events)
    }
    assert moved == {name: ts + epoch for name, (ts, _) in times.items()}
    assert loaded(there.data)
