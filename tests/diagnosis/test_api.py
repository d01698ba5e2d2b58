"""`tp_tools.diagnose`, on made and on recorded traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tp_tools
from tests.support.gpu_traces import call, work
from tests.support.handmade import text
from tests.support.places import recorded
from tp_tools.diagnosis import collect
from tp_tools.diagnosis.rules import RULES
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# its arrows are damaged, of which loading warns
DAMAGED = frozenset({"text_tids_2021.json.gz"})


def test_a_made_trace(tmp_path: Path) -> None:
    """Of 1,000 ns the GPU computes 300, and idles 700, of which the launch call takes 100."""
    events = [
        call("cudaLaunchKernel", 0, 5, 1),
        work("gemm", 10, 110, correlation=1),
        call("cudaLaunchKernel", 700, 800, 2),
        work("gemm", 810, 1010, correlation=2),
    ]
    path = tmp_path / "trace.json"
    path.write_bytes(text(events))
    diagnosis = tp_tools.diagnose(path)
    assert (diagnosis.gpu_ns, diagnosis.gpus) == (1000, 1)
    assert diagnosis.parts == {
        "compute": 300,
        "communication": 0,
        "waiting": 0,
        "copies": 0,
        "idle": 700,
    }
    (found,) = diagnosis.findings
    assert (found.kind, found.cost_ns, found.doubts) == ("launches", 700, ())
    assert found.place is not None
    assert (found.place.ts, found.place.dur) == (110, 700)


@pytest.mark.parametrize("name", recorded(without=DAMAGED))
def test_costs_add_up_to_the_gpu_time(name: str, real_trace: Callable[[str], Path]) -> None:
    """On recorded traces, too, all time is of one rule, and none of two; idle time is in rows."""
    numbers = collect([str(real_trace(name))], LoadOptions(), SILENT)
    found = [it for it in (rule.find(numbers) for rule in RULES) if it]
    assert sum(it.cost_ns or 0 for it in found) == numbers.gpu_ns > 0
    for it in found:
        if it.evidence[0].query == "idle":
            assert it.evidence[0].row["idle_ns"] + it.evidence[0].others_ns == it.cost_ns


def test_a_recorded_job(real_trace: Callable[[str], Path]) -> None:
    """Eight ranks of DLRM: seven wait for rank 7, which launches late; no rank is counted twice."""
    folder = real_trace("dlrm8_v100/worker0_step_12.1694128201545.pt.trace.json.gz").parent
    diagnosis = tp_tools.diagnose(folder)
    assert (diagnosis.gpus, diagnosis.gpu_ns) == (8, 117_320_125)
    assert [it.kind for it in diagnosis.findings] == ["launches", "waiting"]
    launches, waiting = diagnosis.findings
    assert "record_shapes" in launches.doubts[0]
    assert waiting.evidence[1].row["rank"] == 7
    assert sum(it.cost_ns or 0 for it in diagnosis.findings) < diagnosis.gpu_ns


def test_hidden_kernels_of_a_recorded_trace(real_trace: Callable[[str], Path]) -> None:
    """The findings on B200: launches, in a profile with stacks, and 38 kernels out of sight."""
    diagnosis = tp_tools.diagnose(real_trace("b200_vllm_tp8_rank0.json.gz"))
    launches, hidden = diagnosis.findings
    assert (launches.title, hidden.kind) == ("Launch-bound", "hidden kernels")
    assert launches.cost_ns == 63_606_483 + 7_070_251 + 2_069_291
    assert "with_stack" in launches.doubts[0]
    assert hidden.evidence[0].row["kernels"] == 38
