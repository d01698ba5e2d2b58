"""The data of a report: each trace is read once for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE
from tests.support.captured import LAYER, RAN, capture, replay
from tests.support.handmade import text
from tests.support.reporters import Recorder
from tp_tools.reporting.data import collect

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tp_tools.progress import Reporter


class Remover(Recorder):
    """Removes a file as soon as it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def stage(
        self, doing: str, total: int | None = None, then: str | None = None
    ) -> AbstractContextManager[Reporter]:
        """Remove the file when the stage after reading begins."""
        if doing == "placing slices":
            self.path.unlink()
        return super().stage(doing, total, then)


@pytest.mark.parametrize("name", ["pdl_decode.json.gz", "torch_cpu_with_stack.json.gz"])
def test_a_trace_is_read_once(tmp_path: Path, name: str) -> None:
    """Description, repair and all queries need one reading of the file."""
    path = Path(shutil.copy(HERE / name, tmp_path))
    expected = collect([str(path)], "embedded", "auto", Recorder())
    remover = Remover(path)
    data = collect([str(path)], "embedded", "auto", remover)
    assert not path.exists()
    assert (data.members, data.results) == (expected.members, expected.results)
    assert sum(stage.startswith("reading") for stage in remover.stages) == 1


def test_captures_take_replays_apart(tmp_path: Path) -> None:
    """In a folder beside the trace, or named: modules of a graph's replays are known."""
    trace, beside = tmp_path / "rank0.json", tmp_path / "capture_traces"
    trace.write_bytes(text(replay(RAN)))
    beside.mkdir()
    (beside / "bs_32_rank0.json").write_bytes(text(capture([LAYER])))
    moved = tmp_path.parent / f"{tmp_path.name} moved"

    def modules(*captured: str) -> set[str]:
        data = collect([str(trace)], "embedded", "auto", Recorder(), captured)
        return {path for path, _ in data.rows("modules", "path", "self_gpu_ns")}

    assert "Model_0 > Mlp_0" in modules()
    beside.rename(moved)
    assert "Model_0 > Mlp_0" not in modules()
    assert "Model_0 > Mlp_0" in modules(str(moved))
