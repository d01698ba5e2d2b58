"""The handler for torch.profiler: names, repairs in the background, what fails."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import tp_tools
import tp_tools.torch
from fixtures.make import HERE, truth_of

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"


class Recorded:
    """Stands for a profiler that recorded a fixture.

    Attributes:
        step_num: as that of torch.profiler.profile.
    """

    def __init__(self, step: int, trace: Path = DECODE) -> None:
        self.step_num = step
        self._trace = trace

    def export_chrome_trace(self, path: str) -> None:
        """Write the trace."""
        shutil.copy(self._trace, path)


def save(handler: tp_tools.torch.TraceHandler, profiler: Recorded) -> None:
    """Save a trace, and wait until it is repaired."""
    handler(profiler)
    handler.wait()


def test_traces_are_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by rank and step, whole for Perfetto; what was recorded is not left beside it."""
    monkeypatch.setenv("RANK", "3")
    handler = tp_tools.torch.trace_handler(tmp_path / "traces", verify=True)
    for step in (2, 5):
        handler(Recorded(step))
    handler.wait()
    names = sorted(it.name for it in (tmp_path / "traces").iterdir())
    assert names == ["rank3_step2.json.gz", "rank3_step5.json.gz"]
    assert tp_tools.fix(tmp_path / "traces" / names[0], check=True).is_sound
    with tp_tools.open_trace(tmp_path / "traces" / names[0], raw=True) as tp:
        (row,) = tp.query("SELECT SUM(dur) AS ns FROM slice WHERE category = 'kernel'")
        assert row.ns == truth_of(DECODE.name)["kernel_ns"]


def test_the_program_goes_on(tmp_path: Path) -> None:
    """The handler returns before the trace is repaired."""
    handler = tp_tools.torch.trace_handler(tmp_path)
    handler(Recorded(1))
    assert [it.name for it in tmp_path.iterdir() if "raw" in it.name] == ["rank0_step1.raw.json.gz"]
    handler.wait()


def test_an_earlier_run_is_not_replaced(tmp_path: Path) -> None:
    """A second trace of one step gets a number, repaired or not."""
    for fix in (False, True, False):
        handler = tp_tools.torch.trace_handler(tmp_path, fix=fix)
        save(handler, Recorded(1))
    assert sorted(it.name for it in tmp_path.iterdir()) == [
        "rank0_step1-2.json.gz",
        "rank0_step1-3.json.gz",
        "rank0_step1.json.gz",
    ]
    assert (tmp_path / "rank0_step1.json.gz").read_bytes() == DECODE.read_bytes()


def test_what_cannot_be_repaired_stays(tmp_path: Path) -> None:
    """As it was recorded, with the line that `fix` says."""
    bad = tmp_path / "bad.json.gz"
    bad.write_bytes(gzip.compress(b'{"loss": 1}'))
    handler = tp_tools.torch.trace_handler(tmp_path / "out")
    with pytest.warns(tp_tools.LossWarning, match=r"step1\.raw\.json\.gz: has no traceEvents"):
        save(handler, Recorded(1, bad))
    assert [it.name for it in (tmp_path / "out").iterdir()] == ["rank0_step1.raw.json.gz"]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_with_the_real_profiler(tmp_path: Path) -> None:
    """PyTorch on the CPU: a trace per cycle of the schedule, there when the program has ended."""
    script = tmp_path / "script.py"
    script.write_text(
        "import torch, tp_tools.torch\n"
        "from torch.profiler import ProfilerActivity, profile, schedule\n"
        "handler = tp_tools.torch.trace_handler('traces')\n"
        "with profile(activities=[ProfilerActivity.CPU], on_trace_ready=handler,\n"
        "             schedule=schedule(wait=0, warmup=1, active=1, repeat=2)) as it:\n"
        "    for _ in range(4):\n"
        "        torch.ones(9).sum()\n"
        "        it.step()\n"
    )
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True, timeout=300)
    names = sorted(it.name for it in (tmp_path / "traces").iterdir())
    assert names == ["rank0_step2.json.gz", "rank0_step4.json.gz"]
    (about,) = tp_tools.info(tmp_path / "traces" / names[1])
    assert any(it.name == "cpu_op" for it in about.inventory.categories)
