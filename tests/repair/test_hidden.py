"""Slices that Perfetto v51 to v56 hides, as predicted here and as v52 hides them."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support.handmade import text, trace_of
from tp_tools import engine
from tp_tools.chrome.timestamps import as_double
from tp_tools.repair.hidden import find_hidden
from tp_tools.repair.lanes import assign_lanes
from tp_tools.repair.perfetto_import import hidden_events
from tp_tools.trace.model import is_phase
from tp_tools.trace.slices import slices

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.trace.model import Trace

Event = dict[str, Any]
FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").glob("*.json.gz"))
REAL = [
    *("alexnet_whole_us", "b200_vllm_tp8_rank0", "epoch_decimals_rank0", "h100_qwen15_chat"),
    *("mi300_resnet_ddp8_rank0", "nccl_args_rank0", "sglang_qwen3_decode", "train128_rank0"),
    *("train128_rank1", "vllm_piecewise_graph_execution", "mi300_xdit_sd35_rank0.cut3000"),
]


def x(ts: object, dur: object, tid: object = 1, pid: object = 1, **more: object) -> Event:
    """An X event; times in us."""
    return {"ph": "X", "name": "k", "pid": pid, "tid": tid, "ts": ts, "dur": dur, **more}


def mark(ph: str, ts: object, tid: object = 1, **more: object) -> Event:
    """An event of another phase; time in us."""
    return {"ph": ph, "pid": 1, "tid": tid, "ts": ts, **more}


def hidden_of(*events: Event) -> list[int]:
    """Return the indices in this list of the hidden slices."""
    return both_ways(trace_of(text(events)))


def both_ways(trace: Trace) -> list[int]:
    """List the hidden events, and check that lanes lead to the same ones, in blocks of any size."""
    table = slices(trace)
    lane = assign_lanes(table)
    expected = hidden_events(trace).tolist()
    for block_size in (1, 7, 1 << 16):
        assert find_hidden(trace, table, lane, block_size).tolist() == expected
    return expected


# -- known answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([x(0, 10), x(5, 10)], [1]),
        ([x(5, 10), x(0, 10)], [0]),  # order in time counts, not in the file
        ([x(0, 10), x(0, 20)], []),  # the longer one is taken first
        ([x(0, 10), x(5, 5)], []),  # ends together: nested
        ([x(0, 10), x(10, 5)], []),  # touches
        ([x(0, 10), x(5, 0), x(10, 0)], []),
        ([x(0, 10), x(5, 10), x(12, 10)], [1]),  # a hidden slice hides no other
        ([x(0, 10), x(5, 10), x(9, 10)], [1, 2]),
        ([x(0, 10), x(5, 10, tid=2), x(5, 10, pid=2)], []),  # other tracks
        ([x(0, 10, tid=0, pid=7), x(5, 10, tid=7, pid=7)], [1]),  # tid 0 is read as 7
        ([x(0, 10, pid=-1), x(5, 10, pid=0)], [1]),  # pid -1 is read as 0
        ([x(0, 10, tid="1"), x(5, 10)], []),
        ([x(0, 10), x(5, None)], []),  # no duration: not shown, and counted as durationless
        ([x(0, 10), x(5, -3), x(6, 10)], [2]),
        ([x(-5, 10), x(0, 3)], [0]),  # negative time
        ([mark("B", 0), x(1, 10), x(5, 10), mark("E", 20)], [2]),
        (
            [x(0, 10), mark("B", 1), x(5, 10), mark("E", 20)],
            [],
        ),  # slices below an open B are not checked
        ([x(0, 10), mark("B", 1), mark("E", 2), x(5, 10)], [3]),
        ([x(0, 10), mark("B", 1, tid=2), x(5, 10)], [2]),
    ],
)
def test_which_slices_are_hidden(events: list[Event], expected: list[int]) -> None:
    """A slice is hidden if it starts inside a kept slice of its thread and ends after its end."""
    assert hidden_of(*events) == expected


def test_overlaps_caused_by_misread_ids_can_be_left_out() -> None:
    """Without misread ids only slices count that overlap on their own track."""
    events = [x(0, 10, tid=0, pid=7), x(5, 10, tid=7, pid=7), x(6, 10, tid=7, pid=7), x(-1, 1)]
    trace = trace_of(text(events))
    assert hidden_events(trace).tolist() == [1, 2, 3]
    assert hidden_events(trace, misread_ids=False).tolist() == [2]


@pytest.mark.parametrize(
    ("time", "read"),
    [
        (0, 0),
        (1, 1),
        (999, 999),
        ((1 << 42) * 1000 - 1, (1 << 42) * 1000 - 1),
        (1_700_000_000_000_000_123, 1_700_000_000_000_000_000),
        (1_700_000_000_000_000_126, 1_700_000_000_000_000_256),
        (1_700_000_000_000_000_000, 1_700_000_000_000_000_000),
        (((1 << 53) + 1) * 1000, ((1 << 53) + 1) * 1000),  # whole microseconds are never rounded
    ],
)
def test_times_are_rounded_as_by_a_double(time: int, read: int) -> None:
    """Epoch times are off by up to a quarter of a microsecond, those below 2^42 us are exact."""
    assert as_double(np.array([time])).tolist() == [read]


# -- against TraceProcessor v52 ------------------------------------------------------------------


def check(events: list[Event]) -> int:
    """Compare the prediction with TraceProcessor by names; return the number of hidden slices."""
    numbered = [e | {"name": f"x{n}"} if e["ph"] == "X" else e for n, e in enumerate(events)]
    data = text(numbered)
    trace = trace_of(data)
    predicted = hidden_events(trace).tolist()
    assert both_ways(trace) == predicted
    with engine.load([data], source="t", engine="embedded", allow_loss=True) as tp:
        shown = {name for (name,) in engine.rows(tp, "SELECT name FROM slice")}
    slices = [n for n, event in enumerate(events) if event["ph"] == "X"]
    assert predicted == [n for n in slices if f"x{n}" not in shown]
    return len(predicted)


def test_slices_nested_too_deep_hide_no_others() -> None:
    """Slice 513 is shown but not kept on the stack: slice 511, ending at 1489, decides."""
    deep = [x(ts, 2000 - 2 * ts) for ts in range(600)]
    assert check([*deep, x(700, 750)]) == 0
    assert check([*deep, x(700, 790)]) == 1


@pytest.mark.parametrize("seed", range(4))
def test_random_tracks_of_slices_are_predicted(seed: int) -> None:
    """On tracks with few distinct times, shuffled in the file, the same slices are hidden."""
    rnd = random.Random(seed)
    events = []
    for tid in range(1, 400):
        span = rnd.choice([4, 8, 40])
        events += [
            x(rnd.randrange(span), rnd.choice([0, 1, rnd.randrange(2 * span)]), tid)
            for _ in range(rnd.randrange(2, 14))
        ]
    rnd.shuffle(events)
    assert check(events) > 100


@pytest.mark.parametrize("seed", range(6))
def test_random_tracks_with_pairs_and_instants_are_predicted(seed: int) -> None:
    """Unbalanced B and E events, some without names or categories, and instants change nothing."""
    rnd = random.Random(seed)
    events = []
    for tid in range(2, 400):
        span = rnd.choice([4, 8, 40])
        for _ in range(rnd.randrange(2, 14)):
            ts = rnd.randrange(span)
            ph = rnd.choice("XXXBBEEi" if seed % 2 else "XXXBE")
            if ph == "X":
                events.append(x(ts, rnd.choice([0, 1, rnd.randrange(2 * span)]), tid))
                continue
            event = mark(ph, ts, tid)
            if rnd.random() < 0.5:
                event["name"] = rnd.choice("pq")
            if rnd.random() < 0.3:
                event["cat"] = rnd.choice("kl")
            if ph == "i":
                event["s"] = rnd.choice("tpg")
            events.append(event)
    rnd.shuffle(events)
    # from the first X on, Perfetto sorts by more than time
    assert check([x(0, 0), *events]) > 20


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("start", [0, (1 << 42) - 50, 1 << 43, 10**14, 1_712_188_800_000_000])
def test_rounding_is_predicted(start: int, seed: int) -> None:
    """Kernels that touch to the nanosecond are hidden where a double rounds their times."""
    rnd = random.Random(seed)
    events = []
    for tid in range(1, 40):
        now = start * 1000 + rnd.randrange(10**6)
        for _ in range(30):
            dur = rnd.randrange(1, 5000)
            ts, length = (f"{t // 1000}.{t % 1000:03d}" for t in (now, dur))
            written = rnd.choice([float, str])
            event = x(0, 0, tid)
            event["ts"], event["dur"] = (
                (ts, length) if written is str else (_raw(ts), float(length))
            )
            events.append(event)
            now += dur + rnd.choice([0, 0, 0, 1, 100, -1, -200])
    rnd.shuffle(events)
    hidden_ones = check(events)
    assert hidden_ones > 20


def _raw(number: str) -> object:
    """Return a number that is written with these digits."""
    import msgspec  # noqa: PLC0415

    return msgspec.Raw(number.encode())


@pytest.mark.parametrize("seed", range(4))
def test_misread_ids_are_predicted(seed: int) -> None:
    """Tracks that Perfetto takes for one hide each other's slices; text ids keep tracks apart."""
    rnd = random.Random(seed)
    pool = [0, 1, 2, 7, -1, 1 << 32, 7.0, 2.5, None, "1", "7", ""]
    events = [
        x(rnd.randrange(400), rnd.randrange(40), tid=rnd.choice(pool), pid=rnd.choice(pool))
        for _ in range(900)
    ]
    assert check(events) > 50


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_fixtures_are_predicted(path: Path) -> None:
    """The prediction holds for every committed trace."""
    compare(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("name", REAL)
def test_recorded_traces_are_predicted(name: str, real_trace: Callable[[str], Path]) -> None:
    """The prediction holds for every recorded trace."""
    compare(gzip.decompress(real_trace(f"{name}.json.gz").read_bytes()))


KINDS = """
SELECT slice.name, slice.ts, slice.dur, count(*) FROM slice
JOIN thread_track ON thread_track.id = slice.track_id GROUP BY 1, 2, 3
"""


def compare(data: bytes) -> None:
    """Compare the number of shown slices of each name and time with the prediction."""
    trace = trace_of(data)
    shown = is_phase(trace, "X") & (trace.ts >= 0) & (trace.dur >= 0)
    shown[both_ways(trace)] = False
    shown |= is_phase(trace, "iIR") & (trace.bound == 0)
    chosen = np.flatnonzero(shown)
    expected: dict[tuple[str, int, int], int] = {}
    times = zip(
        trace.name[chosen].tolist(),
        as_double(trace.ts[chosen]).tolist(),
        as_double(trace.dur[chosen]).tolist(),
        strict=True,
    )
    for name, ts, dur in times:
        key = (trace.names[name], ts, dur)
        expected[key] = expected.get(key, 0) + 1
    with engine.load([data], source="t", engine="embedded", allow_loss=True) as tp:
        found = {(name, ts, dur): count for name, ts, dur, count in engine.rows(tp, KINDS)}
    assert {k: v for k, v in found.items() if expected.get(k) != v} == {}
    assert {k: v for k, v in expected.items() if found.get(k) != v} == {}
