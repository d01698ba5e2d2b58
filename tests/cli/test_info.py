"""`tp-tools info`: what is in a trace, for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE, truth_of
from tests.support.command_line import TpTools, kernel, write_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ADVICE = " Give the file that the profiler wrote."

DECODE = HERE / "pdl_decode.json.gz"
SOUND = HERE / "sound.json.gz"
NO_TRACE = (
    "is no trace that Perfetto knows. Give the file that the profiler wrote: "
    ".json, .json.gz, .pftrace..."
)


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


def lines(tp_tools: TpTools, *arguments: str | Path) -> list[str]:
    """Run `info`, check that stderr is empty, and return the lines with single spaces."""
    ran = tp_tools("info", *arguments)
    assert (ran.code, ran.err) == (0, "")
    return [" ".join(line.split()) for line in ran.out.decode().splitlines()]


def test_the_b200_trace_at_a_glance(tp_tools: TpTools, real_trace: Callable[[str], Path]) -> None:
    """Everything that is known of a recorded trace stands on one screen."""
    path = real_trace("b200_vllm_tp8_rank0.json.gz")
    said = lines(tp_tools, path)
    assert said[0] == f"{path}: 816.5 kB, 14.2 MB of text"
    for line in (
        "Job rank 0 of 8, nccl, 71 process groups",
        "GPUs 8 x NVIDIA B200 (191.5 GB, 148 multiprocessors)",
        "Versions Kineto schema 1, CUDA runtime 12.9, CUDA driver 13.0, CUPTI 28, NCCL 2.27.5",
        "Recorded record_shapes, with_stack",
        "By name RANK0",
        "Span 87.413 ms from 2026-01-16 09:15:39.862 UTC",
        "Events 24,656: 22,355 X, 1,370 f, 931 s",
        "kernel 768 768 10.863 ms",
        "GPU 0 stream 7 929 11.596 ms 13.3 %",
        "all_reduce 73 2.120 ms",
        "To repair with `tp-tools fix`:",
        "38 kernels that Perfetto v51-56 hides, 2.042 ms, 18.8 % of kernel time",
        "4 other slices that it hides",
        "negative process ids replaced",
    ):
        assert line in said
    assert len(said) < 40


def test_a_sound_trace_has_nothing_to_repair(tp_tools: TpTools) -> None:
    """The last line says that a sound trace needs no repair."""
    assert lines(tp_tools, SOUND)[-1] == "Nothing to repair."


def test_json_holds_the_same_numbers(tp_tools: TpTools) -> None:
    """--format json gives an array with an object per trace, exact and in ns."""
    (it,) = tp_tools("info", DECODE, "--format", "json").rows()
    truth = truth_of(DECODE.name)
    kernels = next(category for category in it["categories"] if category["name"] == "kernel")
    assert kernels == {"name": "kernel", "events": 64, "slices": 64, "dur_ns": truth["kernel_ns"]}
    assert it["defects"]["hidden"]["kernels"] == 6
    assert it["defects"]["overlapping"] == truth["overlaps"]["concurrent"]
    assert it["about"]["world_size"] is None or it["about"]["world_size"] > 0
    assert [kind["name"] for kind in it["collectives"]] == ["all_reduce"]
    assert it["end_ns"] - it["start_ns"] > 0


def test_several_traces_stand_apart(tp_tools: TpTools, tmp_path: Path) -> None:
    """A folder gives each of its traces, an empty line between them; JSON gives one array."""
    for rank in (0, 1):
        write_trace(tmp_path / f"rank{rank}.json", kernel("k", 1, 2), rank=rank)
    said = lines(tp_tools, tmp_path)
    second = next(i for i, line in enumerate(said) if line.startswith(f"{tmp_path}/rank1.json: "))
    assert said[second - 1] == ""
    objects = tp_tools("info", tmp_path, "--format", "json").rows()
    assert [it["about"]["rank"] for it in objects] == [0, 1]


def test_a_place_in_the_job_by_name(tp_tools: TpTools, tmp_path: Path) -> None:
    """Parallel axes are told by the name of the file, and how many ranks there are is no place."""
    sglang = write_trace(tmp_path / "17-TP-3-DP-1-EP-0.trace.json", kernel("k", 1, 2))
    sized = write_trace(tmp_path / "run_tp8_rank2.json", kernel("k", 1, 2), rank=2)
    assert "By name TP3 DP1 EP0" in lines(tp_tools, sglang)
    assert "By name RANK2" in lines(tp_tools, sized)


def test_what_is_no_chrome_json_is_loaded(tp_tools: TpTools, tmp_path: Path) -> None:
    """Of a .pftrace the same numbers are told as of the trace that it was made from."""
    made = tmp_path / "made.pftrace"
    assert tp_tools("fix", DECODE, "-q", "-o", made).code == 0
    (before,) = tp_tools("info", DECODE, "--format", "json").rows()
    (after,) = tp_tools("info", made, "--format", "json").rows()
    assert after["collectives"] == before["collectives"]
    slices = {
        it["name"]: (it["slices"], it["dur_ns"]) for it in before["categories"] if it["slices"]
    }
    for category in after["categories"]:
        if category["name"] in slices:
            assert (category["slices"], category["dur_ns"]) == slices[category["name"]]
    assert slices.keys() <= {category["name"] for category in after["categories"]}
    streams = [
        {it["name"]: (it["work"], it["busy_ns"]) for it in seen["streams"]}
        for seen in (before, after)
    ]
    assert streams[0] == streams[1]
    assert (after["about"], after["defects"], after["lost"]) == (None, None, {})


def test_no_secret_is_told(tp_tools: TpTools, tmp_path: Path) -> None:
    """Other values of the header are in no line and in no object; the machine is."""
    trace = tmp_path / "t.json"
    trace.write_text(
        json.dumps(
            {
                "host_name": "node-a",
                "environment": {"HF_TOKEN": "SECRET"},
                "trace_id": "SECRET",
                "distributedInfo": {"rank": 0, "token": "SECRET"},
                "traceEvents": [kernel("k", 1, 2, args={"path": "SECRET"})],
            }
        )
    )
    for form in ("text", "json"):
        ran = tp_tools("info", trace, "--format", form)
        assert ran.code == 0
        assert b"SECRET" not in ran.out
        assert b"node-a" in ran.out


def test_a_trace_without_anything(tp_tools: TpTools, tmp_path: Path) -> None:
    """A trace without an event is no error; it is warned about."""
    empty = tmp_path / "t.json"
    empty.write_text('{"schemaVersion": 1, "traceEvents": []}')
    assert b"Events     none" in tp_tools("info", empty).out
    ran = tp_tools("info", empty, "--format", "json")
    assert (ran.code, "t.json: holds no events." in ran.err) == (0, True)
    (it,) = ran.rows()
    assert (it["events"], it["start_ns"], it["start_utc"]) == (0, None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file. Check the path."),
        (b"", "is empty. Was the profiler stopped before it wrote?"),
        (b'{"a": 1}', "has no traceEvents array: not a Chrome JSON trace." + ADVICE),
        (b"hello", NO_TRACE),
    ],
)
def test_what_cannot_be_used(
    tp_tools: TpTools, tmp_path: Path, content: bytes | None, message: str
) -> None:
    """The first errors that a person meets are one line, with the file's name."""
    file = tmp_path / "t.json"
    if content is not None:
        file.write_bytes(content)
    ran = tp_tools("info", file)
    assert (ran.code, ran.out, ran.err) == (3, b"", f"tp-tools: {file}: {message}\n")


def test_damage_is_in_json(tp_tools: TpTools, tmp_path: Path) -> None:
    """What stderr says of a damaged file, with the bytes that were left out."""
    event = '{"ph":"X","cat":"kernel","name":"k","pid":0,"tid":7,"ts":1,"dur":5}'
    (tmp_path / "t.json").write_text(f'{{"traceEvents":[{event},{{"ph":"X","name":5us}},{event}]}}')
    (info,) = tp_tools("info", tmp_path / "t.json", "--format", "json").rows()
    damage = info["damage"]
    assert (damage["cut_short"], damage["events"]) == (False, 2)
    assert damage["mended"] == {"damaged_events": 1}
    assert damage["first"] == [{"byte": 84, "bytes": 21, "name": ""}]
    (sound,) = tp_tools("info", SOUND, "--format", "json").rows()
    assert not any(value for key, value in sound["damage"].items() if key != "events")


def test_no_trace_is_a_usage_error(tp_tools: TpTools) -> None:
    """Without an argument it says how it is called."""
    ran = tp_tools("info")
    assert ran.code == 2
    assert "Missing argument 'TRACE...'" in ran.err


def test_nothing_heavy_is_imported() -> None:
    """Chrome JSON is looked at without TraceProcessor, frames or terminal graphics."""
    script = (
        "import sys\n"
        "from tp_tools.cli.main import main\n"
        f"try:\n    main(['info', {str(DECODE)!r}])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'perfetto', 'wasmtime', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
