"""The library on real traces, against plain Python that reads the recorded JSON."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpu_traces import answer
from tests.support.recorded import CALLS, GPU, LoadedRecording, Slice, slices, spans, union

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tp_tools.engine.processor import Processor

TRACES = [
    "alexnet_whole_us",
    "b200_vllm_tp8_rank0",
    "epoch_decimals_rank0.cut",
    "h100_qwen15_chat",
    "mi300_resnet_ddp8_rank0.cut1500",
    "mi300_xdit_sd35_rank0.cut3000",
    "nccl_args_rank0.cut",
    "sglang_qwen3_decode",
    "train128_rank0",
    "train128_rank1",
    "vllm_piecewise_graph_execution",
]
TOLERANCE_NS = 1000


@dataclass(frozen=True)
class Recorded:
    """A trace as recorded, and repaired in a TraceProcessor."""

    tp: Processor
    slices: list[Slice]

    def of(self, *cats: str) -> list[Slice]:
        """Its slices of these categories."""
        return [it for it in self.slices if it.cat in cats]

    def work(self) -> list[Slice]:
        """Its kernels, copies and memsets."""
        return self.of(*GPU)

    def launches(self) -> dict[int, Slice]:
        """The runtime calls by correlation."""
        return {it.args["correlation"]: it for it in self.of(*CALLS)}

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Rows of a query of the library."""
        return answer(query, self.tp)


@pytest.fixture(scope="module", params=TRACES)
def recorded(
    request: pytest.FixtureRequest,
    real_trace: Callable[[str], Path],
    loaded_recording: LoadedRecording,
) -> Recorded:
    """Each trace in turn."""
    path = real_trace(f"{request.param}.json.gz")
    return Recorded(loaded_recording(path), slices(path))


def test_kernels(recorded: Recorded) -> None:
    """Counts, totals and maxima by name are those of the file, to the ns."""
    durs = defaultdict(list)
    for it in recorded.work():
        durs[it.name].append(it.dur)
    rows = {r["name"]: (r["count"], r["total_ns"], r["max_ns"]) for r in recorded.ask("kernels")}
    assert rows == {name: (len(of), sum(of), max(of)) for name, of in durs.items()}


def test_gpu_time_and_overlap(recorded: Recorded) -> None:
    """Unions are those of sorted intervals, and the parts add up to the span."""
    work = recorded.work()
    compute = spans(it for it in work if not it.is_copy() and not it.is_collective())
    comm = spans(it for it in work if it.is_collective())
    copies = spans(it for it in work if it.is_copy())
    (row,) = recorded.ask("gpu_time")
    everything = compute + comm + copies
    assert row["compute_ns"] == union(compute)
    assert row["communication_ns"] == union(comm)
    assert row["exposed_communication_ns"] == union(compute + comm) - union(compute)
    assert row["copy_ns"] == union(copies)
    assert row["exposed_copy_ns"] == union(everything) - union(compute + comm)
    assert row["busy_ns"] == union(everything)
    assert row["span_ns"] == max(it.end for it in work) - min(it.ts for it in work)
    parts = ("compute_ns", "exposed_communication_ns", "exposed_copy_ns", "idle_ns")
    assert sum(row[part] for part in parts) == row["span_ns"]
    (overlap,) = recorded.ask("comm_overlap")
    assert overlap["collectives"] == len(comm)
    assert overlap["hidden_ns"] == union(compute) + union(comm) - union(compute + comm)
    assert overlap["hidden_ns"] + overlap["exposed_ns"] == row["communication_ns"]


def test_streams(recorded: Recorded) -> None:
    """Busy and shared time of each stream are those of sorted intervals."""
    streams = defaultdict(list)
    for it in recorded.work():
        streams[it.args["stream"]].append(it)
    rows = {r["stream"]: r for r in recorded.ask("streams")}
    assert rows.keys() == streams.keys()
    for stream, on_it in streams.items():
        own = spans(on_it)
        others = spans(it for it in recorded.work() if it.args["stream"] != stream)
        row = rows[stream]
        assert (row["events"], row["busy_ns"]) == (len(on_it), union(own))
        assert row["overlap_ns"] == union(own) + union(others) - union(own + others)
        assert row["total_ns"] == sum(it.dur for it in on_it)


def test_copies(recorded: Recorded) -> None:
    """Counts, times and bytes are those of the file."""
    copies = defaultdict(list)
    for it in recorded.work():
        if it.is_copy():
            copies[it.name].append(it)
    rows = {r["name"]: (r["count"], r["total_ns"], r["bytes"]) for r in recorded.ask("copies")}
    assert rows == {
        name: (
            len(of),
            sum(it.dur for it in of),
            sum(it.args.get("bytes", 0) for it in of)
            if any("bytes" in it.args for it in of)
            else None,
        )
        for name, of in copies.items()
    }


def test_launches(recorded: Recorded) -> None:
    """Every piece of work has a row; delays and queues are those counted one by one."""
    calls = recorded.launches()
    launched = [(calls.get(it.args["correlation"]), it) for it in recorded.work()]
    starts, queued, unrecorded = defaultdict(list), defaultdict(list), defaultdict(list)
    for call, it in launched:
        if call:
            queued[it.args["stream"]].append(call.ts)
            starts[it.args["stream"]].append(max(call.ts, it.ts))
        else:
            unrecorded[it.args["stream"]].append(it.ts)
    for of in (*starts.values(), *queued.values(), *unrecorded.values()):
        of.sort()
    expected: Counter[tuple[object, ...]] = Counter()
    for call, it in launched:
        if call is None:
            expected[it.name, it.dur, None, None, None] += 1
            continue
        stream = it.args["stream"]
        depth = bisect.bisect_left(queued[stream], call.ts) - bisect.bisect_left(
            starts[stream], call.ts
        )
        # a stream keeps the order of launches: what starts before this work was launched before it
        depth += sum(call.ts <= ts < it.ts for ts in unrecorded[stream])
        expected[it.name, it.dur, it.ts - call.ts, depth, int("GraphLaunch" in call.name)] += 1
    assert expected == Counter(
        (r["name"], r["dur"], r["delay_ns"], r["queue_depth"], r["is_graph"])
        for r in recorded.ask("launches")
    )


def test_gaps(recorded: Recorded) -> None:
    """They are the times in which nothing runs, each once, and add up to the idle time."""
    expected, until = [], None
    for ts, end in sorted(spans(recorded.work())):
        if until is not None and ts > until:
            expected.append(ts - until)
        until = max(end, until or end)
    gaps = [row["dur"] for row in recorded.ask("gaps")]
    assert gaps == sorted(expected, reverse=True)
    (whole,) = recorded.ask("gpu_time")
    assert sum(gaps) == whole["idle_ns"]
    assert whole["span_ns"] == whole["busy_ns"] + whole["idle_ns"]
    parts = ("compute_ns", "exposed_communication_ns", "exposed_copy_ns")
    assert whole["busy_ns"] == sum(whole[part] for part in parts)


GAP_PARTS = ("wait_ns", "cpu_ns", "launch_call_ns", "dependency_ns", "front_end_ns", "unknown_ns")


def test_gaps_by_cause_add_up(recorded: Recorded) -> None:
    """The parts of each gap are its duration, and `why` is the largest."""
    names = ("sync", "cpu", "launch", "dependency", "front end", None)
    for row in recorded.ask("gaps"):
        parts = dict(zip(names, (row[part] for part in GAP_PARTS), strict=True))
        assert min(parts.values()) >= 0
        assert sum(parts.values()) == row["dur"]
        assert parts[row["why"]] == max(parts.values())
        assert (row["waited_in"] is None) == (row["wait_ns"] == 0)


def test_steps(recorded: Recorded) -> None:
    """Where there are ProfilerSteps, each has the work launched in it, and no other work."""
    steps = [it for it in recorded.of("user_annotation") if it.name.startswith("ProfilerStep")]
    if not steps:
        pytest.skip("it has no ProfilerStep")
    calls = recorded.launches()
    work = defaultdict(list)
    for it in recorded.work():
        call = calls.get(it.args["correlation"])
        inside = [step for step in steps if call and step.ts <= call.ts < step.end]
        if inside:
            work[max(inside, key=lambda step: step.ts).name].append(it)
    rows = {
        r["name"]: (r["dur"], r["kernels"], r["copies"], r["busy_ns"])
        for r in recorded.ask("steps")
        if r["name"] is not None
    }
    assert rows == {
        step.name: (
            step.dur,
            sum(not it.is_copy() for it in work[step.name]),
            sum(it.is_copy() for it in work[step.name]),
            union(spans(work[step.name])),
        )
        for step in steps
    }


def test_all_gpu_work_is_of_a_step_or_of_none(recorded: Recorded) -> None:
    """Kernels, collectives and copies by step add up to all, with the rows of work of no step."""
    rows = recorded.ask("steps")
    if not rows:
        pytest.skip("it marks no steps")
    kernels = [it for it in recorded.work() if not it.is_copy()]
    assert sum(row["kernels"] for row in rows) == len(kernels)
    assert sum(row["collectives"] for row in rows) == sum(it.is_collective() for it in kernels)
    assert sum(row["copies"] for row in rows) == len(recorded.work()) - len(kernels)
    assert all((row["name"] is None) == (row["reason"] is not None) for row in rows)


def test_all_gpu_time_is_of_an_op_or_of_none(recorded: Recorded) -> None:
    """Own GPU time by op adds up to that of all work, with the rows of work of no op."""
    rows = recorded.ask("ops")
    assert sum(row["self_gpu_ns"] for row in rows) == sum(it.dur for it in recorded.work())
    assert sum(row["total_ns"] for row in recorded.ask("kernels")) == sum(
        row["self_gpu_ns"] for row in rows
    )
    unlaunched = {row["reason"]: row["gpu_events"] for row in rows if row["name"] is None}
    launches = recorded.launches()
    missing = [it for it in recorded.work() if it.args["correlation"] not in launches]
    assert unlaunched.get("launch not recorded", 0) <= len(missing)


def test_contents(recorded: Recorded) -> None:
    """Slices and durations by category are those of the file."""
    durs: dict[str, list[int]] = defaultdict(list)
    for it in recorded.slices:
        durs[it.cat].append(it.dur)
    rows = {row["category"]: (row["slices"], row["total_ns"]) for row in recorded.ask("contents")}
    told = {cat: row for cat, row in rows.items() if cat in durs}
    assert told == {cat: (len(of), sum(of)) for cat, of in durs.items()}


def nested(ops: list[Slice]) -> Iterator[tuple[Slice, list[Slice]]]:
    """Each op of one thread with those that it lies in, outermost first."""
    around: list[Slice] = []
    # equal ones nest in the order of the file
    for it in sorted(ops, key=lambda it: (it.ts, -it.dur)):
        while around and not _lies_in(it, around[-1]):
            around.pop()
        yield it, list(around)
        around.append(it)


def _lies_in(it: Slice, outer: Slice) -> bool:
    if it.end <= outer.end:
        return it.ts < outer.end
    return it.end <= outer.end + TOLERANCE_NS and outer.end - it.ts > TOLERANCE_NS


@dataclass(frozen=True)
class Ops:
    """Counts of a walk over the ops of a trace, by name.

    Attributes:
        calls: how often each was called.
        self_ns: CPU time in it and in no op beneath.
        own_gpu: GPU time of the launches in it and in no op beneath.
        all_gpu: GPU time of the launches in it.
    """

    calls: Counter[str]
    self_ns: Counter[str]
    own_gpu: Counter[str]
    all_gpu: Counter[str]


def walked(rows: list[list[Slice]], gpu_ns: Counter[int]) -> Ops:
    """Counts the ops of each thread, launches among them, with the GPU time by correlation."""
    ops = Ops(Counter(), Counter(), Counter(), Counter())
    inner: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for it, around in (pair for row in rows for pair in nested(row)):
        if it.cat == "launch":
            gpu = gpu_ns[it.args["correlation"]]
            ops.own_gpu.update({around[-1].name: gpu} if around else {})
            ops.all_gpu.update(dict.fromkeys({op.name for op in around}, gpu))
            continue
        ops.calls[it.name] += 1
        if around:
            inner[id(around[-1])].append((it.ts, min(it.end, around[-1].end)))
    for it in (it for row in rows for it in row if it.cat == "cpu_op"):
        ops.self_ns[it.name] += it.dur - union(inner[id(it)])
    return ops


def test_ops(recorded: Recorded) -> None:
    """Calls, self time and GPU time by op are those of a stack walked in Python."""
    gpu_ns: Counter[int] = Counter()
    for it in recorded.work():
        gpu_ns[it.args["correlation"]] += it.dur
    by_row = defaultdict(list)
    for it in recorded.of("cpu_op"):
        by_row[it.row].append(it)
    launches = recorded.launches()
    for it in launches.values():
        if it.args["correlation"] in gpu_ns:
            by_row[it.row].append(Slice("launch", "", it.row, it.ts, it.ts, it.args))
    ops = walked(list(by_row.values()), gpu_ns)
    rows = {row["name"]: row for row in recorded.ask("ops") if row["name"] is not None}
    assert {name: row["calls"] for name, row in rows.items()} == ops.calls
    assert {name: row["self_ns"] for name, row in rows.items()} == ops.self_ns
    # work whose call is in no op may still name one by its External id
    named = {it.args.get("External id") for it in recorded.of("cpu_op")}
    orphans = [it.args for it in recorded.work() if it.args["correlation"] not in launches]
    told = any(args.get("External id") in named for args in orphans)
    for name, row in rows.items():
        assert row["self_gpu_ns"] >= ops.own_gpu[name]
        assert row["gpu_ns"] >= ops.all_gpu[name]
        assert told or row["self_gpu_ns"] == ops.own_gpu[name]


def annotated(recorded: Recorded) -> set[int]:
    """The calls that lie in an annotation of a collective, by correlation."""
    notes = defaultdict(list)
    for it in recorded.of("user_annotation"):
        if it.name.startswith("nccl:"):
            notes[it.row].append(it)
    return {
        correlation
        for correlation, call in recorded.launches().items()
        if any(note.ts <= call.ts <= note.end for note in notes[call.row])
    }


def test_collectives(recorded: Recorded) -> None:
    """Every collective has a row, that says how it was told; bytes are elements times type."""
    size = {"BFloat16": 2, "Float": 4, "Long": 8, "Int": 4, "Byte": 1}
    expected: Counter[tuple[object, ...]] = Counter()
    inside = annotated(recorded)
    for it in recorded.work():
        if it.is_collective():
            told = "Collective name" in it.args
            of = it.args["In msg nelems"] * size[it.args["dtype"]] if told else None
            by = "annotation" if it.args["correlation"] in inside else "name"
            expected[it.name, it.dur, "args" if told else by, of] += 1
    assert expected == Counter(
        (r["name"], r["dur"], r["recognised_by"], r["in_bytes"])
        for r in recorded.ask("collectives")
    )
