"""`gaps`: idle time, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import ask, call, copy, note, work

if TYPE_CHECKING:
    from tests.support.gpu_traces import Event

FIRST = [call("cudaLaunchKernel", 0, 5, 1), work("a", 10, 100, correlation=1)]


def gap(*events: Event) -> dict[str, object]:
    """The only gap after `FIRST`, with these events."""
    (row,) = ask("gaps", [*FIRST, *events])
    return row


def test_every_column_by_hand() -> None:
    """The CPU launched 20 ns after the GPU ran dry."""
    row = gap(call("cudaLaunchKernel", 120, 130, 2), work("b", 140, 150, correlation=2, stream=8))
    assert row == {
        "rank": None,
        "device": 0,
        "ts": 100,
        "dur": 40,
        "why": "launch",
        "before": "a",
        "after": "b",
        "before_stream": 7,
        "after_stream": 8,
        "launch_ts": 120,
        "launch_name": "cudaLaunchKernel",
        "waited_in": None,
    }


def test_dependency() -> None:
    """Its call had returned before the gap began: it waited for something else."""
    row = gap(call("cudaLaunchKernel", 20, 25, 2), work("b", 140, 150, correlation=2))
    assert row["why"] == "dependency"


def test_a_call_that_returned_as_the_gap_began_was_in_time() -> None:
    """At the very ns it is a dependency still."""
    row = gap(call("cudaLaunchKernel", 95, 100, 2), work("b", 140, 150, correlation=2))
    assert row["why"] == "dependency"


def test_a_call_that_was_under_way_is_late() -> None:
    """A call that began before the gap and had not returned by then kept the GPU waiting."""
    row = gap(call("cudaLaunchKernel", 95, 130, 2), work("b", 125, 150, correlation=2))
    assert row["why"] == "launch"


def test_within_a_graph_it_is_a_dependency() -> None:
    """Kernels of the graph that was already running need no launch, however long its call took."""
    events = [
        call("cudaGraphLaunch", 0, 500, 2),
        work("a", 10, 100, correlation=2),
        work("b", 140, 150, correlation=2),
    ]
    (row,) = ask("gaps", events)
    assert row["why"] == "dependency"


@pytest.mark.parametrize(
    "name", ["cudaStreamSynchronize", "hipDeviceSynchronize", "cuEventSynchronize"]
)
def test_sync(name: str) -> None:
    """The thread that launched next was waiting for the GPU when it ran dry."""
    row = gap(
        call(name, 50, 105, 9),
        call("cudaLaunchKernel", 120, 130, 2),
        work("b", 140, 150, correlation=2),
    )
    assert (row["why"], row["waited_in"]) == ("sync", name)


def test_waits_that_are_over_or_elsewhere_are_no_sync() -> None:
    """A wait that ended before the gap, and one of another thread, held nothing up."""
    row = gap(
        call("cudaStreamSynchronize", 50, 90, 8),
        call("cudaStreamSynchronize", 50, 200, 9, thread=21),
        call("cudaLaunchKernel", 120, 130, 2),
        work("b", 140, 150, correlation=2),
    )
    assert (row["why"], row["waited_in"]) == ("launch", None)


def test_a_blocking_copy_is_a_sync() -> None:
    """A copy whose call returned only after the copy had kept its thread waiting."""
    row = ask(
        "gaps",
        [
            *FIRST,
            call("cudaMemcpyAsync", 20, 125, 2),
            copy("Memcpy DtoH (Device -> Pageable)", 100, 120, correlation=2),
            call("cudaLaunchKernel", 130, 135, 3),
            work("b", 140, 150, correlation=3),
        ],
    )
    assert [(r["ts"], r["why"], r["waited_in"]) for r in row] == [(120, "sync", "cudaMemcpyAsync")]


def test_a_blocking_copy_counts_as_launched_when_its_call_began() -> None:
    """Its call was open all the time because the copy had to wait, not the other way round."""
    row = gap(
        call("cudaMemcpyAsync", 20, 160, 2),
        copy("Memcpy DtoH (Device -> Pageable)", 140, 150, correlation=2),
    )
    assert row["why"] == "dependency"


def test_end_of_step() -> None:
    """The work before belongs to one step, the work after to the next."""
    row = gap(
        note("ProfilerStep#1", 0, 110),
        note("ProfilerStep#2", 110, 300),
        call("cudaDeviceSynchronize", 50, 105, 9),
        call("cudaLaunchKernel", 120, 130, 2),
        work("b", 140, 150, correlation=2),
    )
    assert (row["why"], row["waited_in"]) == ("end of step", "cudaDeviceSynchronize")


def test_between_steps_that_were_launched_ahead_it_is_a_dependency() -> None:
    """A CPU that is a step ahead does not make the GPU wait at the end of a step."""
    row = gap(
        note("ProfilerStep#1", 0, 10),
        note("ProfilerStep#2", 10, 300),
        call("cudaLaunchKernel", 20, 30, 2),
        work("b", 140, 150, correlation=2),
    )
    assert row["why"] == "dependency"


def test_without_the_call_the_cause_is_unknown() -> None:
    """What was launched before the profile began says nothing about why."""
    row = gap(work("b", 140, 150, correlation=77))
    assert (row["why"], row["launch_ts"], row["launch_name"]) == (None, None, None)


def test_only_times_without_any_work_are_gaps() -> None:
    """Another stream or an overlapping kernel fills what looks like a gap; longest come first."""
    events = [
        work("a", 0, 10),
        work("long", 5, 30, stream=8),
        work("a", 20, 40),
        work("a", 41, 50),
        work("zero", 60, 60),
        copy("Memset (Device)", 70, 75),
        work("ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)", 75, 80),
        work("a", 110, 115),
    ]
    rows = [(r["ts"], r["dur"], r["before"], r["after"]) for r in ask("gaps", events)]
    assert rows == [
        (80, 30, "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)", "a"),
        (50, 10, "a", "zero"),
        (60, 10, "zero", "Memset (Device)"),
        (40, 1, "a", "a"),
    ]


def test_several_that_end_or_start_together_are_one_gap() -> None:
    """A gap has one row; of several kernels the one on the lowest stream is named."""
    events = [
        work("x", 0, 10, stream=9),
        work("y", 0, 10, stream=8),
        work("z", 20, 30, stream=9),
        work("w", 20, 30, stream=7),
    ]
    rows = [(r["before"], r["after"], r["after_stream"]) for r in ask("gaps", events)]
    assert rows == [("y", "w", 7)]


def test_each_device_has_its_gaps() -> None:
    """Work of one device ends no gap of another."""
    events = [work("a", 0, 10), work("b", 12, 14, device=1), work("a", 20, 30)]
    assert [(r["device"], r["ts"], r["dur"]) for r in ask("gaps", events)] == [(0, 10, 10)]
