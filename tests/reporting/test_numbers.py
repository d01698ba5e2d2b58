"""What is added up, chosen and left out on the way from rows to figures."""

from __future__ import annotations

from typing import Any

from tests.support.page_text import answers, column
from tp_tools.reporting import (
    bandwidth,
    collectives,
    kernels,
    overview,
    steps,
    stragglers,
)
from tp_tools.reporting import (
    gaps as idle,
)
from tp_tools.reporting import (
    gpu_time as gpu,
)


def gpu_time(rank: int | None, **more: int) -> dict[str, Any]:
    """A row of gpu_time; times in ns."""
    row: dict[str, Any] = {
        "rank": rank,
        "device": 0,
        "ts": 100,
        "span_ns": 1000,
        "compute_ns": 0,
        "communication_ns": 0,
        "exposed_communication_ns": 0,
        "exposed_copy_ns": 0,
        "idle_ns": 0,
        "busy_percent": 0.0,
    }
    return {**row, **more}


def kernel(rank: int, name: str, total: int, kind: str = "compute") -> dict[str, Any]:
    """A row of kernels."""
    return {
        "rank": rank,
        "name": name,
        "kind": kind,
        "count": 2,
        "total_ns": total,
        "max_ns": total - 1,
    }


def part(collective: int, rank: int, arrival: int, confidence: str = "tested") -> dict[str, Any]:
    """A row of collectives_by_rank."""
    return {
        "collective": collective,
        "kind": "all_reduce",
        "seq": None,
        "process_group": None,
        "confidence": confidence,
        "step": None,
        "rank": rank,
        "arrival": arrival,
    }


def reduced(length: int | None, busbw: float | None, confidence: str, ranks: int) -> dict[str, Any]:
    """A row of allreduce; two ranks take part."""
    return {
        "kind": "all_reduce",
        "bytes": length,
        "busbw": busbw,
        "confidence": confidence,
        "ranks": ranks,
        "ranks_expected": 2,
    }


def step(rank: int, name: str, ts: int, dur: int, **more: int | None) -> dict[str, Any]:
    """A row of steps."""
    row = {"rank": rank, "name": name, "ts": ts, "dur": dur, "busy_ns": 0, "gpu_dur": None}
    return {**row, **more}


def test_communication_is_hidden_where_compute_ran() -> None:
    """Its hidden part is taken from compute, so that the bar is as long as the span."""
    row = gpu_time(
        0,
        compute_ns=600,
        communication_ns=500,
        exposed_communication_ns=200,
        exposed_copy_ns=50,
        idle_ns=150,
    )
    found = gpu.time(*answers(gpu_time=[row], streams=[_stream()], copies=[]))
    table = found.figures[0].table
    assert table is not None
    parts = [column(table, key)[0] for key, _, _ in gpu.SPLIT]
    assert parts == [300, 300, 200, 50, 150]
    assert sum(parts) == row["span_ns"]


def _stream() -> dict[str, Any]:
    keys = ("rank", "device", "stream", "events", "collectives", "busy_ns", "overlap_ns")
    return dict.fromkeys(keys, 0)


def test_gpus_of_one_rank_are_told_apart() -> None:
    """A rank that uses two GPUs has a bar for each, with the GPU's number."""
    rows = [gpu_time(0), gpu_time(0, device=1), gpu_time(1)]
    _, labels = answers(2, gpu_time=rows)
    assert [labels.gpu(row["rank"], row["device"]) for row in rows] == [
        "rank 0, GPU 0",
        "rank 0, GPU 1",
        "rank 1",
    ]


def test_a_kernel_counts_on_all_ranks() -> None:
    """Times add up over ranks; a rank that never ran it has the least: nothing."""
    rows = [kernel(0, "a", 70), kernel(0, "b", 30), kernel(1, "a", 100)]
    (figure,) = kernels.kernels(*answers(2, kernels=rows)).figures
    table = figure.table
    assert table is not None
    assert column(table, "name") == ["a", "b"]
    assert column(table, "total_ns") == [170, 30]
    assert column(table, "share") == [85.0, 15.0]
    assert column(table, "least_ns") == [70, 0]
    assert column(table, "most_rank") == ["rank 1", "rank 0"]


def test_the_rest_of_the_kernels_is_counted() -> None:
    """Twenty are shown, the longest, and it is said how many are not."""
    rows = [kernel(0, f"k{number}", 1000 + number) for number in range(33)]
    (figure,) = kernels.kernels(*answers(kernels=rows)).figures
    assert figure.table is not None
    assert column(figure.table, "name")[:2] == ["k32", "k31"]
    assert len(figure.table.rows) == 20
    assert figure.table.rest == "And 13 names more."


def test_gaps_are_split_into_their_parts() -> None:
    """A gap of 30 ns without a launch is not known; one of 10 ns waits for 6 and is busy for 4."""
    gap = {"rank": 0, "device": 0, "before": "a", "after": "b"}
    gap |= dict.fromkeys(("waited_in", "cpu_op", "python_line"))
    gap |= dict.fromkeys((key for _, key, _, _ in idle.CAUSES.values()), 0)
    gaps = [
        {**gap, "ts": 150, "dur": 30, "why": None, "unknown_ns": 30},
        {**gap, "ts": 300, "dur": 10, "why": "sync", "wait_ns": 6, "cpu_ns": 4},
    ]
    causes, longest = idle.gaps(*answers(gpu_time=[gpu_time(0)], gaps=gaps)).figures
    assert causes.table is not None
    assert longest.table is not None
    assert column(causes.table, "not known") == [30]
    assert column(causes.table, "sync") == [6]
    assert column(causes.table, "cpu") == [4]
    assert column(longest.table, "why") == [None, "sync"]
    assert column(longest.table, "at_ns") == [50, 200]


def test_uncertain_matches_are_left_out_and_counted() -> None:
    """No skew is told of ranks that may have been in different collectives."""
    rows = [
        part(1, 0, 100),
        part(1, 1, 350),
        part(2, 0, 0, "uncertain"),
        part(2, 1, 9e9, "uncertain"),
    ]
    found, labels = answers(2, collectives_by_rank=rows)
    figure = collectives._late(collectives._collectives(found), labels, ())
    assert figure.table is not None
    assert column(figure.table, "collective") == [1]
    assert column(figure.table, "skew_us") == [0.25]
    assert column(figure.table, "straggler") == ["rank 1"]
    assert figure.notes == ["Left out: 1 collective with an uncertain match."]


def test_of_equals_the_lowest_rank_came_last() -> None:
    """Ranks that arrive in one nanosecond are told as SQL tells them."""
    rows = [part(1, rank, 100 * (rank > 0)) for rank in range(3)]
    found, labels = answers(3, collectives_by_rank=rows)
    figure = collectives._late(collectives._collectives(found), labels, ())
    assert figure.table is not None
    assert column(figure.table, "straggler") == ["rank 1"]


def test_of_too_many_collectives_the_worst_are_drawn() -> None:
    """The plot keeps those with the largest skew, in the order of time, and says so."""
    count = collectives.MOST_COLLECTIVES + 5
    rows = [
        row
        for number in range(count)
        for row in (part(number, 0, 10_000 * number), part(number, 1, 10_000 * number + number))
    ]
    found, labels = answers(2, collectives_by_rank=rows)
    figure = collectives._late(collectives._collectives(found), labels, ())
    assert figure.plot is not None
    drawn = [int(title.partition(":")[0]) for title in figure.plot["data"][0]["x"]]
    assert drawn == list(range(5, count))
    assert figure.notes == ["The plot has the 900 with the largest skew, of 905."]


def test_bandwidths_that_are_not_known_are_counted() -> None:
    """Unknown sizes and uncertain matches are in no median; missing ranks stand apart."""
    rows = [
        reduced(1000, 4.0, "certain", 2),
        reduced(1000, 8.0, "tested", 2),
        reduced(1000, 1.0, "alone", 1),
        reduced(1000, 99.0, "uncertain", 2),
        reduced(None, None, "certain", 2),
    ]
    (figure,) = bandwidth.bandwidth(answers(2, allreduce=rows)[0])
    assert figure.table is not None
    assert column(figure.table, "median_busbw") == [1.0, 6.0]
    assert column(figure.table, "ranks_in_trace") == ["some missing", "all"]
    assert figure.notes[:2] == [
        "Left out: 1 collective with an uncertain match.",
        "Left out: 1 collective of unknown size.",
    ]


def test_nobody_is_blamed_on_uncertain_matches() -> None:
    """Where all that ranks share is uncertain, there is a sentence and no plot."""
    row = {"rank": 0, **{it.key: None for it in stragglers._COLUMNS[1:]}}
    figure = stragglers.stragglers(
        *answers(2, stragglers=[{**row, "collectives": 0, "uncertain": 7}])
    )
    assert figure.plot is None
    assert figure.says.startswith("No two ranks share a collective whose match is sure (7 matches")


def test_a_step_on_two_gpus_is_one_step() -> None:
    """It has a row per GPU; its time counts once, its work on both."""
    rows = [
        step(0, "ProfilerStep#7", 10, 100, busy_ns=30, gpu_dur=60, device=0),
        step(0, "ProfilerStep#7", 10, 100, busy_ns=20, gpu_dur=40, device=1),
        step(1, "ProfilerStep#6", 5, 90, device=None),
        step(1, "ProfilerStep#7", 15, 300, device=None),
    ]
    (figure,) = steps.steps(*answers(2, steps=rows)).figures
    table = figure.table
    assert table is not None
    assert column(table, "name") == ["ProfilerStep#6", "ProfilerStep#7"]
    assert column(table, "median_ns") == [90, 200]
    assert column(table, "longest_rank") == ["rank 1", "rank 1"]
    assert column(table, "gpu_busy_percent") == [None, 50.0]


def test_annotations_of_one_name_are_steps_of_their_own() -> None:
    """Engines call every round the same: the first of one rank goes with the first of another."""
    rows = [step(rank, "decode", 100 * turn, 10 + turn) for rank in (0, 1) for turn in range(3)]
    (figure,) = steps.steps(*answers(2, steps=rows)).figures
    assert figure.table is not None
    assert column(figure.table, "ranks") == [2, 2, 2]
    assert column(figure.table, "longest_ns") == [10, 11, 12]


def test_many_ranks_are_three_lines() -> None:
    """Instead of a tangle: the longest, the median and the shortest of each step."""
    rows = [step(rank, f"ProfilerStep#{n}", n, 100 + rank) for rank in range(9) for n in range(2)]
    (figure,) = steps.steps(*answers(9, steps=rows)).figures
    assert figure.plot is not None
    assert [it["y"] for it in figure.plot["data"]] == [[108, 108], [104, 104], [100, 100]]


def test_missing_ranks_are_listed_in_ranges() -> None:
    """126 numbers would fill the page."""
    assert overview._listed([0, 2, 3, 4, 9, 10]) == "0, 2-4, 9-10"
