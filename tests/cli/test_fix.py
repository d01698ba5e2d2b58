"""`tp-tools fix` as it is called: files, exit codes, what it says where."""

from __future__ import annotations

import gzip
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from fixtures.make import HERE
from tests.support.command_line import TpTools
from tests.support.handmade import US, cpu, kernel, text
from tp_tools.errors import VerificationError
from tp_tools.files.default_output import FIXED, beside
from tp_tools.writing.json import writer as json_writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.command_line import Ran

BROKEN = text([kernel("early", 0, 12 * US, 1), kernel("late", 10 * US, 22 * US, 2)])
JITTER = text([cpu("head", 0, 20_700), cpu("tail", 20_000, 40_000)])
SOUND = text([kernel("k", 0, 12 * US, 1)])
FOUND, USAGE, INPUT, FAILED = 1, 2, 3, 4


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A trace in which a kernel is hidden."""
    path = tmp_path / "broken.json"
    path.write_bytes(BROKEN)
    return path


def summary_of(ran: Ran) -> dict[str, Any]:
    """The one object that it printed."""
    found: dict[str, Any] = json.loads(ran.out)
    return found


def lanes_of(data: bytes) -> list[int]:
    """Lanes of what moved."""
    events = json.loads(data)["traceEvents"]
    return [it["args"]["tpt_lane"] for it in events if "tpt_lane" in it.get("args", {})]


def test_the_result_lies_beside_the_input(tp_tools: TpTools, broken: Path) -> None:
    """Compressed, under a name of its own; stdout stays empty, stderr says where it is."""
    ran = tp_tools("fix", broken)
    result = broken.with_name("broken.fixed.json.gz")
    assert (ran.code, ran.out) == (0, b"")
    assert f"Wrote {result}." in ran.err
    assert lanes_of(gzip.decompress(result.read_bytes())) == [2]
    assert broken.read_bytes() == BROKEN


@pytest.mark.parametrize(
    ("trace", "output"),
    [
        ("a.json", "a.fixed.json.gz"),
        ("a.json.gz", "a.fixed.json.gz"),
        ("a.json.zst", "a.fixed.json.gz"),
        ("a.pt.trace.json.gz", "a.pt.trace.fixed.json.gz"),
        ("dir/a", "dir/a.fixed.json.gz"),
        ("dir.json/rank0.1.gz", "dir.json/rank0.1.fixed.json.gz"),
    ],
)
def test_names_of_results(trace: str, output: str) -> None:
    """The suffixes of traces go, all else of a name stays."""
    assert beside(trace, FIXED) == output


def test_stdin_has_no_name(tp_tools: TpTools) -> None:
    """So -o has to say one; --check needs none."""
    ran = tp_tools("fix", "-")
    assert ran.code == 2
    assert "say with -o" in ran.err


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".json.zst"])
def test_the_suffix_decides(tp_tools: TpTools, broken: Path, suffix: str) -> None:
    """Plain, gzip or zstd; the text is the same."""
    plain = tp_tools("fix", broken, "-o", "-").out
    target = broken.with_name(f"out{suffix}")
    assert tp_tools("fix", broken, "-o", target).code == 0
    data = target.read_bytes()
    if suffix == ".json.gz":
        data = gzip.decompress(data)
    elif suffix == ".json.zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    assert data == plain


def test_stdout_is_the_trace_alone(tp_tools: TpTools, broken: Path) -> None:
    """`-o -` writes plain JSON; all talk is on stderr."""
    ran = tp_tools("fix", broken, "-o", "-")
    assert ran.code == 0
    assert lanes_of(ran.out) == [2]
    assert "hidden 1 kernel" in ran.err
    assert "Wrote to standard output." in ran.err


def test_stdin(tp_tools: TpTools, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace can be piped through."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(BROKEN))))
    assert lanes_of(tp_tools("fix", "-", "-o", "-").out) == [2]


def test_an_unknown_suffix_is_refused(tp_tools: TpTools, broken: Path) -> None:
    """Before any work, and nothing appears."""
    ran = tp_tools("fix", broken, "-o", broken.with_name("out.txt"))
    assert ran.code == USAGE
    assert "suffix" in ran.err
    assert [path.name for path in broken.parent.iterdir()] == ["broken.json"]


def test_an_existing_result_is_kept(tp_tools: TpTools, broken: Path) -> None:
    """Without --force it is an error and stays; with it, it is replaced."""
    target = broken.with_name("out.json")
    target.write_bytes(b"precious")
    ran = tp_tools("fix", broken, "-o", target)
    assert ran.code == USAGE
    assert "--force" in ran.err
    assert target.read_bytes() == b"precious"
    assert tp_tools("fix", broken, "-o", target, "--force").code == 0
    assert lanes_of(target.read_bytes()) == [2]


def test_a_trace_is_not_replaced_by_its_repair(tp_tools: TpTools, broken: Path) -> None:
    """Not with --force either, which replaces earlier outputs: the recording stays as it is."""
    recorded = broken.read_bytes()
    ran = tp_tools("fix", broken, "-o", broken, "--force")
    assert ran.code == USAGE
    assert f"is the input {broken}" in ran.err
    assert broken.read_bytes() == recorded


@pytest.mark.parametrize(("data", "code"), [(BROKEN, FOUND), (JITTER, FOUND), (SOUND, 0)])
def test_check_writes_nothing(tp_tools: TpTools, broken: Path, data: bytes, code: int) -> None:
    """It exits 1 if there is anything to repair, else 0."""
    broken.write_bytes(data)
    ran = tp_tools("fix", broken, "--check")
    assert (ran.code, ran.out) == (code, b"")
    assert "Wrote" not in ran.err
    assert [path.name for path in broken.parent.iterdir()] == ["broken.json"]


@pytest.mark.parametrize("name", ["pdl_decode", "jitter_stack", "epoch_decimals", "amd_stream0"])
def test_check_agrees_with_fix(tp_tools: TpTools, tmp_path: Path, name: str) -> None:
    """A trace that it finds fault with is found sound once it is fixed."""
    target = tmp_path / "out.json"
    assert tp_tools("fix", HERE / f"{name}.json.gz", "--check").code == FOUND
    assert tp_tools("fix", HERE / f"{name}.json.gz", "-o", target).code == 0
    assert tp_tools("fix", target, "--check").code == 0


def test_a_sound_trace_is_said_to_be_sound(tp_tools: TpTools, broken: Path) -> None:
    """And written as it was."""
    broken.write_bytes(SOUND)
    ran = tp_tools("fix", broken, "-o", "-")
    assert ran.out == SOUND
    assert "Nothing to repair." in ran.err


def test_summary_is_one_object(tp_tools: TpTools, broken: Path) -> None:
    """On stdout, with input, output and verified around the numbers."""
    target = str(broken.with_name("out.json"))
    found = summary_of(tp_tools("fix", broken, "-o", target, "--summary", "json"))
    assert list(found)[:2] == ["input", "output"]
    assert list(found)[-1] == "verified"
    assert (found["input"], found["output"], found["verified"]) == (str(broken), target, None)
    assert (found["moved"], found["hidden"]["kernels"], found["kernels"]) == (1, 1, 2)


def test_summary_of_a_check(tp_tools: TpTools, broken: Path) -> None:
    """There is no output, and the exit code still says that there is something."""
    ran = tp_tools("fix", broken, "--check", "--summary", "json")
    assert ran.code == FOUND
    assert summary_of(ran)["output"] is None


def test_summary_and_trace_both_on_stdout(tp_tools: TpTools, broken: Path) -> None:
    """Cannot be."""
    ran = tp_tools("fix", broken, "-o", "-", "--summary", "json")
    assert (ran.code, ran.out) == (USAGE, b"")


@pytest.mark.parametrize("name", ["pdl_decode", "jitter_stack", "epoch_decimals", "amd_stream0"])
def test_verify_says_so(tp_tools: TpTools, tmp_path: Path, name: str) -> None:
    """In the summary and in words."""
    source, target = HERE / f"{name}.json.gz", tmp_path / "out.json.gz"
    ran = tp_tools("fix", source, "-o", target, "--verify", "--summary", "json")
    assert ran.code == 0
    assert summary_of(ran)["verified"] is True
    assert f"Wrote {target}, verified." in ran.err


def test_a_result_that_fails_verification_never_appears(
    tp_tools: TpTools, broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even in part, and what was there before stays."""
    target = broken.with_name("out.json")
    target.write_bytes(b"precious")

    def forgetful(*_: object, **__: object) -> Iterator[bytes]:
        yield BROKEN

    monkeypatch.setattr(json_writer, "rewrite", forgetful)
    ran = tp_tools("fix", broken, "-o", target, "--verify", "--force")
    assert ran.code == FAILED == VerificationError.exit_code
    assert "The result was not kept" in ran.err
    assert target.read_bytes() == b"precious"
    assert sorted(path.name for path in broken.parent.iterdir()) == ["broken.json", "out.json"]


@pytest.mark.parametrize(
    ("tolerance", "repaired"),
    [
        ("0ns", "moved"),
        ("699ns", "moved"),
        ("700ns", "trimmed"),
        ("0.7us", "trimmed"),
        ("1ms", "trimmed"),
    ],
)
def test_the_tolerance_is_a_duration(
    tp_tools: TpTools, broken: Path, tolerance: str, repaired: str
) -> None:
    """With its unit: 700 ns of overlap are jitter or not."""
    broken.write_bytes(JITTER)
    ran = tp_tools("fix", broken, "--check", "--summary", "json", "--tolerance", tolerance)
    found = summary_of(ran)
    assert {key for key in ("moved", "trimmed") if found[key]} == {repaired}


@pytest.mark.parametrize("tolerance", ["5", "-1us", "us", "1.5ns", "1 hour"])
def test_a_tolerance_without_a_sense_is_refused(
    tp_tools: TpTools, broken: Path, tolerance: str
) -> None:
    """A bare number could be anything."""
    assert tp_tools("fix", broken, "--check", f"--tolerance={tolerance}").code == USAGE


@pytest.mark.parametrize("content", [b"", b"no trace", b'{"a": 1}', b"\x1f\x8b damaged", b"[1, 2]"])
def test_what_is_no_trace_is_one_clear_line(
    tp_tools: TpTools, broken: Path, content: bytes
) -> None:
    """With the file's name; no traceback, no output."""
    broken.write_bytes(content)
    ran = tp_tools("fix", broken)
    assert (ran.code, ran.out) == (INPUT, b"")
    assert ran.err.startswith("tp-tools: ")
    assert str(broken) in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) <= 2
    assert [path.name for path in broken.parent.iterdir()] == ["broken.json"]


def test_no_such_file(tp_tools: TpTools, tmp_path: Path) -> None:
    """And a folder: neither is a trace."""
    for path in (tmp_path / "none.json", tmp_path):
        ran = tp_tools("fix", path, "--check")
        assert ran.code == INPUT
        assert str(path) in ran.err


def test_quiet_says_nothing(tp_tools: TpTools, broken: Path) -> None:
    """Neither summary nor progress."""
    ran = tp_tools("fix", broken, "--quiet", "-o", broken.with_name("out.json"))
    assert (ran.code, ran.out, ran.err) == (0, b"", "")


def test_the_terminal_says_what_was_hidden_and_what_was_done(
    tp_tools: TpTools, broken: Path
) -> None:
    """Kernels, their time, their share, their names; moves with the lane's name."""
    broken.write_bytes(
        text(
            [
                kernel("early", 0, 12 * US, 1),
                kernel("hidden one", 10 * US, 22 * US, 2),
                cpu("head", 0, 20_700),
                cpu("tail", 20_000, 40_000),
            ]
        )
    )
    said = tp_tools("fix", broken, "--check").err
    assert "hidden 1 kernel, 12.000 us, 50.0 % of kernel time" in said
    assert "hidden one" in said
    assert "moved    1 slice" in said
    assert "stream 7 (2)" in said
    assert "trimmed  1 slice" in said


def test_an_engine_that_is_not_there(tp_tools: TpTools, broken: Path) -> None:
    """Is an error of its own, which says what to do; nothing is left behind."""
    ran = tp_tools("fix", broken, "--engine", "/no/such/shell")
    assert ran.code == FAILED
    assert "/no/such/shell" in ran.err
    assert [path.name for path in broken.parent.iterdir()] == ["broken.json"]
