"""Figures sum, choose and leave out rows of queries as they say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from tests.support.page_text import column, placed, report_data
from tp_tools.reporting import (
    bandwidth,
    collective,
    collectives,
    families,
    gaps,
    gpu_time,
    kernels,
    overview,
    steps,
    stragglers,
)
from tp_tools.reporting.places import Places


def gpu_row(rank: int | None, **more: int) -> dict[str, Any]:
    """Make a row of gpu_time; times in ns."""
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


def kernel_row(rank: int, name: str, total: int, kind: str = "compute") -> dict[str, Any]:
    """Make a row of kernels."""
    return {
        "rank": rank,
        "name": name,
        "kind": kind,
        "count": 2,
        "total_ns": total,
        "max_ns": total - 1,
        "id": 7,
    }


def arrival_row(
    collective: int, rank: int, arrival: int, confidence: str = "tested"
) -> dict[str, Any]:
    """Make a row of collectives_by_rank."""
    return {
        "collective": collective,
        "kind": "all_reduce",
        "seq": None,
        "process_group": None,
        "confidence": confidence,
        "step": None,
        "rank": rank,
        "device": 0,
        "arrival": arrival,
    }


def allreduce_row(
    length: int | None, busbw: float | None, confidence: str, ranks: int
) -> dict[str, Any]:
    """Make a row of allreduce in which two ranks take part."""
    return {
        "kind": "all_reduce",
        "bytes": length,
        "busbw": busbw,
        "confidence": confidence,
        "ranks": ranks,
        "ranks_expected": 2,
    }


def step_row(
    rank: int, name: str, ts: int, dur: int | None, **more: int | str | None
) -> dict[str, Any]:
    """Make a row of steps."""
    times = {"ts": ts, "dur": dur, "busy_ns": 0, "gpu_dur": None}
    row = {"rank": rank, "name": name, "rule": "ProfilerStep", **times}
    return {**row, **more}


def test_hidden_communication_is_taken_from_compute() -> None:
    """The parts of a bar add up to the span of the GPU."""
    row = gpu_row(
        0,
        compute_ns=600,
        communication_ns=500,
        exposed_communication_ns=200,
        exposed_copy_ns=50,
        idle_ns=150,
    )
    section = gpu_time.section(*report_data(gpu_time=[row], streams=[_stream_row()], copies=[]))
    table = section.figures[0].table
    assert table is not None
    used = ("compute_alone", "hidden_communication", "unsplit", "exposed_copy", "idle")
    parts = [column(table, f"{key}_ns")[0] for key in used]
    assert parts == [300, 300, 200, 50, 150]
    assert sum(parts) == row["span_ns"]


def test_exposed_communication_is_split_where_other_ranks_are_known() -> None:
    """What verdict calls waiting is taken from it; a rank without shared collectives has none."""
    row = {"span_ns": 500, "communication_ns": 500, "exposed_communication_ns": 500}
    verdicts = [
        {"rank": 0, "device": 0, "part": "all", "waiting_ns": 300, "waiting_percent": 60.0},
        {"rank": 1, "device": 0, "part": "all", "waiting_ns": 501, "waiting_percent": 100.2},
        {"rank": 2, "device": 0, "part": "all", "waiting_ns": 0, "waiting_percent": None},
    ]
    rows = [gpu_row(rank, **row) for rank in range(3)]
    data = report_data(3, gpu_time=rows, streams=[_stream_row()], copies=[], verdict=verdicts)
    figure = gpu_time.section(*data).figures[0]
    assert figure.table is not None
    assert column(figure.table, "waiting_ns") == [300, 500, 0]
    assert column(figure.table, "wire_ns") == [200, 0, 0]
    assert column(figure.table, "unsplit_ns") == [0, 0, 500]
    assert figure.notes[0].startswith("Of 1 GPU it is not known")


def test_ranks_without_a_trace_may_be_waited_for() -> None:
    """Then what is not waiting for a known rank is not called the wire alone."""
    data, _ = report_data(2, verdict=[{"rank": 0, "device": 0, **_WAITS}])
    assert gpu_time.wire_name(data) == gpu_time.ON_THE_WIRE
    partial = replace(data, merge={"missing_ranks": [2], "ranks": []})
    assert gpu_time.wire_name(partial) == gpu_time.WIRE_OR_MISSING
    info: Any = SimpleNamespace(
        metadata=SimpleNamespace(world_size=2), inventory=SimpleNamespace(merged=[])
    )
    one = replace(data, members=[replace(data.members[0], info=info)])
    assert gpu_time.wire_name(one) == gpu_time.WIRE_OR_MISSING


_WAITS = {"part": "all", "waiting_ns": 0, "waiting_percent": 0.0}


def test_speeds_of_copies_keep_their_digits() -> None:
    """The query rounds to 1 MB/s; the page does not call 412 kB/s 0."""

    def speed(size: int, time_ns: int, mean: float | None) -> object:
        keys = ("rank", "name", "count", "bytes", "total_ns", "mean_gbps")
        copies = [dict(zip(keys, (0, "copy", 1, size, time_ns, mean), strict=True))]
        data = report_data(gpu_time=[gpu_row(0)], streams=[_stream_row()], copies=copies)
        table = gpu_time.section(*data).figures[2].table
        return column(table, "mean_gbps")[0]

    assert speed(1, 2425, 0.0) == 1 / 2425
    assert speed(100, 10, 4.0) == 4.0  # some copies do not say their bytes
    assert speed(1, 10, None) is None


def _stream_row() -> dict[str, Any]:
    keys = ("rank", "device", "stream", "events", "collectives", "busy_ns", "overlap_ns")
    return dict.fromkeys(keys, 0)


def test_gpus_of_one_rank_have_names_of_their_own() -> None:
    """A rank with two GPUs has a bar for each, named with the GPU's number."""
    rows = [gpu_row(0), gpu_row(0, device=1), gpu_row(1)]
    _, labels = report_data(2, gpu_time=rows)
    assert [labels.gpu(row["rank"], row["device"]) for row in rows] == [
        "rank 0, GPU 0",
        "rank 0, GPU 1",
        "rank 1",
    ]


def test_kernels_are_summed_over_ranks() -> None:
    """A rank that never ran a kernel has the least time: 0."""
    rows = [kernel_row(0, "a", 70), kernel_row(0, "b", 30), kernel_row(1, "a", 100)]
    (figure,) = kernels.section(*placed(2, kernels=rows)).figures
    table = figure.table
    assert table is not None
    assert list(map(str, column(table, "name"))) == ["a", "b"]
    assert column(table, "total_ns") == [170, 30]
    assert column(table, "share") == [85.0, 15.0]
    assert column(table, "least_ns") == [70, 0]
    assert column(table, "most_rank") == ["rank 1", "rank 0"]


def test_families_are_summed_over_ranks() -> None:
    """Families add up over ranks; the largest kernel is that of the rank where it took longest."""

    def row(rank: int, family: str, total: int, top: str) -> dict[str, Any]:
        values = {"count": 2, "total_ns": total, "top_name": top, "top_ns": total - 5}
        return {"rank": rank, "family": family, **values}

    rows = [row(0, "gemm", 20, "a"), row(0, "norm", 40, "n"), row(1, "gemm", 40, "b")]
    section = families.section(*report_data(2, kernel_families=rows))
    table = section.figures[0].table
    assert table is not None
    assert column(table, "family") == ["gemm", "norm"]
    assert column(table, "total_ns") == [60, 40]
    assert column(table, "share") == [60.0, 40.0]
    assert [str(name) for name in column(table, "top_name")] == ["b", "n"]
    assert families.section(*report_data(kernel_families=[row(0, "copy", 0, "m")])).is_empty


def test_the_longest_of_a_kernel_can_be_seen() -> None:
    """The command opens the file of the rank where it ran, at its slice."""
    rows = [kernel_row(0, "a", 70), kernel_row(1, "a", 100) | {"id": 12}]
    (figure,) = kernels.section(*placed(2, kernels=rows)).figures
    assert figure.table is not None
    assert column(figure.table, "view") == ["tp-tools view rank1.json --at 12"]


def test_omitted_kernels_are_counted() -> None:
    """The table has a hundred with the most time, the chart twenty; the others are counted."""
    rows = [kernel_row(0, f"k{number}", 1000 + number) for number in range(133)]
    (figure,) = kernels.section(*placed(kernels=rows)).figures
    assert figure.table is not None
    assert list(map(str, column(figure.table, "name")[:2])) == ["k132", "k131"]
    assert len(figure.table.rows) == 100
    assert figure.bars is not None
    assert len(figure.bars.bars) == 20
    assert figure.table.omitted == "And 33 names more."


def test_gaps_are_split_into_their_parts() -> None:
    """A gap of 30 ns without a launch is not known; one of 10 ns waits for 6 and is busy for 4."""
    gap = {"rank": 0, "device": 0, "id": 9, "before": "a", "after": "b"}
    gap |= dict.fromkeys(("waited_in", "cpu_op", "python_line"))
    gap |= dict.fromkeys((key for _, key, _, _ in gaps.CAUSES.values()), 0)
    rows = [
        {**gap, "ts": 150, "dur": 30, "why": None, "unknown_ns": 30},
        {**gap, "ts": 300, "dur": 10, "why": "sync", "wait_ns": 6, "cpu_ns": 4},
    ]
    causes, longest = gaps.section(*placed(gpu_time=[gpu_row(0)], gaps=rows)).figures
    assert causes.table is not None
    assert longest.table is not None
    assert column(causes.table, "not known") == [30]
    assert column(causes.table, "sync") == [6]
    assert column(causes.table, "cpu") == [4]
    assert column(longest.table, "why") == [None, "sync"]
    assert column(longest.table, "at_ns") == [50, 200]
    assert column(longest.table, "view") == ["tp-tools view rank0.json --at 9"] * 2
    assert "each in the colour of its cause" in longest.text
    (_, alone) = gaps.section(*placed(gpu_time=[gpu_row(0)], gaps=rows[1:])).figures
    assert "all of the cause sync" in alone.text  # the bars have no legend then


def test_uncertain_matches_are_left_out_and_counted() -> None:
    """Ranks that may have been in different collectives have no skew."""
    rows = [
        arrival_row(1, 0, 100),
        arrival_row(1, 1, 350),
        arrival_row(2, 0, 0, "uncertain"),
        arrival_row(2, 1, 9e9, "uncertain"),
    ]
    data, labels = report_data(2, collectives_by_rank=rows)
    figure = collectives._lateness_figure(collective.collectives_of(data), labels, Places(data), ())
    assert figure.table is not None
    assert column(figure.table, "collective") == [1]
    assert column(figure.table, "skew_us") == [0.25]
    assert column(figure.table, "straggler") == ["rank 1"]
    assert figure.notes == ["Left out: 1 collective with an uncertain match."]


def test_the_lowest_of_equal_ranks_came_last() -> None:
    """Of ranks that arrive in the same nanosecond the straggler is the one that SQL names."""
    rows = [arrival_row(1, rank, 100 * (rank > 0)) for rank in range(3)]
    data, labels = report_data(3, collectives_by_rank=rows)
    figure = collectives._lateness_figure(collective.collectives_of(data), labels, Places(data), ())
    assert figure.table is not None
    assert column(figure.table, "straggler") == ["rank 1"]


def test_the_plot_keeps_the_largest_skews() -> None:
    """Of too many collectives those with the largest skew are plotted, in the order of time."""
    count = collectives.MAX_COLLECTIVES + 5
    rows = [
        row
        for number in range(count)
        for row in (
            arrival_row(number, 0, 10_000 * number),
            arrival_row(number, 1, 10_000 * number + number),
        )
    ]
    data, labels = report_data(2, collectives_by_rank=rows)
    figure = collectives._lateness_figure(collective.collectives_of(data), labels, Places(data), ())
    assert figure.plot is not None
    drawn = [int(title.partition(":")[0]) for title in figure.plot["data"][0]["x"]]
    assert drawn == list(range(5, count))
    assert figure.notes == ["The plot has the 900 with the largest skew, of 905."]


def test_unknown_bandwidths_are_counted() -> None:
    """Medians exclude unknown sizes and uncertain matches; missing ranks are a group apart."""
    rows = [
        allreduce_row(1000, 4.0, "certain", 2),
        allreduce_row(1000, 8.0, "tested", 2),
        allreduce_row(1000, 1.0, "alone", 1),
        allreduce_row(1000, 99.0, "uncertain", 2),
        allreduce_row(None, None, "certain", 2),
    ]
    (figure,) = bandwidth.figures(report_data(2, allreduce=rows)[0])
    assert figure.table is not None
    assert column(figure.table, "median_busbw") == [1.0, 6.0]
    assert column(figure.table, "ranks_in_trace") == ["some missing", "all"]
    assert figure.plot is not None
    assert figure.notes[:2] == [
        "Left out: 1 collective with an uncertain match.",
        "Left out: 1 collective of unknown size.",
    ]


def test_uncertain_matches_have_no_straggler() -> None:
    """If all shared collectives are uncertain, the figure is a sentence without a plot."""
    row = {"rank": 0, **{column.key: None for column in stragglers._COLUMNS[1:]}}
    figure = stragglers.figure(
        *report_data(2, stragglers=[{**row, "collectives": 0, "uncertain": 7}])
    )
    assert figure.plot is None
    assert figure.text.startswith("no two ranks share a collective whose match is sure (7 matches")


def test_a_step_on_two_gpus_is_one_step() -> None:
    """A step has a row per GPU; its duration counts once, its work on both."""
    rows = [
        step_row(0, "ProfilerStep#7", 10, 100, busy_ns=30, gpu_dur=60, device=0),
        step_row(0, "ProfilerStep#7", 10, 100, busy_ns=20, gpu_dur=40, device=1),
        step_row(1, "ProfilerStep#6", 5, 90, device=None),
        step_row(1, "ProfilerStep#7", 15, 300, device=None),
    ]
    (figure,) = steps.section(*report_data(2, steps=rows)).figures
    table = figure.table
    assert table is not None
    assert column(table, "name") == ["ProfilerStep#6", "ProfilerStep#7"]
    assert column(table, "median_ns") == [90, 200]
    assert column(table, "longest_rank") == ["rank 1", "rank 1"]
    assert column(table, "gpu_busy_percent") == [None, 50.0]


def test_texts_tell_of_what_is_drawn() -> None:
    """One step, or one size of messages, is no plot: the text speaks of no line and no point."""
    (step,) = steps.section(*report_data(2, steps=[step_row(0, "a", 1, 9)])).figures
    rows = [allreduce_row(1000, 4.0, "alone", 1)]
    (one,) = bandwidth.figures(report_data(2, allreduce=rows)[0])
    assert step.plot is None
    assert "line" not in step.text
    assert one.plot is None
    assert "point" not in f"{one.text} {one.notes}"


def test_annotations_of_one_name_are_matched_by_order() -> None:
    """Engines give all rounds one name; the first round of a rank matches the first of another."""
    rows = [step_row(rank, "decode", 100 * turn, 10 + turn) for rank in (0, 1) for turn in range(3)]
    (figure,) = steps.section(*report_data(2, steps=rows)).figures
    assert figure.table is not None
    assert column(figure.table, "ranks") == [2, 2, 2]
    assert column(figure.table, "longest_ns") == [10, 11, 12]


def test_steps_that_repeat_say_so_and_the_last_has_no_duration() -> None:
    """Where nothing marks steps the text says what they are; the last is not drawn."""
    rows = [
        step_row(0, f"repetition {turn}", 100 * turn, dur, rule="repetition")
        for turn, dur in enumerate((100, 100, None))
    ]
    section = steps.section(*report_data(2, steps=rows))
    assert "Nothing marks them" in section.text
    (figure,) = section.figures
    assert figure.table is not None
    assert column(figure.table, "name") == ["repetition 0", "repetition 1"]


def test_many_ranks_have_three_lines() -> None:
    """Above eight ranks the lines are longest, median and shortest."""
    rows = [
        step_row(rank, f"ProfilerStep#{n}", n, 100 + rank) for rank in range(9) for n in range(2)
    ]
    (figure,) = steps.section(*report_data(9, steps=rows)).figures
    assert figure.plot is not None
    assert [line["y"] for line in figure.plot["data"]] == [[108, 108], [104, 104], [100, 100]]


def test_missing_ranks_are_listed_in_ranges() -> None:
    """Consecutive numbers are written as first-last."""
    assert overview._format_ranges([0, 2, 3, 4, 9, 10]) == "0, 2-4, 9-10"
