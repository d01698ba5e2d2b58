"""Sections on what bounds the time, on waits of the CPU, and on phases."""

from __future__ import annotations

from typing import Any

from tests.support.page_text import column, report_data
from tp_tools.reporting import efficiency, memory, phases, verdict, waits


def window(rank: int, part: str, said: str | None, **parts: int) -> dict[str, Any]:
    """A row of `verdict`."""
    every = {key: parts.get(key.removesuffix("_ns"), 0) for key, _, _ in verdict.PARTS}
    about = {"rank": rank, "device": 0, "part": part, "verdict": said, "profiler": None}
    return {**about, "dur": sum(every.values()), **every}


def path(rank: int, kind: str, on_rank: int | None, share: float) -> dict[str, Any]:
    """A row of `critical_path`."""
    about = {"rank": rank, "device": 0, "part": "all", "kind": kind, "on_rank": on_rank}
    return {**about, "path_ns": 10, "path_percent": share, "mostly": "k"}


def test_the_verdict_of_each_gpu() -> None:
    """It is that of all its time; parts that no GPU has are not drawn."""
    rows = [
        window(0, "all", "CPU-bound", compute=20, cpu=60),
        window(0, "step", "GPU-bound", compute=20),
        window(1, "all", None, unknown=80),
    ]
    paths = [path(0, "cpu", 1, 99.95), path(0, "copy", None, 0.05)]
    section = verdict.section(*report_data(2, verdict=rows, critical_path=paths))
    bound, critical = section.shown
    assert bound.table is not None
    assert column(bound.table, "verdict") == ["CPU-bound", None]
    assert column(bound.table, "cpu_ns") == [60, 0]
    assert bound.bars is not None
    assert [name for name, _ in bound.bars.legend] == [
        "compute",
        "CPU busy or launching",
        "idle, not known why",
    ]
    assert critical.table is not None
    assert column(critical.table, "on_rank") == ["rank 1"]
    assert [name.short for name in column(critical.table, "mostly")] == ["before k"]
    assert critical.table.omitted == "And 1 row more, of at most 0.1 % each."


def test_no_rank_is_left_out_of_the_critical_paths() -> None:
    """Of too many rows the smallest are left out, not those of the last ranks; the order stays."""
    rows = [window(rank, "all", "CPU-bound", cpu=60) for rank in range(30)]
    paths = [
        {**path(rank, kind, rank, share), "path_ns": round(share)}
        for rank in range(30)
        for kind, share in (("cpu", 90.0), ("compute", 10.0))
    ]
    _, critical = verdict.section(*report_data(30, verdict=rows, critical_path=paths)).shown
    assert critical.table is not None
    kept = [row for row in critical.table.rows if row[1] == "cpu"]
    assert [row[2] for row in kept] == [f"rank {rank}" for rank in range(30)]
    assert len(critical.table.rows) == verdict.MAX_ROWS
    assert critical.table.omitted == "And 20 rows more, of at most 10.0 % each."


def test_pipeline_bubbles_have_a_figure_where_there_are_messages() -> None:
    """Where no rank has any, or none says with whom, it is left out."""
    rows = [window(0, "all", "GPU-bound", compute=20)]

    def figures(bubble: int | None) -> list[str]:
        about = {"rank": 0, "device": 0, "part": "all", "message": 3, "bubble_ns": bubble}
        bubbles = [{**about, "waiting_ns": None, "bubble_percent": None}]
        data = report_data(verdict=rows, critical_path=[path(0, "cpu", 0, 1)], pipeline=bubbles)
        return [figure.key for figure in verdict.section(*data).shown]

    assert figures(5) == ["gpu-verdict", "critical-path", "pipeline"]
    assert figures(None) == ["gpu-verdict", "critical-path"]


def test_nothing_is_bound_without_a_gpu() -> None:
    """The section is left out."""
    assert verdict.section(*report_data(verdict=[])).is_empty


def sync(rank: int, total: int, idle: int) -> dict[str, Any]:
    """A row of `syncs`."""
    about = {"rank": rank, "name": "cudaStreamSynchronize", "cpu_op": None, "python_line": None}
    return {**about, "count": 1, "total_ns": total, "gpu_idle_ns": idle}


def test_the_costliest_waits_are_first() -> None:
    """Those in which the GPU idled longest; twenty are shown, the others counted."""
    rows = [sync(0, 100, 1), sync(1, 50, 40), *(sync(0, 10, 0) for _ in range(20))]
    section = waits.section(*report_data(2, syncs=rows, dataloader=[]))
    (figure,) = section.shown
    assert figure.table is not None
    assert column(figure.table, "gpu_idle_ns")[:2] == [40, 1]
    assert len(figure.table.rows) == 20
    assert figure.table.omitted == "And 2 rows more."
    assert waits.section(*report_data(syncs=[], dataloader=[])).is_empty


def test_waiting_for_data_is_summed_over_steps() -> None:
    """The share is the median of steps; what is asked outside of steps is in the sums."""

    def row(step: str | None, ns: int, share: float | None) -> dict[str, Any]:
        about = {"rank": 0, "step": step, "count": 1, "dataloader_ns": ns}
        return {**about, "dataloader_percent": share, "gpu_idle_ns": 1}

    rows = [row("a", 10, 10.0), row("b", 30, 30.0), row(None, 5, None)]
    section = waits.section(*report_data(syncs=[], dataloader=rows))
    (figure,) = section.shown
    assert figure.table is not None
    assert list(figure.table.rows) == [("rank 0", 2, 3, 45, 20.0, 3)]


def test_medians_of_phases() -> None:
    """A row per phase, over its iterations; work of none is not shown."""

    def row(phase: str | None, name: str | None, ts: int, dur: int | None) -> dict[str, Any]:
        about = {"rank": 0, "phase": phase, "name": name, "ts": ts, "requests": 4}
        tokens = {"prefill_tokens": None, "decode_tokens": 4}
        times = {"dur": dur, "gpu_dur": dur, "busy_ns": dur, "exposed_communication_ns": 0}
        return {**about, **tokens, **times, "layers": 36, "layer_ns": None}

    rows = [row("decode", "s", ts, dur) for ts, dur in ((0, 10), (20, 30), (60, 11))]
    section = phases.section(*report_data(phases=[*rows, row(None, None, 0, None)]))
    (figure,) = section.shown
    assert figure.table is not None
    assert list(figure.table.rows) == [("rank 0", "decode", 3, 4, None, 4, 11, 11, 11, 0, 36, None)]
    assert phases.section(*report_data(phases=[row(None, None, 0, None)])).is_empty


def test_occupancy_is_shown_where_shapes_are_recorded() -> None:
    """The kernels with the most time first; what is not known says why."""

    def row(name: str, total: int, share: float | None, blocks: float | None) -> dict[str, Any]:
        shape = {"grid": "9 x 1 x 1", "block": "32 x 1 x 1", "underfilled_ns": 0}
        about = {"rank": 0, "name": name, "total_ns": total, "occupancy_percent": share}
        reason = "not computed" if share is None else None
        return {**about, "reason": reason, "blocks_per_sm": blocks, **shape}

    rows = [row("a", 5, 12.5, 3.0), row("b", 9, None, 4.0)]
    section = efficiency.section(*report_data(occupancy=rows, roofline=[]))
    table = section.shown[0].table
    assert table is not None
    assert [str(name) for name in column(table, "name")] == ["b", "a"]
    assert column(table, "reason") == ["not computed", ""]
    assert efficiency.section(
        *report_data(occupancy=[row("a", 5, None, None)], roofline=[])
    ).is_empty


def test_the_roofline_of_ops() -> None:
    """Ops with a formula, the most time first, and how much of the GPU's time they are."""

    def row(op: str, total: int, flops: int | None) -> dict[str, Any]:
        about = {"rank": 0, "op": op, "dims": "[4, 4]", "dtype": "bf16", "calls": 2}
        known = {"tflops": 1.5, "gbps": 9.0, "mfu_percent": 30.0, "bandwidth_percent": 4.0}
        rates = known if flops else dict.fromkeys(known)
        return {**about, "gpu_ns": total, "flops": flops, "bytes": flops, **rates, "bound": None}

    rows = [row("aten::cat", 25, None), row("aten::mm", 70, 5), row("aten::bmm", 5, 5)]
    section = efficiency.section(*report_data(roofline=rows, occupancy=[]))
    (figure,) = section.shown
    assert figure.table is not None
    assert column(figure.table, "op") == ["aten::mm", "aten::bmm"]
    assert "75.0 %" in figure.text
    only = report_data(roofline=[row("aten::cat", 25, None)], occupancy=[])
    assert efficiency.section(*only).is_empty


def test_memory_over_time_and_at_the_peak() -> None:
    """GPUs have a line and their largest blocks; the CPU's allocator is left out."""

    def part(kind: str, name: str, count: int, blocks: int | None) -> dict[str, Any]:
        about = {"device_type": kind, "rank": 0, "device": 0, "part": name, "bytes": count}
        what = {"block_bytes": 5, "cpu_op": "aten::mm", "python_line": None}
        rest = {"reserved_bytes": 90, "unfreed": 1, "unexplained": 0}
        return {**about, "blocks": blocks, **what, **rest}

    def at(ts: int, allocated: int) -> dict[str, Any]:
        about = {"device_type": "CUDA", "rank": 0, "device": 0, "ts": ts}
        return {**about, "allocated_bytes": allocated, "reserved_bytes": 90}

    rows = [
        part("CUDA", "all", 70, None),
        part("CUDA", "live", 10, 2),
        part("CUDA", "before", 60, None),
        part("CPU", "all", 8, None),
    ]
    data = report_data(memory=rows, memory_timeline=[at(1_000_000, 5), at(3_000_000, 70)])
    section = memory.section(*data)
    over_time, live = section.figures
    assert over_time.table is not None
    assert column(over_time.table, "bytes") == [70]
    assert over_time.plot is not None
    (drawn,) = over_time.plot["data"]
    assert list(drawn["x"]) == [0.0, 2.0]
    assert live.table is not None
    assert column(live.table, "bytes") == [60, 10]
    assert memory.section(*report_data(memory=[])).is_empty
    assert memory.section(*report_data(memory=rows[3:])).is_empty
