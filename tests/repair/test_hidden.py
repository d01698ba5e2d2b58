"""What Perfetto v51 to v56 hide of a trace, foretold, and compared with what v52 does."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support.handmade import text, trace_of
from tp_tools import engine
from tp_tools.repair.hidden import as_double, hidden, hidden_of_placed
from tp_tools.repair.lanes import assign_lanes
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
    *("train128_rank1", "vllm_piecewise_graph_execution", "mi300_xdit_sd35_rank0.cut"),
]


def x(ts: object, dur: object, tid: object = 1, pid: object = 1, **more: object) -> Event:
    """A slice; times in us."""
    return {"ph": "X", "name": "k", "pid": pid, "tid": tid, "ts": ts, "dur": dur, **more}


def mark(ph: str, ts: object, tid: object = 1, **more: object) -> Event:
    """An event that is no slice of its own."""
    return {"ph": ph, "pid": 1, "tid": tid, "ts": ts, **more}


def hidden_of(*events: Event) -> list[int]:
    """Places in this list of the slices that are hidden."""
    trace = trace_of(text(events))
    return both_ways(trace)


def both_ways(trace: Trace) -> list[int]:
    """What is hidden, found with the help of lossless lanes; in pieces of several sizes."""
    table = slices(trace)
    lane = assign_lanes(table)
    found = hidden(trace).tolist()
    for piece in (1, 7, 1 << 16):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tp_tools.repair.hidden._PIECE", piece)
            assert hidden_of_placed(trace, table, lane).tolist() == found
    return found


# -- known answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([], []),
        ([x(0, 10), x(5, 10)], [1]),
        ([x(5, 10), x(0, 10)], [0]),  # by time, not by place
        ([x(0, 10), x(0, 20)], []),  # the longer one is taken first
        ([x(0, 10), x(5, 5)], []),  # ends together: nested
        ([x(0, 10), x(10, 5)], []),  # touches
        ([x(0, 10), x(5, 0), x(10, 0)], []),
        ([x(0, 10), x(5, 10), x(12, 10)], [1]),  # what is hidden hides nothing
        ([x(0, 10), x(5, 10), x(9, 10)], [1, 2]),
        ([x(0, 10), x(5, 10, tid=2), x(5, 10, pid=2)], []),  # other rows
        ([x(0, 10, tid=0, pid=7), x(5, 10, tid=7, pid=7)], [1]),  # tid 0 is read as 7
        ([x(0, 10, pid=-1), x(5, 10, pid=0)], [1]),  # pid -1 is read as 0
        ([x(0, 10, tid="1"), x(5, 10)], []),
        ([x(0, 10), x(5, None)], []),  # shown as nothing, and counted elsewhere
        ([x(0, 10), x(5, -3), x(6, 10)], [2]),
        ([x(-5, 10), x(0, 3)], [0]),  # before time began
        ([mark("B", 0), x(1, 10), x(5, 10), mark("E", 20)], [2]),
        ([x(0, 10), mark("B", 1), x(5, 10), mark("E", 20)], []),  # an open B covers what is below
        ([x(0, 10), mark("B", 1), mark("E", 2), x(5, 10)], [3]),
        ([x(0, 10), mark("B", 1, tid=2), x(5, 10)], [2]),
    ],
)
def test_which_slices_are_hidden(events: list[Event], wanted: list[int]) -> None:
    """Those that start inside a kept slice of their thread and end behind its end."""
    assert hidden_of(*events) == wanted


def test_overlaps_of_rows_that_are_misread_can_be_left_out() -> None:
    """Then only what overlaps on its own row counts."""
    events = [x(0, 10, tid=0, pid=7), x(5, 10, tid=7, pid=7), x(6, 10, tid=7, pid=7), x(-1, 1)]
    trace = trace_of(text(events))
    assert hidden(trace).tolist() == [1, 2, 3]
    assert hidden(trace, misread_ids=False).tolist() == [2]


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
def test_how_far_a_double_is_off(time: int, read: int) -> None:
    """Up to a quarter of a microsecond at epoch size, nothing below 2^42 us."""
    assert as_double(np.array([time])).tolist() == [read]


# -- against TraceProcessor v52 ------------------------------------------------------------------


def check(events: list[Event]) -> int:
    """Compares prediction and fact, each slice told by its name; how many are hidden."""
    numbered = [e | {"name": f"x{n}"} if e["ph"] == "X" else e for n, e in enumerate(events)]
    data = text(numbered)
    trace = trace_of(data)
    foretold = hidden(trace).tolist()
    assert both_ways(trace) == foretold
    with engine.load([data], source="t", engine="embedded", allow_loss=True) as tp:
        shown = {name for (name,) in engine.rows(tp, "SELECT name FROM slice")}
    slices = np.flatnonzero(is_phase(trace, "X")).tolist()
    assert foretold == [n for n in slices if f"x{n}" not in shown]
    return len(foretold)


def test_what_lies_too_deep_hides_nothing() -> None:
    """Slice 513 of a stack is shown, but not kept on it: number 511, ending at 1489, decides."""
    deep = [x(ts, 2000 - 2 * ts) for ts in range(600)]
    assert check([*deep, x(700, 750)]) == 0
    assert check([*deep, x(700, 790)]) == 1


@pytest.mark.parametrize("seed", range(4))
def test_random_rows_of_slices_are_foretold(seed: int) -> None:
    """Short times, so that starts, ends and lengths coincide; shuffled in the file."""
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
def test_random_rows_with_pairs_and_instants_are_foretold(seed: int) -> None:
    """B and E with and without names and categories, unbalanced, and instants among the slices."""
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
def test_rounding_is_foretold(start: int, seed: int) -> None:
    """Chains of kernels that touch to the nanosecond, at every size of time with decimals."""
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
    """A number that is written as it stands."""
    import msgspec  # noqa: PLC0415

    return msgspec.Raw(number.encode())


@pytest.mark.parametrize("seed", range(4))
def test_misread_ids_are_foretold(seed: int) -> None:
    """Rows that Perfetto merges hide each other's slices; text ids make rows of their own."""
    rnd = random.Random(seed)
    pool = [0, 1, 2, 7, -1, 1 << 32, 7.0, 2.5, None, "1", "7", ""]
    events = [
        x(rnd.randrange(400), rnd.randrange(40), tid=rnd.choice(pool), pid=rnd.choice(pool))
        for _ in range(900)
    ]
    assert check(events) > 50


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_fixtures_are_foretold(path: Path) -> None:
    """Every committed trace."""
    compare(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("name", REAL)
def test_recorded_traces_are_foretold(name: str, real_trace: Callable[[str], Path]) -> None:
    """Every recorded trace: the same slices, told by row, time and name."""
    compare(gzip.decompress(real_trace(f"{name}.json.gz").read_bytes()))


KINDS = """
SELECT slice.name, slice.ts, slice.dur, count(*) FROM slice
JOIN thread_track ON thread_track.id = slice.track_id GROUP BY 1, 2, 3
"""


def compare(data: bytes) -> None:
    """As many slices of each name and time are shown as foretold."""
    trace = trace_of(data)
    shown = is_phase(trace, "X") & (trace.ts >= 0) & (trace.dur >= 0)
    shown[both_ways(trace)] = False
    shown |= is_phase(trace, "iIR") & (trace.bound == 0)
    chosen = np.flatnonzero(shown)
    wanted: dict[tuple[str, int, int], int] = {}
    times = zip(
        trace.name[chosen].tolist(),
        as_double(trace.ts[chosen]).tolist(),
        as_double(trace.dur[chosen]).tolist(),
        strict=True,
    )
    for name, ts, dur in times:
        key = (trace.names[name], ts, dur)
        wanted[key] = wanted.get(key, 0) + 1
    with engine.load([data], source="t", engine="embedded", allow_loss=True) as tp:
        found = {(name, ts, dur): count for name, ts, dur, count in engine.rows(tp, KINDS)}
    assert {k: v for k, v in found.items() if wanted.get(k) != v} == {}
    assert {k: v for k, v in wanted.items() if found.get(k) != v} == {}
