"""Every breakdown adds up to its whole, on every recorded trace and on made ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from tests.support.gpu_strategies import gpu_events
from tests.support.gpu_traces import Event, Row, answer
from tests.support.handmade import text
from tests.support.strategies import LOADING
from tp_tools.engine import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.recorded import LoadedRecording

    Answer = Callable[[str], list[Row]]

TRACES = [
    "alexnet_whole_us",
    "b200_vllm_tp8_rank0",
    "critical_path_overlay",
    "dlrm8_v100/worker3_step_12.1694128201557.pt.trace",
    "epoch_decimals_rank0.cut",
    "h100_qwen15_chat",
    "llama2_pcie/rank0",
    "mi210_gpu_only",
    "mi250_toy",
    "mi300_resnet_ddp8_rank0.cut1500",
    "mi300_xdit_sd35_rank0.cut3000",
    "nccl_args_rank0.cut",
    "resnet50_2021.cut1500",
    "sglang_qwen3_decode",
    "text_tids_2021",
    "train128_rank0",
    "train128_rank1",
    "vllm_decode_graph",
    "vllm_piecewise_graph_execution",
]


@pytest.fixture(scope="module", params=TRACES)
def recorded(
    request: pytest.FixtureRequest,
    real_trace: Callable[[str], Path],
    loaded_recording: LoadedRecording,
) -> Answer:
    """Gives the rows of a query on each trace in turn, repaired."""
    path = real_trace(f"{request.param}.json.gz")
    return lambda query: loaded_recording.rows(path, query)


def total(rows: list[dict[str, Any]], column: str) -> int:
    """The sum of a column."""
    return sum(row[column] for row in rows)


def by_module(rows: list[dict[str, Any]], column: str) -> Counter[tuple[str | None, str | None]]:
    """The sum of a column by path of modules, or reason, where it is not 0."""
    found = Counter[tuple[str | None, str | None]]()
    for row in rows:
        found[row["path"], row["reason"]] += row[column]
    return +found


def test_gpu_time_by_op_and_by_kernel(recorded: Answer) -> None:
    """GPU time by op, with the rows without op, adds up to all GPU work; so does time by stream."""
    kernels, ops = recorded("kernels"), recorded("ops")
    assert total(kernels, "total_ns") == total(ops, "self_gpu_ns") > 0
    assert total(kernels, "total_ns") == total(recorded("streams"), "total_ns")
    families = recorded("kernel_families")
    assert total(families, "total_ns") == total(kernels, "total_ns")
    assert total(families, "count") == total(kernels, "count")
    assert total(families, "names") == len(kernels)
    modules = recorded("modules")
    assert total(modules, "self_gpu_ns") == total(kernels, "total_ns")
    assert all(row["gpu_ns"] >= max(row["self_gpu_ns"], row["backward_gpu_ns"]) for row in modules)
    by_op = recorded("module_ops")
    assert by_module(by_op, "gpu_ns") == by_module(modules, "self_gpu_ns")
    assert by_module(by_op, "backward_gpu_ns") == by_module(modules, "self_backward_gpu_ns")
    lines = recorded("python_lines")
    assert total(lines, "self_gpu_ns") == total(kernels, "total_ns")
    assert all(row["gpu_ns"] >= max(row["self_gpu_ns"], row["backward_gpu_ns"]) for row in lines)
    outer = [row for row in modules if row["depth"] in (None, 1)]
    assert total(outer, "gpu_ns") == total(kernels, "total_ns")
    own = {row["name"]: row["gpu_ns"] >= row["self_gpu_ns"] for row in ops}
    assert all(own.values())
    reasons = Counter(row["reason"] for row in ops if row["name"] is None)
    assert set(reasons) <= {"graph replay", "outside ops", "launch not recorded"}
    assert max(reasons.values(), default=1) == 1


def test_gpu_time_by_kind(recorded: Answer) -> None:
    """Copies and collectives have queries of their own, with the time that `kernels` gives them."""
    kinds: dict[str, int] = defaultdict(int)
    for row in recorded("kernels"):
        kinds[row["kind"]] += row["total_ns"]
    assert total(recorded("copies"), "total_ns") == kinds["copy"]
    communication = [it for it in recorded("kernel_families") if it["family"] == "communication"]
    assert total(communication, "total_ns") == kinds["collective"]
    assert sum(it["dur"] for it in recorded("collectives")) == kinds["collective"]


def test_gpu_time_by_step_and_module(recorded: Answer) -> None:
    """Of each module in each step, with that of no module and of no step: all GPU work."""
    modules = recorded("step_modules")
    assert total(modules, "total_ns") == total(recorded("kernels"), "total_ns")
    assert total(modules, "count") == total(recorded("kernels"), "count")


def test_occupancy_of_kernels(recorded: Answer) -> None:
    """Kernels add up to those of `kernels`; parts of their time are no more than it."""
    rows = recorded("occupancy")
    kernels = [row for row in recorded("kernels") if row["kind"] != "copy"]
    assert total(rows, "total_ns") == total(kernels, "total_ns")
    for row in rows:
        assert 0 <= row["known_ns"] <= row["total_ns"]
        assert 0 <= (row["underfilled_ns"] or 0) <= row["total_ns"]
        assert 0 <= (row["empty_ns"] or 0) <= (row["underfilled_ns"] or 0)
        assert 0 <= (row["occupancy_percent"] or 0) <= 100


def test_work_of_ops_by_shape(recorded: Answer) -> None:
    """GPU time adds up; what is known has no reason; nothing is known without a formula."""
    rows = recorded("roofline")
    assert total(rows, "gpu_ns") == total(recorded("kernels"), "total_ns")
    assert total(rows, "gpu_events") == total(recorded("kernels"), "count")
    for row in rows:
        known = row["flops"] is not None and row["bytes"] is not None
        assert known == (row["reason"] is None)
        assert row["kind"] is not None or (row["flops"] is row["bytes"] is None)


def test_memory_at_the_peak(recorded: Answer) -> None:
    """What was allocated in the profile and before it is all; events lead from start to end."""
    rows, events = recorded("memory"), recorded("memory_timeline")
    for whole in (row for row in rows if row["part"] == "all"):
        device = (whole["device_type"], whole["device"])
        own = [row for row in rows if (row["device_type"], row["device"]) == device]
        assert total(own, "bytes") == 2 * whole["bytes"]
        assert min(row["bytes"] for row in own) >= 0
        of_it = [row for row in events if (row["device_type"], row["device"]) == device]
        highest = max(row["allocated_bytes"] for row in of_it)
        assert whole["bytes"] == max(highest, whole["start_bytes"])
        assert whole["allocations"] + whole["frees"] == len(of_it)
        if not whole["unexplained"]:
            assert whole["start_bytes"] + total(of_it, "bytes") == whole["end_bytes"]


def test_gpu_work_by_step(recorded: Answer) -> None:
    """Kernels, copies and collectives of steps and of none are all that ran."""
    steps = recorded("steps")
    if not steps:
        pytest.skip("it marks no steps")
    streams = recorded("streams")
    assert total(steps, "kernels") + total(steps, "copies") == total(streams, "events")
    assert total(steps, "collectives") == total(streams, "collectives")
    assert all(row["gpu_dur"] is None or row["busy_ns"] <= row["gpu_dur"] for row in steps)


def test_gpu_work_by_iteration(recorded: Answer) -> None:
    """Kernels, copies and collectives of iterations and of none are all; parts of time add up."""
    rows = recorded("phases")
    if not rows:
        pytest.skip("it has no iterations of an engine")
    streams = recorded("streams")
    assert total(rows, "kernels") + total(rows, "copies") == total(streams, "events")
    assert total(rows, "collectives") == total(streams, "collectives")
    parts = ("compute_ns", "exposed_communication_ns", "exposed_copy_ns")
    for row in rows:
        if row["device"] is not None:
            assert row["busy_ns"] == sum(row[part] for part in parts)
            assert row["gpu_dur"] == row["busy_ns"] + row["idle_ns"] >= row["busy_ns"]


def test_windows_of_steps(recorded: Answer) -> None:
    """They add up to the span of the device, and their parts to each of them."""
    windows = recorded("verdict")
    parts = ("compute", "communication", "waiting", "copy")
    idle = ("cpu", "sync", "dependency", "unknown")
    shares = ("gpu", "communication", "waiting", "copy", "cpu")
    for row in windows:
        assert row["dur"] == sum(row[f"{part}_ns"] for part in (*parts, *idle))
        known = sum(row[f"{share}_percent"] or 0 for share in shares)
        unknown = 100 * row["unknown_ns"] / max(row["dur"], 1)
        assert known + unknown == pytest.approx(100 if row["dur"] else 0, abs=0.01)
    for device in recorded("gpu_time"):
        own = [row for row in windows if row["device"] == device["device"]]
        (whole,) = [row for row in own if row["part"] == "all"]
        assert whole["dur"] == device["span_ns"]
        assert sum(whole[f"{part}_ns"] for part in idle) == device["idle_ns"]
        assert len(own) == 1 or total(own, "dur") == 2 * whole["dur"]


def test_waits_of_the_cpu(recorded: Answer) -> None:
    """The GPU idles for no longer than the CPU waits, and steps wait no longer than they last."""
    for row in recorded("syncs"):
        assert 0 <= row["gpu_idle_ns"] <= row["total_ns"] <= row["count"] * row["longest_ns"]
    for row in recorded("dataloader"):
        assert 0 <= row["gpu_idle_ns"] <= row["dataloader_ns"]
        assert row["dur"] is None or row["dataloader_ns"] <= row["dur"]


def test_bubbles(recorded: Answer) -> None:
    """Those of messages are those of their rank, within its span; without messages none is told."""
    spans = {row["device"]: row["span_ns"] for row in recorded("gpu_time")}
    rows = recorded("pipeline")
    for whole in (row for row in rows if row["part"] == "all"):
        own = [row for row in rows if row["device"] == whole["device"] and row["peer"] is not None]
        assert whole["dur"] == spans[whole["device"]]
        assert (whole["bubble_ns"] is None) == (whole["reason"] is not None)
        assert whole["bubble_ns"] is None or whole["bubble_ns"] == total(own, "bubble_ns")


def test_critical_paths(recorded: Answer) -> None:
    """Each is as long as the window of its step."""
    paths, windows = recorded("critical_path"), recorded("verdict")
    for part in {row["part"] for row in windows}:
        own = [row for row in windows if row["part"] == part]
        for number in {row["number"] for row in own}:
            path = [row for row in paths if (row["part"], row["number"]) == (part, number)]
            expected = total([row for row in own if row["number"] == number], "dur")
            assert total(path, "path_ns") == expected


def test_the_span_of_a_device(recorded: Answer) -> None:
    """It is busy or idle; gaps, and causes, are the idle time; kinds of busy time add up."""
    for device in recorded("gpu_time"):
        assert device["span_ns"] == device["busy_ns"] + device["idle_ns"]
        parts = ("compute_ns", "exposed_communication_ns", "exposed_copy_ns")
        assert device["busy_ns"] == sum(device[part] for part in parts)
        gaps = [row for row in recorded("gaps") if row["device"] == device["device"]]
        assert total(gaps, "dur") == device["idle_ns"]
        causes = [row for row in recorded("idle") if row["device"] == device["device"]]
        assert total(causes, "idle_ns") == device["idle_ns"]
        assert all(0 < row["longest_ns"] <= row["longest_dur"] for row in causes)


@LOADING
@given(gpu_events())
def test_made_breakdowns_add_up(made: list[Event]) -> None:
    """Each piece of work is of one op or of none, and of one step or of none."""
    with load([text(made)], source="trace.json", allow_loss=True) as tp:
        kernels, ops, steps = (answer(query, tp) for query in ("kernels", "ops", "steps"))
        for query in ("modules", "python_lines"):
            assert total(answer(query, tp), "self_gpu_ns") == total(kernels, "total_ns")
        launches = answer("launches", tp)
    assert total(ops, "self_gpu_ns") == total(kernels, "total_ns")
    if steps:
        assert total(steps, "kernels") + total(steps, "copies") == total(kernels, "count")
    assert all((row["queue_depth"] is None) == (row["launch_ts"] is None) for row in launches)
    assert all((row["queue_depth"] or 0) >= 0 for row in launches)
