"""`steps` where nothing marks them: GPU work that repeats up to the end of the trace."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpu_traces import Event, ask, call, note, work
from tp_tools import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pandas as pd

PERIOD, RUN = 100, 50


def launches(names: Iterable[str], *, recorded: bool = True) -> list[Event]:
    """A launch every 100 ns, and its kernel of 50 ns 10 ns later."""
    events = []
    for place, name in enumerate(names):
        at = place * PERIOD
        told = {"correlation": place + 1} if recorded else {}
        events.append(work(name, at + 10, at + 10 + RUN, **told))
        if recorded:
            events.append(call("cudaLaunchKernel", at, at + 5, place + 1))
    return events


def found(events: list[Event]) -> list[tuple[Any, ...]]:
    """Name, start, duration and kernels of each step; the reason for work of none."""
    keys = ("name", "ts", "dur", "kernels")
    return [
        tuple(row[key] for key in keys) if row["name"] else (row["reason"], row["kernels"])
        for row in ask("steps", events)
    ]


def test_what_repeats_three_times_is_a_step() -> None:
    """Each begins where the one before ends; where the last ends is not known."""
    assert found(launches("abc" * 3)) == [
        ("repetition 0", 0, 300, 3),
        ("repetition 1", 300, 300, 3),
        ("repetition 2", 600, None, 3),
    ]
    assert {row["rule"] for row in ask("steps", launches("abc" * 3))} == {"repetition"}


def test_work_after_the_last_whole_repetition_is_of_no_step() -> None:
    """It tells where the last step ends."""
    assert found(launches("abc" * 3 + "ab"))[2:] == [
        ("repetition 2", 600, 300, 3),
        ("outside steps", 2),
    ]


@pytest.mark.parametrize(
    "names",
    [
        "abc" * 2,
        "e" + "abc" * 6 + "h",  # one step of six layers
        "e" + "abc" * 6,  # the same, cut off
        "a" * 20,
        "abcabcabxabc",
        "",
    ],
)
def test_in_doubt_there_is_no_step(names: str) -> None:
    """Twice is no repetition, layers of one step are none, nor one kernel again and again."""
    assert found(launches(names)) == []


def test_steps_of_layers() -> None:
    """The whole is the step, not the layers in it."""
    names = ("e" + "abc" * 6 + "h") * 3
    assert found(launches(names))[:2] == [
        ("repetition 0", 0, 2000, 20),
        ("repetition 1", 2000, 2000, 20),
    ]


def test_a_first_step_that_does_more() -> None:
    """It is of no step, for nothing says where it begins."""
    assert found(launches("iabjc" + "abc" * 3)) == [
        ("repetition 0", 500, 300, 3),
        ("repetition 1", 800, 300, 3),
        ("repetition 2", 1100, None, 3),
        ("outside steps", 5),
    ]


def test_without_launches_the_work_itself_repeats() -> None:
    """Steps of the GPU alone begin with their first kernel."""
    assert found(launches("abc" * 3 + "a", recorded=False)) == [
        ("repetition 0", 10, 300, 3),
        ("repetition 1", 310, 300, 3),
        ("repetition 2", 610, 300, 3),
        ("outside steps", 1),
    ]


def test_graphs_repeat_though_what_is_between_them_does_not() -> None:
    """Where graphs hold most of the GPU time, each replay begins a step."""
    events, turns = [], 4
    for turn in range(turns):
        at, number = 1000 * turn, 2 * turn + 1
        events += [
            call("cudaGraphLaunch", at, at + 5, number),
            work("a", at + 20, at + 220, correlation=number),
            work("b", at + 220, at + 420, correlation=number),
            call("cudaLaunchKernel", at + 500, at + 505, number + 1),
            work(f"sample {min(turn, 2)}", at + 510, at + 520, correlation=number + 1),
        ]
    assert found(events) == [
        *((f"repetition {turn}", 1000 * turn, 1000, 3) for turn in range(turns - 1)),
        (f"repetition {turns - 1}", 3000, None, 2),
        ("outside steps", 1),
    ]


def test_marks_come_first() -> None:
    """A rank with an annotation that marks steps has these alone."""
    events = [*launches("abc" * 4), note("ProfilerStep#1", 0, 600)]
    rows = ask("steps", events)
    assert [(row["name"], row["rule"]) for row in rows] == [
        ("ProfilerStep#1", "ProfilerStep"),
        (None, None),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "epoch_decimals_rank0.json.gz",
        "mi300_resnet_ddp8_rank0.json.gz",
    ],
)
def test_recorded_steps_are_found_without_their_marks(
    name: str, real_trace: Callable[[str], Path], tmp_path: Path
) -> None:
    """Without its annotations a trace has the same steps: kernels and GPU time of each agree."""
    path = real_trace(name)
    with gzip.open(path) as file:
        trace = json.load(file)
    trace["traceEvents"] = [event for event in trace["traceEvents"] if not _is_mark(event)]
    bare = tmp_path / "trace.json"
    bare.write_text(json.dumps(trace), "utf-8")
    marked, repeated = query("steps", path), query("steps", bare)
    assert set(repeated["rule"].dropna()) == {"repetition"}
    assert _work(repeated) == _work(marked)


def _is_mark(event: Event) -> bool:
    cat = str(event.get("cat"))
    return cat.endswith("user_annotation") or str(event.get("name")).startswith("ProfilerStep")


def _work(steps: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Kernels and GPU time in ms of each step; times in JSON of Python lose some ns."""
    named = steps[steps["name"].notna()]
    return [(row.kernels, round(row.gpu_dur / 1e6, 2)) for row in named.itertuples()]
