"""Traces of captured CUDA graphs, beside a trace or named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.captured import LAYER, RAN, capture, replay
from tests.support.handmade import text
from tp_tools import errors, query
from tp_tools.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A trace with a folder of captures beside it."""
    (tmp_path / "rank0.json").write_bytes(text(replay(RAN)))
    folder = tmp_path / "capture_traces"
    folder.mkdir()
    (folder / "bs_32_rank0.json").write_bytes(text(capture([LAYER])))
    (folder / "execution_details.json").write_text("[]", "utf-8")
    return tmp_path


def test_captures_beside_a_trace_are_read(job: Path) -> None:
    """The folder that engines write, also where the folder itself is given."""
    for traces in (job / "rank0.json", job):
        assert "Model_0 > Mlp_0" in set(query("modules", traces)["path"])


def test_a_damaged_capture_beside_is_left_out(job: Path) -> None:
    """The question is answered without it."""
    (job / "capture_traces" / "bs_32_rank0.json").write_text("none", "utf-8")
    with pytest.warns(match="Left out"):
        assert list(query("modules", job / "rank0.json")["reason"]) == ["no modules recorded"]


def test_captures_that_are_named(job: Path) -> None:
    """By file or folder; one that is none is an error."""
    named = job / "capture_traces"
    trace = job / "rank0.json"
    moved = named.rename(job / "elsewhere")
    for given in (moved, moved / "bs_32_rank0.json"):
        assert "Model_0 > Mlp_0" in set(query("modules", trace, captures=given)["path"])
    with pytest.raises(errors.InputError, match="no CUDA graph was captured in it"):
        query("modules", trace, captures=trace)
    with pytest.raises(errors.UsageError, match="is for the queries modules"):
        query("kernels", trace, captures=moved)


def test_the_command_line(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says by what replays are taken apart."""
    line = ["query", "modules", str(job / "rank0.json"), "--capture", str(job / "capture_traces")]
    main([*line, "--format", "csv"])
    out, err = capsys.readouterr()
    assert "Model_0 > Mlp_0" in out
    assert "Replays are taken apart by 1 graph of" in err
