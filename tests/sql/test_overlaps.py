"""sql/overlaps.sql itself, on each form in which a trace can hold overlapping slices."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from fixtures.make import HERE
from tests.support.handmade import US, Event, cpu, fixed, kernel, text, x
from tests.support.native import NATIVE_VARIABLE
from tests.support.overlap_model import Slice, repair
from tests.support.strategies import LOADING_MANY, MANY, events_of, traces
from tp_tools import engine, library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Row = dict[str, Any]
Found = dict[str, tuple[int, int]]
"""Lane and duration after the repair, by name."""

MAIN = 0


def rows_of(data: bytes, **how: object) -> list[Row]:
    """The rows that the query shows of a trace."""
    with engine.load([data], source="trace", **how) as tp:  # type: ignore[arg-type]
        answer = engine.run_file(tp, library.find("overlaps"))
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def found(rows: Iterable[Row]) -> Found:
    """Lane and new duration by name."""
    return {row["name"]: (row["lane"], row["repaired_dur"]) for row in rows}


PLACED = 77
"""The number of an event that `fix` asks about; a repaired trace has none."""


def repaired(event: Event, number: int, tid: int) -> Event:
    """An event as a repaired trace holds it on a lane: on a thread of its own."""
    args = {**(event.get("args") or {}), "tpt_tid": event["tid"], "tpt_lane": number}
    return {**event, "tid": tid, "args": args}


def on_lane(event: Event, number: int, tid: int) -> Event:
    """An event as the trace that `fix` asks about holds it on a lane."""
    moved = repaired(event, number, tid)
    return {**moved, "args": {**moved["args"], "tpt_event": PLACED}}


def spilled(rows: Iterable[tuple[int, int, list[tuple[str, str, int, int, int]]]]) -> bytes:
    """A trace as v57 and later hold it in their tables: lanes are further tracks of the thread.

    In v57+ such tracks are of type thread_overlapping_slice and have the thread's utid as their
    dimension; TrackEvent's child tracks of a thread have the same one, in every version.

    Args:
        rows: (pid, tid, slices); a slice is (name, category, ts, end, lane), lane 0 the thread's.
    """
    trace = Trace()
    for number, (pid, tid, slices) in enumerate(rows):
        base = 1000 * (number + 1)
        for lane in sorted({MAIN, *(it[4] for it in slices)}):
            descriptor = _packet(trace).track_descriptor
            descriptor.uuid = base + lane
            if lane == MAIN:
                descriptor.thread.pid, descriptor.thread.tid = pid, tid
            else:
                descriptor.parent_uuid, descriptor.name = base, f"lane {lane}"
            _write(trace, base + lane, [it for it in slices if it[4] == lane])
    data: bytes = trace.SerializeToString()
    return data


def _write(trace: Trace, uuid: int, slices: list[tuple[str, str, int, int, int]]) -> None:
    """The begins and ends of slices that nest."""
    ends: list[int] = []
    for name, cat, ts, end, _ in sorted(slices, key=lambda it: (it[2], -it[3])):
        while ends and ends[-1] <= ts:
            _mark(trace, uuid, ends.pop(), TrackEvent.TYPE_SLICE_END)
        begin = _mark(trace, uuid, ts, TrackEvent.TYPE_SLICE_BEGIN)
        begin.name = name
        begin.categories.append(cat)
        ends.append(end)
    while ends:
        _mark(trace, uuid, ends.pop(), TrackEvent.TYPE_SLICE_END)


def _mark(trace: Trace, uuid: int, ts: int, kind: int) -> TrackEvent:
    packet = _packet(trace)
    packet.timestamp = ts
    packet.track_event.type = kind
    packet.track_event.track_uuid = uuid
    return packet.track_event


def _packet(trace: Trace) -> Any:  # noqa: ANN401  protobuf has no types here
    packet = trace.packet.add()
    packet.trusted_packet_sequence_id = 1
    return packet


def test_a_row_says_all_about_a_moved_slice() -> None:
    """Which, where, what it overlaps longest, by how much, why, and what is done."""
    first, second = kernel("first", 0, 12 * US, 1), kernel("second", 12 * US, 30 * US, 2)
    moved = on_lane(kernel("moved", 10 * US, 22 * US, 3), 2, 8)
    assert rows_of(text([first, second, moved])) == [
        {
            "id": 1,
            "event": PLACED,
            "pid": 0,
            "tid": 7,
            "name": "moved",
            "category": "kernel",
            "ts": 10 * US,
            "dur": 12 * US,
            "other_id": 2,
            "other_name": "second",
            "overlap_ns": 10 * US,
            "kind": "concurrent",
            "lane": 2,
            "repair": "move",
            "repaired_dur": 12 * US,
        }
    ]


def test_a_row_says_all_about_a_trimmed_slice() -> None:
    """Jitter stays in its row; the duration that is left is said."""
    head, tail = cpu("head", 0, 20_500), on_lane(cpu("tail", 20_000, 40_000), 2, 21)
    (row,) = rows_of(text([head, tail]))
    assert (row["name"], row["tid"], row["other_name"]) == ("head", 20, "tail")
    assert (row["kind"], row["repair"], row["lane"]) == ("jitter", "trim", 1)
    assert (row["overlap_ns"], row["dur"], row["repaired_dur"]) == (500, 20_500, 20_000)


def test_a_slice_can_move_and_be_trimmed() -> None:
    """On its new lane it meets another by jitter."""
    lanes = [cpu("moved", 10_000, 90_000), cpu("too", 20_000, 90_500)]
    placed = [on_lane(it, 2 + i, 21 + i) for i, it in enumerate(lanes)]
    rows = rows_of(text([cpu("first", 0, 50_000), *placed]))
    assert [(row["name"], row["repair"], row["lane"], row["repaired_dur"]) for row in rows] == [
        ("moved", "move", 2, 80_000),
        ("too", "move and trim", 2, 70_000),
    ]
    assert [row["kind"] for row in rows] == ["concurrent", "concurrent"]
    assert [row["other_name"] for row in rows] == ["first", "first"]


def test_a_slice_that_fits_its_row_is_not_moved() -> None:
    """Where a lane stands in the trace decides nothing: the rule does."""
    work = [
        kernel("a", 0, 12 * US, 1),
        kernel("b", 10 * US, 22 * US, 2),
        kernel("c", 20 * US, 32 * US, 3),
    ]
    swapped = [on_lane(work[0], 2, 8), work[1], on_lane(work[2], 2, 8)]
    assert found(rows_of(text(swapped))) == {"b": (2, 12 * US)}


def test_rows_come_in_order_of_time() -> None:
    """Whatever process or row they are of."""
    pairs = [(10, 30, 1), (0, 20, 2), (5, 25, 3)]
    events = [
        event
        for ts, end, pid in pairs
        for event in (
            kernel(f"early{pid}", ts, end, 1, pid=pid),
            on_lane(kernel(f"late{pid}", ts + 5, end + 5, 2, pid=pid), 2, 8),
        )
    ]
    rows = rows_of(text(events))
    assert [(row["name"], row["pid"], row["tid"]) for row in rows] == [
        ("late2", 2, 7),
        ("late3", 3, 7),
        ("late1", 1, 7),
    ]


def test_it_can_be_run_again() -> None:
    """The script runs twice in one session, as when a user edits the tolerance in the Query tab."""
    data = text([cpu("head", 0, 20_500), on_lane(cpu("tail", 20_000, 40_000), 2, 21)])
    sql = library.expand(library.read(library.find("overlaps")))
    with engine.load([data], source="trace") as tp:
        first, again = engine.rows(tp, sql), engine.rows(tp, sql)
        stricter = engine.rows(tp, sql.replace("SELECT 1000;", "SELECT 499;"))
    assert first == again
    assert [row[11] for row in first] == ["jitter"]
    assert [row[11] for row in stricter] == ["concurrent"]


def test_a_sound_trace_has_no_rows() -> None:
    """Nor has one without any slice, nor one of unfinished and of empty slices."""
    assert rows_of(gzip.decompress((HERE / "sound.json.gz").read_bytes())) == []
    opened = {"ph": "B", "name": "open", "pid": 1, "tid": 1, "ts": 5}
    empty = [on_lane(cpu("e", 5, 5), 2, 21), cpu("f", 0, 10)]
    assert rows_of(text([opened])) == []
    assert (
        rows_of(text([opened, on_lane(kernel("k", 0, 9 * US, 1, pid=1, tid=1), 2, 2), *empty]))
        == []
    )


def test_lanes_of_protobuf_traces() -> None:
    """Args are called debug.args.tpt_tid there."""
    trace = Trace()
    for uuid, tid, ts, end, args in ((1, 7, 0, 20, ""), (2, 8, 10, 30, '{"tpt_tid": 7}')):
        descriptor = _packet(trace).track_descriptor
        descriptor.uuid, descriptor.thread.pid, descriptor.thread.tid = uuid, 3, tid
        _write(trace, uuid, [(f"k{uuid}", "kernel", ts, end, 0)])
        if args:
            annotation = trace.packet[-2].track_event.debug_annotations.add()
            annotation.name, annotation.legacy_json_value = "args", args
    (row,) = rows_of(trace.SerializeToString())
    assert (row["name"], row["pid"], row["tid"], row["lane"]) == ("k2", 3, 7, 2)


def test_a_trimmed_slice_is_judged_by_its_recorded_end() -> None:
    """A trimmed slice is not trimmed again beyond the tolerance: its recorded end counts."""
    cut = {**cpu("cut", 0, 9_200), "args": {"tpt_recorded_dur": 10.0, "tpt_event": PLACED}}
    later = on_lane(cpu("later", 8_500, 30_000), 2, 21)
    assert found(rows_of(text([cut, later]))) == {"later": (2, 21_500)}
    assert found(rows_of(text([cpu("whole", 0, 9_200), later]))) == {"whole": (1, 8_500)}


CHAIN = [("k0", 0, 12), ("k1", 10, 22), ("k2", 20, 32), ("k3", 30, 42)]


def test_spilled_slices_of_a_raw_trace() -> None:
    """In v57 and later the slices that Perfetto spilled are those of their thread."""
    slices = [(name, "kernel", ts, end, i % 2) for i, (name, ts, end) in enumerate(CHAIN)]
    rows = rows_of(spilled([(0, 7, slices), (0, 20, slices[:2])]))
    assert [(row["name"], row["tid"], row["lane"]) for row in rows] == [
        ("k1", 7, 2),
        ("k1", 20, 2),
        ("k3", 7, 2),
    ]


def test_a_spilled_annotation_changes_places_with_work() -> None:
    """Perfetto spills what comes later; the rule moves the annotation."""
    slices = [("note", "gpu_user_annotation", 0, 9000, 0), ("work", "kernel", 5000, 20_000, 1)]
    assert found(rows_of(spilled([(0, 7, slices)]))) == {"note": (2, 9000)}


@LOADING_MANY
@given(traces(MANY))
def test_each_form_has_the_same_rows(trace: list[list[Slice]]) -> None:
    """Spilled tracks and lanes on threads of their own; both are as the rule says, done by hand."""
    lanes: list[list[int]] = [_lanes(row) for row in trace]
    protobuf = spilled(
        (
            i + 1,
            100 + i,
            [
                (f"{i}.{j}", it.cat, it.ts, it.recorded_end, lanes[i][j])
                for j, it in enumerate(row)
                if it.recorded_end > it.ts
            ],
        )
        for i, row in enumerate(trace)
    )
    names = {f"{i}.{j}": lanes[i][j] for i, row in enumerate(trace) for j in range(len(row))}
    events = [
        on_lane(it, lane + 1, 1000 + 100 * it["tid"] + lane) if lane else it
        for it in events_of(trace)
        for lane in (names[it["name"]],)
    ]
    wanted = {}
    for i, row in enumerate(trace):
        repair(row, US, rounds=1)
        for j, it in enumerate(row):
            if (it.lane, it.end) != (1, it.recorded_end):
                wanted[f"{i}.{j}"] = (it.lane, it.end - it.ts)
    assert found(rows_of(protobuf)) == wanted
    assert found(rows_of(text(events))) == wanted


def _lanes(row: list[Slice]) -> list[int]:
    """A lane for each slice on which it overlaps none: the first that is free, in order of time."""
    lane = [0] * len(row)
    order = sorted(range(len(row)), key=lambda i: (row[i].ts, -row[i].recorded_end))
    for position, i in enumerate(order):
        taken = {
            lane[j]
            for j in order[:position]
            if row[j].ts < row[i].ts < row[j].recorded_end < row[i].recorded_end
        }
        lane[i] = next(number for number in range(len(row)) if number not in taken)
    return lane


def left_in_args(events: Iterable[Event]) -> list[tuple[str, int, int | None]]:
    """Name, lane and recorded duration, ns, of what a repair says it moved or trimmed, sorted."""
    told = []
    for it in events:
        args = it.get("args") or {}
        if it["ph"] in "XB" and not {"tpt_lane", "tpt_recorded_dur"}.isdisjoint(args):
            recorded = args.get("tpt_recorded_dur")
            trimmed = None if recorded is None else int(recorded * 1000)
            told.append((it["name"], args.get("tpt_lane", 1), trimmed))
    return sorted(told, key=str)


def in_rows(rows: Iterable[Row]) -> list[tuple[str, int, int | None]]:
    """The same by the query."""
    return sorted(
        (
            (row["name"], row["lane"], row["dur"] if "trim" in row["repair"] else None)
            for row in rows
        ),
        key=str,
    )


@LOADING_MANY
@given(traces(MANY))
def test_our_output_shows_what_was_done(trace: list[list[Slice]]) -> None:
    """The slices that moved on their lanes, and those that were trimmed as they were recorded."""
    result = fixed(text(events_of(trace)))
    rows = rows_of(result.data)
    assert in_rows(rows) == left_in_args(result.events)
    now = {it["name"]: it["dur"] for it in result.events if it["ph"] == "X"}
    assert all(row["repaired_dur"] == now[row["name"]] for row in rows)


@pytest.mark.parametrize("name", ["pdl_decode", "jitter_stack", "torch_cpu_with_stack"])
def test_the_output_of_fixtures_shows_what_was_done(name: str) -> None:
    """With the row's tid as recorded."""
    result = fixed(gzip.decompress((HERE / f"{name}.json.gz").read_bytes()))
    rows = rows_of(result.data)
    assert in_rows(rows) == left_in_args(result.events) != []
    moved = {it["args"]["tpt_tid"] for it in result.events if "tpt_lane" in (it.get("args") or {})}
    assert {row["tid"] for row in rows if row["lane"] > 1} == moved


def test_the_output_of_a_real_trace_shows_what_was_done(
    real_trace: Callable[[str], Path],
) -> None:
    """B200: 40 slices on lanes, 38 of them kernels, and 4 that were trimmed."""
    data = gzip.decompress(real_trace("b200_vllm_tp8_rank0.json.gz").read_bytes())
    rows = rows_of(fixed(data).data)
    assert Counter(row["repair"] for row in rows) == {"move": 40, "trim": 4}
    assert all(row["other_id"] is not None for row in rows)


def test_a_trim_names_the_slice_that_it_met() -> None:
    """The one that starts at the cut, or the one around it that ends there; times as recorded."""
    head, tail = cpu("head", 0, 20_400), cpu("tail", 20_000, 40_000)
    outer, inner = cpu("outer", 50_000, 90_000), cpu("inner", 60_000, 90_250)
    rows = rows_of(fixed(text([head, tail, outer, inner])).data)
    told = [
        (row["name"], row["other_name"], row["overlap_ns"], row["dur"], row["repaired_dur"])
        for row in rows
    ]
    assert told == [
        ("head", "tail", 400, 20_400, 20_000),
        ("inner", "outer", 30_000, 30_250, 30_000),
    ]


def test_the_tab_shortens_names_of_kernels_alone() -> None:
    """A line of Python keeps its line and function, which look like arguments of a call."""
    line = cpu("train.py(12): step", 0, 30 * US, cat="python_function")
    moved = cpu("train.py(9): fit", 10 * US, 40 * US, cat="python_function")
    first = kernel("void gemm<float>(int)", 0, 12 * US, 1)
    second = kernel("void norm<float>(int)", 10 * US, 22 * US, 2)
    script = library.expand(library.read(library.check("overlaps_tab")))
    with engine.load([fixed(text([line, moved, first, second])).data], source="trace") as tp:
        told = [(row.name, row.overlaps) for row in tp.query(script)]
    assert told == [("norm", "gemm"), ("train.py(9): fit", "train.py(12): step")]


def test_what_a_repair_did_beats_the_rule() -> None:
    """With another tolerance jitter was moved: the rows say so, though the rule would trim it."""
    data = fixed(text([cpu("head", 0, 20_400), cpu("tail", 20_000, 40_000)]), 0).data
    (row,) = rows_of(data)
    assert (row["name"], row["repair"], row["lane"]) == ("tail", "move", 2)
    assert (row["other_name"], row["overlap_ns"]) == ("head", 400)


def test_a_slice_whose_other_is_gone() -> None:
    """A part of a repaired trace still says what was moved and trimmed in it."""
    alone = repaired(kernel("moved", 0, 5 * US, 1), 2, 8)
    cut = {**cpu("cut", 0, 9_200), "args": {"tpt_recorded_dur": 10.0}}
    rows = rows_of(text([alone, cut]))
    told = {row["name"]: (row["repair"], row["other_id"]) for row in rows}
    assert told == {"moved": ("move", None), "cut": ("trim", None)}


def test_a_raw_trace_before_v57_has_no_rows() -> None:
    """Perfetto dropped what overlapped: there is nothing left to show, as the header says."""
    data = text([kernel("a", 0, 12, 1), kernel("b", 10, 22, 2)])
    assert rows_of(data, engine="embedded", allow_loss=True) == []


@pytest.mark.skipif(
    NATIVE_VARIABLE not in os.environ, reason=f"${NATIVE_VARIABLE} names no trace_processor_shell"
)
@pytest.mark.parametrize("name", ["pdl_decode", "jitter_stack"])
def test_a_raw_trace_in_a_native_shell(name: str) -> None:
    """In v57 and later the raw trace shows what `fix` finds, at least in its first round."""
    data = gzip.decompress((HERE / f"{name}.json.gz").read_bytes())
    rows = rows_of(data, engine=os.environ[NATIVE_VARIABLE], allow_loss=True)
    result = fixed(data)
    assert {(row["name"], row["lane"]) for row in rows if row["lane"] > 1} == {
        (it["name"], it["args"]["tpt_lane"])
        for it in result.events
        if "tpt_lane" in (it.get("args") or {})
    }


def test_a_long_chain_alternates() -> None:
    """20,000 kernels, each overlapping the next: two lanes, the odd ones move.

    Annotations overlap the even kernel at either end and each other: lanes 2 and 3 hold them.
    """
    chain = [kernel(f"k{i}", i * 10 * US, (i * 10 + 12) * US, i) for i in range(20_000)]
    events = [on_lane(it, 2, 8) if i % 2 else it for i, it in enumerate(chain)]
    for i in range(40):
        note = x(f"note{i}", (5 + 5_000 * i) * US, (5_008 + 5_000 * i) * US, cat="user_annotation")
        events.append(on_lane(note, 3 + i % 2, 9 + i % 2))
    lanes = {row["name"]: row["lane"] for row in rows_of(text(events))}
    wanted = {f"k{i}": 2 for i in range(1, 20_000, 2)} | {f"note{i}": 2 + i % 2 for i in range(40)}
    assert lanes == wanted


def test_many_at_a_time_take_as_many_lanes() -> None:
    """300 slices on one thread, each overlapping all others: 300 lanes, in order."""
    tasks = [cpu(f"t{i}", i * 10 * US, (i + 400) * 10 * US) for i in range(300)]
    events = [on_lane(it, i + 1, 100 + i) if i else it for i, it in enumerate(tasks)]
    assert found(rows_of(text(events))) == {f"t{i}": (i + 1, 4000 * US) for i in range(1, 300)}


def test_more_lanes_than_are_compared_have_an_other_each() -> None:
    """In a repaired row of 50 lanes each slice still names one that it overlaps, and how long."""
    count = 50
    events = [kernel(f"k{i}", i * US, (i + 100) * US, i) for i in range(count)]
    lanes = [repaired(it, i + 1, 100 + i) if i else it for i, it in enumerate(events)]
    rows = rows_of(text(lanes))
    assert len(rows) == count - 1
    for row in rows:
        own, other = int(row["name"][1:]), int(row["other_name"][1:])
        later, earlier = max(own, other), min(own, other)
        assert row["overlap_ns"] == (100 + earlier - later) * US
        assert row["repair"] == "move"
