"""`dataloader`: time in which steps wait for their next batch."""

from __future__ import annotations

from tests.support.gpu_traces import Event, ask, note, op, slice_of, work

NEXT = "enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__"
PYTHON = "torch/utils/data/dataloader.py(733): __next__"


def python(name: str, ts: int, end: int, thread: int = 20) -> Event:
    """A Python function."""
    return slice_of("python_function", name, (100, thread), ts, end)


def test_every_column_by_hand() -> None:
    """Of 70 ns the GPU works for 25; what is asked for outside of steps has a row of its own."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 200),
        note(NEXT, 10, 30),
        note(NEXT, 40, 90),
        note(NEXT, 210, 215),
        work("k", 25, 60),
    ]
    rows = ask("dataloader", events)
    assert rows[1] == {
        "rank": None,
        "number": 1,
        "step": "ProfilerStep#1",
        "ts": 0,
        "dur": 100,
        "count": 2,
        "dataloader_ns": 70,
        "dataloader_percent": 70,
        "longest_ns": 50,
        "gpu_idle_ns": 45,
    }
    outside = [rows[0][it] for it in ("step", "ts", "dur", "count", "dataloader_percent")]
    assert outside == [None, None, None, 1, None]
    assert len(rows) == 2


def test_python_functions_where_there_are_no_annotations() -> None:
    """One within another is part of it; beside annotations they count no second time."""
    steps = [note("ProfilerStep#1", 0, 100), work("k", 0, 5)]
    functions = [python(PYTHON, 10, 50), python(PYTHON, 20, 40)]
    (row,) = ask("dataloader", steps + functions)
    assert (row["count"], row["dataloader_ns"]) == (1, 40)
    (row,) = ask("dataloader", [*steps, *functions, note(NEXT, 15, 45)])
    assert (row["count"], row["dataloader_ns"]) == (1, 30)


def test_old_traces_have_ops() -> None:
    """PyTorch 1.8 and 1.9 wrote both as ops."""
    (row,) = ask("dataloader", [op("ProfilerStep#1", 0, 100), op(NEXT, 10, 40)])
    assert (row["step"], row["dataloader_ns"], row["gpu_idle_ns"]) == ("ProfilerStep#1", 30, 30)


def test_a_trace_without_has_no_rows() -> None:
    """Other annotations are none."""
    assert ask("dataloader", [note("data_load", 0, 9), python("a.py(1): __next__", 0, 9)]) == []
