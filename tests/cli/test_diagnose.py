"""`tp-tools diagnose`: text, JSON, Markdown, and exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE
from tests.support.command_line import TpTools

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


def test_text_is_the_default(tp_tools: TpTools) -> None:
    """The summary comes first; lines are at most 100 characters; a finding is no exit code."""
    ran = tp_tools("diagnose", DECODE)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.decode().splitlines()
    assert lines[1].startswith("GPU time from first to last work:")
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("1. ") for line in lines)


def test_json_is_one_object(tp_tools: TpTools) -> None:
    """It has the findings with their evidence."""
    made = json.loads(tp_tools("diagnose", DECODE, "--format", "json").out)
    assert {"summary", "gpu_ns", "gpus", "parts", "findings", "left_out", "start_ns"} == set(made)
    hidden = made["findings"][-1]
    assert (hidden["kind"], hidden["cost_ns"]) == ("hidden kernels", None)
    assert hidden["evidence"][0]["row"]["kernels"] == 6


def test_markdown(tp_tools: TpTools) -> None:
    """The summary is bold."""
    said = tp_tools("diagnose", DECODE, "--format", "md").out.decode()
    assert said.startswith("**")


def test_a_trace_without_gpu_work(tp_tools: TpTools, tmp_path: Path) -> None:
    """That is no error: there is nothing to judge."""
    path = tmp_path / "cpu.json"
    event = {"ph": "X", "cat": "cpu_op", "name": "aten::mul", "pid": 1, "tid": 1, "ts": 1, "dur": 2}
    path.write_text(json.dumps({"traceEvents": [event]}))
    ran = tp_tools("diagnose", path)
    assert (ran.code, ran.out.decode().count("\n")) == (0, 1)
    assert ran.out.startswith(b"Nothing ran on a GPU")


def test_unusable_inputs(tp_tools: TpTools, tmp_path: Path) -> None:
    """A file that is missing or no trace is named, with exit code 3; no file at all is usage."""
    path = tmp_path / "notes.json"
    path.write_text("[1, 2")
    ran = tp_tools("diagnose", path)
    assert ran.code == 3
    assert "notes.json" in ran.err
    assert tp_tools("diagnose", tmp_path / "none.json").code == 3
    assert tp_tools("diagnose").code == 2


def test_a_pftrace_has_no_hidden_kernels(tp_tools: TpTools, tmp_path: Path) -> None:
    """What is no Chrome JSON is loaded as it is; the findings on time are those of the JSON."""
    out = tmp_path / "fixed.pftrace"
    assert tp_tools("fix", DECODE, "-o", out).code == 0
    of_json = json.loads(tp_tools("diagnose", DECODE, "--format", "json").out)
    of_proto = json.loads(tp_tools("diagnose", out, "--format", "json").out)
    timed = [it for it in of_json["findings"] if it["cost_ns"] is not None]
    assert [it["cost_ns"] for it in of_proto["findings"]] == [it["cost_ns"] for it in timed]
