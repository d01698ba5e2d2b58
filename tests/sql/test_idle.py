"""`idle`: idle time by cause."""

from __future__ import annotations

from tests.support.gpu_traces import ask, call, note, op, work

NEXT = "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"
MS = 1_000_000
FIRST = [call("cudaLaunchKernel", 0, 5, 1), work("a", 10, 100, correlation=1)]


def causes(*events: dict[str, object]) -> dict[str, int]:
    """The idle time by cause after `FIRST`, with these events."""
    return {row["cause"]: row["idle_ns"] for row in ask("idle", [*FIRST, *events])}


def test_every_column_by_hand() -> None:
    """Of the gap from 100 to 140 the CPU loads data for 6 ns, runs an op for 9, launches for 12."""
    rows = ask(
        "idle",
        [
            *FIRST,
            note(NEXT, 90, 106),
            op("aten::mul", 109, 132),
            call("cudaStreamSynchronize", 106, 109, 9),
            call("cudaLaunchKernel", 118, 130, 2),
            work("b", 140, 150, correlation=2, stream=8),
        ],
    )
    assert [(row["cause"], row["idle_ns"]) for row in rows] == [
        ("launch call", 12),
        ("front end", 10),
        ("cpu", 9),
        ("data loading", 6),
        ("synchronisation", 3),
    ]
    assert rows[2] == {
        "rank": None,
        "device": 0,
        "cause": "cpu",
        "idle_ns": 9,
        "idle_percent": 22.5,
        "gaps": 1,
        "long_ns": 0,
        "mostly": "aten::mul",
        "mostly_ns": 9,
        "longest_ns": 9,
        "longest_ts": 100,
        "longest_dur": 40,
        "longest_after": "b",
    }
    assert [row["mostly"] for row in rows] == [
        "cudaLaunchKernel",
        None,
        "aten::mul",
        None,
        "cudaStreamSynchronize",
    ]


def test_calls_that_hold_the_thread_are_told_by_their_names() -> None:
    """Memory, code that is loaded, graphs that are built: each its cause."""

    def held(name: str) -> str:
        calls = [call(name, 100, 120, 9), call("cudaLaunchKernel", 120, 121, 2)]
        found = causes(*calls, work("b", 121, 130, correlation=2))
        return max(found, key=lambda cause: found[cause])

    assert held("cudaMalloc") == held("hipFree") == held("cudaHostAlloc") == "memory"
    assert held("cuModuleLoadData") == held("cudaGraphInstantiate") == "set-up"
    assert held("cudaMemcpy") == held("hipDeviceSynchronize") == "synchronisation"


def test_calls_of_one_gap_are_told_apart() -> None:
    """Each counts to its cause; one within another is part of that one; a gap counts once."""
    rows = ask(
        "idle",
        [
            *FIRST,
            call("cudaFree", 100, 110, 7),
            call("cudaMalloc", 112, 119, 8),
            call("cudaStreamSynchronize", 114, 118, 9),
            call("cudaEventSynchronize", 120, 123, 10),
            call("cudaLaunchKernel", 125, 126, 2),
            work("b", 126, 130, correlation=2),
        ],
    )
    found = {row["cause"]: (row["idle_ns"], row["gaps"], row["mostly_ns"]) for row in rows}
    assert found == {
        "memory": (17, 1, 10),
        "synchronisation": (3, 1, 3),
        "cpu": (5, 1, None),
        "launch call": (1, 1, 1),
    }


def test_a_launch_call_of_1_ms_loads_code() -> None:
    """The first launch of a kernel does; a shorter one is a launch."""
    for dur, cause in ((MS - 1, "launch call"), (MS, "set-up")):
        ended = 100 + dur
        launch = call("cudaLaunchKernel", 100, ended, 2)
        assert causes(launch, work("b", ended, ended + 1, correlation=2)) == {cause: dur}


def test_work_that_starts_late_waited_for_something() -> None:
    """A launch takes up to 100 us on its way; launched before the gap it is a dependency."""
    for dur, cause in ((100_000, "front end"), (100_001, "late start")):
        launch = call("cudaLaunchKernel", 99, 100, 2)
        late = [launch, work("b", 100 + dur, 100 + dur + 9, correlation=2)]
        assert causes(*late) == {"dependency": dur}
        launch = call("cudaLaunchKernel", 99, 101, 2)
        late = [launch, work("b", 101 + dur, 101 + dur + 9, correlation=2)]
        assert causes(*late) == {"launch call": 1, cause: dur}


def test_data_that_another_thread_loads_keeps_nothing() -> None:
    """Only the thread that launches the next work waits for it."""
    launched = [call("cudaLaunchKernel", 139, 140, 2), work("b", 140, 150, correlation=2)]
    assert causes(note(NEXT, 100, 130, thread=21), *launched) == {"cpu": 39, "launch call": 1}
    assert causes(note(NEXT, 100, 130), *launched) == {
        "data loading": 30,
        "cpu": 9,
        "launch call": 1,
    }


def test_the_longest_and_the_sum_are_over_all_gaps() -> None:
    """Work without a launch is of no known cause; pieces of 1 ms and longer are summed too."""
    events = [*FIRST, work("b", 150, 160), work("c", 160 + 2 * MS, 3 * MS)]
    (row,) = ask("idle", events)
    assert (row["cause"], row["idle_ns"], row["gaps"]) == ("unknown", 50 + 2 * MS, 2)
    assert (row["long_ns"], row["longest_ns"], row["longest_ts"]) == (2 * MS, 2 * MS, 160)
    assert (row["longest_after"], row["mostly"], row["mostly_ns"]) == ("c", None, None)
