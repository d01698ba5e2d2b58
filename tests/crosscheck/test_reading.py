"""Kernels are read in the order of launch, from whatever profiler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fixtures import nsys as made
from fixtures.nsys import annotation, call, kernel
from tests.support.gpu_traces import PROCESS, THREAD, note, slice_of, work
from tests.support.gpu_traces import call as called
from tests.support.handmade import text
from tp_tools.crosscheck.reading import Answer, choose, read
from tp_tools.errors import InputError, UsageError
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.crosscheck.model import Recording


def of_kineto(tmp_path: Path, *events: dict[str, Any]) -> Recording:
    """What is read of a trace of Kineto."""
    path = tmp_path / "trace.json"
    path.write_bytes(text(events))
    return choose(answer(path), None, None)


def answer(path: Path, *, is_export: bool = False) -> Answer:
    """What a file says."""
    return read(str(path), is_export=is_export, engine_name=None, reporter=SILENT)


def test_launch_order_of_kineto(tmp_path: Path) -> None:
    """Calls give the order; a kernel without one stands behind that before it on its stream."""
    found = of_kineto(
        tmp_path,
        work("before", 1_000, 1_100),  # launched before the recording began
        called("cudaLaunchKernel", 1_010, 1_015, 1),
        called("cudaLaunchKernel", 1_020, 1_025, 2),
        called("cuLaunchKernelEx", 1_030, 1_035, 3),
        called("cudaMemcpyAsync", 1_040, 1_045, 4),
        work("second", 1_200, 1_300, correlation=2, stream=8),
        work("no call", 1_300, 1_400, stream=8),
        work("first", 1_900, 1_950, correlation=1),
    )
    assert found.names == ["before", "first", "second", "no call"]
    assert found.launched.tolist() == [1_000, 1_010, 1_020, 1_020]
    assert found.calls.tolist() == [1_030], "a call that launches a kernel, and none is there"


def test_what_identifies_a_kernel(tmp_path: Path) -> None:
    """Name without path and arguments, grid, block, registers, shared memory."""
    shape = {"grid": [2, 3, 1], "block": [64, 1, 1]}
    shape |= {"registers per thread": 40, "shared memory": 1536}
    name = "void at::native::gemm<4, std::array<char*, 3ul> >(int, float*)"
    found = of_kineto(tmp_path, work(name, 1_000, 1_100, **shape), work("plain", 1_200, 1_300))
    assert found.base_names == ["gemm", "plain"]
    assert found.shapes == [("2 x 3 x 1", "64 x 1 x 1", 40, 1536), (None, None, None, None)]


def test_an_export_gives_the_same(tmp_path: Path) -> None:
    """Its short name and its counter of launches are taken; calls and ranges likewise."""
    tables: made.Tables = {
        made.KERNEL: [kernel(5_000, 6_000, correlation=2), kernel(7_000, 8_000, correlation=1)],
        made.API: [call(1_000 * it, 1_000 * it + 500, correlation=it) for it in (1, 2, 3)],
        "NVTX_EVENTS": [
            annotation(900, 9_000, "step 1"),
            annotation(950, 999, "twice"),
            annotation(960, 970, "twice"),
        ],
    }
    found = choose(answer(made.write(tmp_path / "a.sqlite", tables), is_export=True), None, None)
    assert found.ts.tolist() == [7_000, 5_000]
    assert found.base_names == ["gemm", "gemm"]
    assert found.shapes[0] == ("2 x 3 x 1", "64 x 1 x 1", 40, 1536)
    assert found.calls.tolist() == [3_000]
    assert found.annotations == {"step 1": (900, 9_000)}


def test_kernels_of_a_replay_stand_in_order_of_their_starts(tmp_path: Path) -> None:
    """A graph is one launch; the counter of an export says nothing of what is in it."""
    tables: made.Tables = {
        made.KERNEL: [
            kernel(7_000, 8_000, correlation=1, gridId=5, graphNodeId=9),
            kernel(5_000, 6_000, correlation=1, gridId=6, graphNodeId=8),
        ],
        made.API: [call(1_000, 1_500, correlation=1)],
    }
    found = choose(answer(made.write(tmp_path / "a.sqlite", tables), is_export=True), None, None)
    assert (found.ts.tolist(), found.in_graphs) == ([5_000, 7_000], 2)


def test_a_rank_of_several(tmp_path: Path) -> None:
    """The rank is that of the user, else that of the other file; without either it is asked for."""
    tables: made.Tables = {
        made.KERNEL: [kernel(1_000, 2_000), kernel(1_000, 4_000, pid=200, device=1)]
    }
    both = answer(made.write(tmp_path / "two.sqlite", tables), is_export=True)
    assert choose(both, 1, None).dur.tolist() == [3_000]
    assert choose(both, None, 1).dur.tolist() == [3_000]
    assert choose(both, 0, 1).dur.tolist() == [1_000]
    for wanted, other in ((None, None), (2, None), (None, 7)):
        with pytest.raises(UsageError, match=r"holds ranks 0, 1\. Choose one: --rank"):
            choose(both, wanted, other)


def test_files_of_the_other_profiler_are_refused(tmp_path: Path) -> None:
    """Each is told from the other, and a repaired export is still one."""
    trace = tmp_path / "trace.json"
    trace.write_bytes(text([work("a", 1_000, 1_100)]))
    export = made.write(tmp_path / "a.sqlite", made.job())
    with pytest.raises(UsageError, match=r"trace.json: is no export of Nsight Systems"):
        answer(trace, is_export=True)
    with pytest.raises(UsageError, match=r"a.sqlite: is an export of Nsight Systems"):
        answer(export)
    other = tmp_path / "a.zip"
    other.write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="is neither Chrome JSON nor an export"):
        answer(other)


def test_steps_of_old_profilers(tmp_path: Path) -> None:
    """PyTorch 1.8 wrote its steps as operators."""
    step = slice_of("Operator", "ProfilerStep#3", (PROCESS, THREAD), 900, 2_000)
    found = of_kineto(tmp_path, step, note("here", 950, 960), work("a", 1_000, 1_100))
    assert found.annotations == {"ProfilerStep#3": (900, 2_000), "here": (950, 960)}
