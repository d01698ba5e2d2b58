"""Processes of GPUs are named after them, where a repair writes the trace anyway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command_line import TpTools, kernel, write_trace
from tests.support.small_traces import in_pieces
from tp_tools import engine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


def overlapping(pid: int) -> list[dict[str, Any]]:
    """Two kernels that a repair parts."""
    return [kernel("a", 0, 10, pid=pid), kernel("b", 5, 10, pid=pid)]


def named(pid: int, name: str, **more: object) -> dict[str, Any]:
    """The name of a process."""
    return {
        "ph": "M",
        "name": "process_name",
        "pid": pid,
        "tid": 0,
        "args": {"name": name, **more},
    }


HOST_TOO = {1: "GPU 1", 9: "python3"}
CALL = {"ph": "X", "cat": "cuda_runtime", "name": "launch", "tid": 3, "ts": 0, "dur": 1}


def shown(path: Path) -> dict[int, str]:
    """Names of processes by pid, as TraceProcessor shows them."""
    with engine.load(in_pieces(path.read_bytes()), source=path.name) as tp:
        rows = tp.query("SELECT pid, name FROM process WHERE name IS NOT NULL")
        return {row.pid: row.name for row in rows}


@pytest.mark.parametrize(
    ("events", "names"),
    [
        (
            [named(1, "python3"), named(9, "python3"), {**CALL, "pid": 9}],
            {1: "GPU 1", 9: "python3"},
        ),
        ([], {1: "GPU 1"}),
        ([named(1, "rank 0 GPU 1")], {1: "rank 0 GPU 1"}),
        ([named(1, "Ascend Hardware")], {1: "Ascend Hardware"}),
        ([named(1, "python3"), {**CALL, "pid": 1}], {1: "python3"}),
    ],
)
def test_a_gpu_is_called_so(
    tp_tools: TpTools, tmp_path: Path, events: list[dict[str, Any]], names: dict[int, str]
) -> None:
    """Its process alone: not one that names a device, nor one that has threads of the host, too."""
    trace = write_trace(tmp_path / "t.json", *overlapping(1), *events)
    out = tmp_path / "out.json"
    assert tp_tools("fix", trace, "-o", out, "--verify").code == 0
    assert shown(out) == names


def test_all_else_of_the_event_stays(tp_tools: TpTools, tmp_path: Path) -> None:
    """Its args keep the recorded name and others; every other event keeps its bytes."""
    name = named(1, 'py "3"', note="x")
    trace = write_trace(tmp_path / "t.json", *overlapping(1), name)
    out = tmp_path / "out.json"
    ran = tp_tools("fix", trace, "-o", out, "--summary", "json")
    assert 'GPU 1, whose process was called py "3"' in ran.err
    assert json.loads(ran.out)["named_gpus"] == ["GPU 1"]
    text = out.read_text()
    args = next(e["args"] for e in json.loads(text)["traceEvents"] if e["name"] == "process_name")
    assert args == {"name": "GPU 1", "note": "x", "tpt_name": 'py "3"'}
    first = json.dumps(overlapping(1)[0])
    assert first in text


def test_a_sound_trace_keeps_every_byte(tp_tools: TpTools, tmp_path: Path) -> None:
    """A name is no reason to write a trace anew, and a repaired one is sound."""
    trace = write_trace(tmp_path / "t.json", overlapping(1)[0], named(1, "python3"))
    out = tmp_path / "out.json"
    assert tp_tools("fix", trace, "-o", out).code == 0
    assert out.read_bytes() == trace.read_bytes()
    overlap = write_trace(tmp_path / "o.json", *overlapping(1), named(1, "python3"))
    assert tp_tools("fix", overlap, "-o", out, "--force").code == 0
    assert tp_tools("fix", out, "--check").code == 0
    assert tp_tools("fix", out, "-o", tmp_path / "again.json").code == 0
    assert (tmp_path / "again.json").read_bytes() == out.read_bytes()


@pytest.mark.parametrize("args", [{"sort_index": 3}, {}, [1], None, {"name": 5}])
def test_an_event_that_names_nothing_gets_the_name(
    tp_tools: TpTools, tmp_path: Path, args: object
) -> None:
    """Its args may hold anything, or be missing."""
    event = {**named(1, ""), "args": args}
    if args is None:
        del event["args"]
    trace = write_trace(tmp_path / "t.json", *overlapping(1), event)
    out = tmp_path / "out.json"
    ran = tp_tools("fix", trace, "-o", out, "--verify")
    assert ran.code == 0, ran.err
    assert shown(out) == {1: "GPU 1"}
