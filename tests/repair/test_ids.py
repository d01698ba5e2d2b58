"""Process and thread ids that Perfetto reads correctly."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.handmade import fixed, loaded, text, trace_of
from tp_tools import engine
from tp_tools.repair import ids
from tp_tools.repair.perfetto_import import hidden_events, read_by_perfetto
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.trace.model import Scalar
    from tp_tools.trace.plan import Ids

Event = dict[str, Any]
ABSENT = object()
"""Marks an event without this id."""

LIMIT = 1 << 32


def event(pid: object, tid: object, ph: str = "X", **more: object) -> Event:
    """Make an event on this thread."""
    made: Event = {"ph": ph, "name": "k", "ts": 1, **({"dur": 1} if ph == "X" else {}), **more}
    return made | {k: v for k, v in (("pid", pid), ("tid", tid)) if v is not ABSENT}


def chosen(*events: Event) -> tuple[list[tuple[object, object]], Ids]:
    """Return the (pid, tid) to write for each event, and all chosen ids."""
    trace = trace_of(text(events))
    choice = ids.choose_ids(trace)
    return [(choice.pids[i], choice.tids[i]) for i in trace.track], choice


def named(key: str, name: str, pid: object, tid: object = 0) -> Event:
    """Make a metadata event that names a process or a thread."""
    return {"ph": "M", "name": key, "pid": pid, "tid": tid, "args": {"name": name}}


# -- known answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [event(0, 0), event(0, 7), event(0, LIMIT - 1), event(1, 1), event(LIMIT - 1, 7)],
        [event(3, 7.0), event(3.0, 7), event(0, 0.0)],
        # their tid does not matter to Perfetto
        [event(1, ABSENT, "C", args={"v": 1}), event(1, 0, "C", args={"v": 1}), event(1, 5)],
        [event(1, ABSENT, "b", id=1), event(1, -1, "e", id=1), event(1, None, "n", id=1)],
        [event(1, ABSENT, "i", s="p"), event(ABSENT, ABSENT, "i", s="g"), event(-1, 0, "I", s="g")],
        [named("process_name", "GPU 7", 7, 0), named("process_labels", "GPU", 7, "x"), event(7, 9)],
        [],
    ],
)
def test_ids_that_do_no_harm_stay(events: list[Event]) -> None:
    """Ids that Perfetto reads correctly, or ignores, are not changed."""
    written, choice = chosen(*events)
    assert written == [(e.get("pid"), e.get("tid")) for e in events]
    assert not choice.changed.any()
    assert not choice.repairs


@pytest.mark.parametrize(
    ("events", "written", "repairs"),
    [
        (  # Kineto's overhead beside GPU 0
            [event(-1, 5), event(0, 7), event(99, 100)],
            [(101, 5), (0, 7), (99, 100)],
            {"negative_pids": 1},
        ),
        (  # stream 0 of GPU 7 beside its stream 7, on ROCm
            [event(7, 0), event(7, 7), event(7, 1)],
            [(7, 2), (7, 7), (7, 1)],
            {"zero_tids": 1},
        ),
        ([event(1, 0)], [(1, 2)], {"zero_tids": 1}),  # tid = pid would be the main thread
        ([event(5, 0), event(6, 0)], [(5, 1), (6, 1)], {"zero_tids": 2}),
        (
            [event("Spans", "main"), event("Spans", "b"), event("", ""), event(3, 4)],
            [(5, 6), (5, 7), (6, 7), (3, 4)],
            {"text_pids": 2, "text_tids": 3},
        ),
        ([event("12", 1), event(12, 1)], [(12, 1), (12, 1)], {"quoted_ids": 1}),
        ([event(1, "12"), event(1, "12a")], [(1, 12), (1, 13)], {"text_tids": 1, "quoted_ids": 1}),
        (
            [event(7.5, 1), event(LIMIT, 1), event(-2, -3)],
            [(2, 1), (3, 1), (4, 5)],
            {"other_pids": 2, "negative_pids": 1, "negative_tids": 1},
        ),
        (
            [event(ABSENT, ABSENT), event(0, 0)],
            [(1, 2), (0, 0)],
            {"other_pids": 1, "other_tids": 1},
        ),
        ([event(1, ABSENT), event(1, 1)], [(1, 2), (1, 1)], {"other_tids": 1}),
        ([event(1, ABSENT, "i", s="t"), event(1, 2)], [(1, 3), (1, 2)], {"other_tids": 1}),
        (  # text makes a thread of its own, which may be taken for another
            [event(1, "x", "C", args={"v": 1}), event("y", 2, "i", s="g")],
            [(1, 2), (3, 2)],
            {"text_tids": 1, "text_pids": 1},
        ),
        ([event(LIMIT - 1, "a")], [(LIMIT - 1, 1)], {"text_tids": 1}),
    ],
)
def test_ids_that_perfetto_misreads_get_better_ones(
    events: list[Event], written: list[tuple[int, int]], repairs: dict[str, int]
) -> None:
    """Misread ids get free ids, no two the same, and the same ones for the same trace."""
    found, choice = chosen(*events)
    assert found == written
    assert choice.repairs == repairs
    assert chosen(*events)[0] == found


def test_a_process_keeps_its_new_id_in_its_metadata() -> None:
    """A process that gets another pid keeps its name; GPU 0 does not get it."""
    events = [named("process_name", "overhead", -1), event(-1, 5), event(0, 7)]
    written, choice = chosen(*events)
    assert [pid for pid, _ in written] == [1, 1, 0]
    assert choice.is_process_metadata.tolist() == [True, False, False]
    assert written[0] == (1, 0)


@pytest.mark.parametrize(
    ("pid", "tid", "read"),
    [
        (7, 9, (7, 9)),
        (7, 0, (7, 7)),
        (-1, 0, (0, 0)),
        (-1, 5, (0, 5)),
        (None, None, (0, 0)),
        (3, None, (3, 3)),
        (7.9, 3.2, (7, 3)),
        (LIMIT, LIMIT + 1, (0, 0)),
        ("7", 0, ("7", "7")),
        (7, "0", (7, "0")),
    ],
)
def test_how_perfetto_misreads_is_known(
    pid: Scalar, tid: Scalar, read: tuple[object, object]
) -> None:
    """Ids out of range are read as 0, and tid 0 as the pid."""
    assert read_by_perfetto(pid, tid) == read


# -- against TraceProcessor ----------------------------------------------------------------------

ON_THREADS = """
FROM slice
JOIN thread_track ON thread_track.id = slice.track_id
JOIN thread USING (utid)
LEFT JOIN process USING (upid)
"""
ROWS = (
    "SELECT extract_arg(slice.arg_set_id, 'args.n'), pid, tid, process.name, thread.name"
    + ON_THREADS
)


def rows(data: bytes, *, allow_loss: bool = False) -> dict[int, tuple[Any, ...]]:
    """Return (pid, tid, process name, thread name) of each slice, by its number."""
    with engine.load([data], source="ids", allow_loss=allow_loss) as tp:
        return {number: tuple(rest) for number, *rest in engine.rows(tp, ROWS)}


POOL = [0, 1, 2, 7, 8, 42, -1, -2, LIMIT - 1, LIMIT, 7.0, 7.5, "7", "", "a", "1", None, ABSENT]


def same_as(value: Any) -> object:  # noqa: ANN401
    """Return a key equal for two ids that mean the same: the number, else the text, else null."""
    if value is None or value is ABSENT:
        return None
    is_text = isinstance(value, str) and not value.isdigit()
    return ("text", value) if is_text else float(str(value))


@pytest.mark.parametrize("seed", range(12))
def test_what_was_apart_is_apart_and_named_as_recorded(seed: int) -> None:
    """Of random ids, TraceProcessor shows each slice on the thread with the chosen ids.

    Two slices share a thread or a process exactly if they did in the file; metadata names theirs,
    and a text id without a name is its own.
    """
    rnd = random.Random(seed)
    pids, tids = rnd.sample(POOL, 6), rnd.sample(POOL, 9)
    slices = [
        event(rnd.choice(pids), rnd.choice(tids), ts=10 * n, args={"n": n}) for n in range(80)
    ]
    keys = [(same_as(e.get("pid", ABSENT)), same_as(e.get("tid", ABSENT))) for e in slices]
    processes = {key: f"process of {key}" for key, _ in keys if rnd.random() < 0.7}
    threads = {key: f"thread {key}" for key in keys if rnd.random() < 0.7}
    names = []
    for e, key in zip(slices, keys, strict=True):
        pid, tid = e.get("pid", ABSENT), e.get("tid", ABSENT)
        if key[0] in processes:
            name = named("process_name", processes[key[0]], pid)
            names.append({k: v for k, v in name.items() if v is not ABSENT})
        if key in threads:
            name = named("thread_name", threads[key], pid, tid)
            names.append({k: v for k, v in name.items() if v is not ABSENT})
    events = [*slices, *names]
    rnd.shuffle(events)
    result = fixed(text(events))
    trace, choice = result.analysis.trace, result.analysis.plan.ids
    shown = rows(result.data)
    assert len(shown) == len(slices)
    by_number = {e["args"]["n"]: i for i, e in enumerate(events) if "n" in e.get("args", {})}
    for number, key in enumerate(keys):
        pid, tid, process, thread = shown[number]
        track = trace.track[by_number[number]]
        assert (pid, tid) == (choice.pids[track], choice.tids[track])
        if key[0] in processes:
            assert process == processes[key[0]]
        elif isinstance(key[0], tuple) and key[0][1]:
            assert process == key[0][1]
        if key in threads:
            assert thread == threads[key]
        elif isinstance(key[1], tuple) and key[1][1]:
            assert thread == key[1][1]
    assert len({shown[n][:2] for n in shown}) == len(set(keys))
    assert len({shown[n][0] for n in shown}) == len({pid for pid, _ in keys})


@pytest.mark.parametrize("seed", range(6))
def test_misreading_is_foretold(seed: int) -> None:
    """TraceProcessor takes two recorded tracks for one exactly where the model says so."""
    rnd = random.Random(seed)
    pool: list[Any] = [value for value in POOL if value is not ABSENT]
    pairs = [(rnd.choice(pool), rnd.choice(pool)) for _ in range(60)]
    data = text([event(pid, tid, ts=10 * n, args={"n": n}) for n, (pid, tid) in enumerate(pairs)])
    shown = rows(data, allow_loss=True)
    predicted = [read_by_perfetto(pid, tid) for pid, tid in pairs]
    for n, read in enumerate(predicted):
        for part, value in zip(shown[n][:2], read, strict=True):
            assert part == value or isinstance(value, str)
    assert len({shown[n][:2] for n in shown}) == len(set(predicted))


def test_fixed_ids_need_no_fixing() -> None:
    """A second repair changes no id."""
    pairs = [(pid, tid) for pid in POOL for tid in POOL]
    events = [event(pid, tid, ts=10 * n, args={"n": n}) for n, (pid, tid) in enumerate(pairs)]
    once = fixed(text(events))
    assert once.analysis.plan.ids.changed.any()
    again = fixed(once.data)
    assert not again.analysis.plan.ids.changed.any()
    assert again.data == once.data
    assert not len(hidden_events(again.analysis.trace))


@pytest.mark.parametrize(
    "name", ["b200_vllm_tp8_rank0", "epoch_decimals_rank0", "train128_rank0", "alexnet_whole_us"]
)
def test_recorded_tracks_stay_apart(name: str, real_trace: Callable[[str], Path]) -> None:
    """Each (pid, tid) that holds a slice, also "Spans" and pid -1, is one thread in the result."""
    data = gzip.decompress(real_trace(f"{name}.json.gz").read_bytes())
    result = fixed(data)
    trace = result.analysis.trace
    of_slices = trace.track[is_phase(trace, "XiIR") & (trace.bound == 0)]
    recorded = {trace.tracks[i] for i in of_slices}
    query = f"SELECT DISTINCT utid {ON_THREADS} WHERE thread.name NOT GLOB '* ([2-9])'"
    with loaded(result.data) as tp:
        assert len(engine.rows(tp, query)) == len(recorded)


def test_overhead_gets_a_process_of_its_own(real_trace: Callable[[str], Path]) -> None:
    """Overhead, which Kineto writes as pid -1, is not shown in GPU 0."""
    data = gzip.decompress(real_trace("b200_vllm_tp8_rank0.json.gz").read_bytes())
    query = f"SELECT DISTINCT pid, process.name {ON_THREADS} WHERE slice.category "
    with loaded(fixed(data).data) as tp:
        ((pid, name),) = engine.rows(tp, query + "= 'overhead'")
        assert name == "overhead -1"
        assert (pid, name) not in engine.rows(tp, query + "!= 'overhead'")
