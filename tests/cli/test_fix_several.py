"""`tp-tools fix` of several traces: a line for each, the exit code of the worst."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools
from tests.support.handmade import US, kernel, text
from tp_tools.cli import view
from tp_tools.cli.fix import is_several

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = text([kernel("early", 0, 12 * US, 1), kernel("late", 10 * US, 22 * US, 2)])
SOUND = text([kernel("k", 0, 12 * US, 1)])
FOUND, USAGE, INPUT = 1, 2, 3


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test works: `traces` has a broken and a sound trace."""
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces/a.json").write_bytes(BROKEN)
    (tmp_path / "traces/b.json").write_bytes(SOUND)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    """The files of a folder, hidden ones too."""
    return sorted(it.name for it in folder.iterdir())


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    "given", [["traces"], ["traces/*.json"], ["traces/a.json", "traces/b.json"]]
)
def test_each_trace_has_a_line(
    tp_tools: TpTools, folder: Path, given: list[str], jobs: str
) -> None:
    """What was found and done, and then the next command; the sound trace is not written."""
    ran = tp_tools("fix", *given, "--jobs", jobs, "--verify")
    assert (ran.code, ran.out) == (0, b"")
    assert ran.err.splitlines() == [
        (
            "traces/a.json: 1 kernel hidden (50.0 % of kernel time), 1 moved; "
            "wrote traces/a.fixed.json.gz, verified."
        ),
        "traces/b.json: nothing to repair; not written (--all does).",
        "Next: tp-tools view traces/a.fixed.json.gz",
    ]
    assert names(folder / "traces") == ["a.fixed.json.gz", "a.json", "b.json"]


def test_results_are_those_of_one_trace_at_a_time(tp_tools: TpTools, folder: Path) -> None:
    """The bytes are the same; --all writes the sound trace, as it was; -o takes a folder."""
    (folder / "out").mkdir()
    assert tp_tools("fix", "traces", "--all", "-o", "out").code == 0
    assert names(folder / "out") == ["a.fixed.json.gz", "b.fixed.json.gz"]
    assert gzip.decompress((folder / "out/b.fixed.json.gz").read_bytes()) == SOUND
    assert tp_tools("fix", "traces/a.json").code == 0
    one = (folder / "traces/a.fixed.json.gz").read_bytes()
    assert (folder / "out/a.fixed.json.gz").read_bytes() == one


def test_the_exit_code_is_that_of_the_worst(tp_tools: TpTools, folder: Path) -> None:
    """A file that is no trace stops no other; it counts more than a finding of --check."""
    (folder / "traces/c.json").write_text("hello")
    (folder / "traces/p.json").write_bytes(b"\x89PNG\r\n")
    assert tp_tools("fix", "traces/a.json", "traces/b.json", "--check").code == FOUND
    assert tp_tools("fix", "traces/b.json", "traces/b.json", "--check").code == 0
    ran = tp_tools("fix", "traces/a.json", "traces/c.json", "--check", "-q")
    assert ran.code == INPUT
    assert ran.err.startswith("tp-tools: traces/c.json: is not a Chrome JSON trace")
    assert names(folder / "traces") == ["a.json", "b.json", "c.json", "p.json"]
    ran = tp_tools("fix", "traces/a.json", "traces/c.json")
    assert (ran.code, "wrote traces/a.fixed.json.gz" in ran.err) == (INPUT, True)


def test_summaries_are_an_object_per_line(tp_tools: TpTools) -> None:
    """In the order of the traces; `output` is null where nothing was written."""
    ran = tp_tools("fix", "traces", "--summary", "json", "--jobs", "2")
    first, second = map(json.loads, ran.out.splitlines())
    assert (first["output"], first["moved"]) == ("traces/a.fixed.json.gz", 1)
    assert (second["input"], second["output"], second["moved"]) == ("traces/b.json", None, 0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-o", "new.json"], "new.json: is no folder. Several traces want one, which is there."),
        (["--open"], "--open shows the result of one trace, which is written to a file."),
        (["--check", "--short-names"], "--check writes nothing: leave out --short-names."),
        (
            ["same/a.json.gz", "-o", "out"],
            "out/a.fixed.json.gz: would be the output of two traces.",
        ),
    ],
)
def test_contradictions_are_told_before_any_work(
    tp_tools: TpTools, folder: Path, more: list[str], said: str
) -> None:
    """One line, and nothing is written."""
    for name in ("same", "out"):
        (folder / name).mkdir()
    (folder / "same/a.json.gz").write_bytes(gzip.compress(BROKEN, mtime=0))
    ran = tp_tools("fix", "traces", *more)
    assert (ran.code, ran.err.startswith(f"tp-tools: {said}")) == (USAGE, True)
    assert names(folder / "traces") == ["a.json", "b.json"]
    assert names(folder / "out") == []


def test_an_output_that_exists_stops_all(tp_tools: TpTools, folder: Path) -> None:
    """No result replaces another file without --force, and none is written beside that."""
    (folder / "out").mkdir()
    (folder / "out/b.fixed.json.gz").write_bytes(b"mine")
    ran = tp_tools("fix", "traces", "-o", "out")
    assert (ran.code, "out/b.fixed.json.gz: exists." in ran.err) == (USAGE, True)
    assert names(folder / "out") == ["b.fixed.json.gz"]


def test_a_result_can_be_shown(
    tp_tools: TpTools, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--open goes on as `view` of the result."""
    shown: list[str] = []
    monkeypatch.setattr(view, "run", lambda options, _: shown.extend(options.traces))
    assert tp_tools("fix", "traces/a.json", "--open").code == 0
    assert shown == ["traces/a.fixed.json.gz"]
    assert (folder / shown[0]).exists()


def test_what_the_eye_met_is_said(tp_tools: TpTools, folder: Path) -> None:
    """Stream 0 of GPU 7 was drawn on stream 7, and overhead of process -1 in GPU 0."""
    events = [
        kernel("a", 0, 5 * US, 1) | {"pid": 7, "tid": 0},
        kernel("b", 0, 5 * US, 2) | {"pid": 7, "tid": 7},
        kernel("c", 0, 5 * US, 3) | {"pid": 0, "tid": 7},
        kernel("d", 0, 5 * US, 4) | {"pid": -1, "tid": 1, "cat": "overhead"},
    ]
    (folder / "t.json").write_bytes(text(events))
    ran = tp_tools("fix", "t.json", "--check")
    assert [line.strip() for line in ran.err.splitlines() if "was drawn" in line] == [
        "overhead -1 was drawn in GPU 0, and stands by itself now",
        "stream 0 of GPU 7 was drawn on stream 7, and stands by itself now",
    ]
    assert ran.err.endswith("Next: tp-tools fix t.json\n")


def test_several_are_told_from_one(folder: Path) -> None:
    """Names, folders and patterns stand for several traces; a file with brackets for itself."""
    (folder / "a[1].json").touch()
    assert [is_several(it) for it in (("x", "y"), ("traces",), ("*.json",))] == [True] * 3
    assert [is_several(it) for it in (("-",), ("a[1].json",), ("no.json",))] == [False] * 3
