"""What a shell asks: completion; and what one types first: a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools, kernel, write_trace
from tp_tools import library

if TYPE_CHECKING:
    from pathlib import Path

COMPLETE = "_TP_TOOLS_COMPLETE"


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


def completions(instruction: str, words: str = "", place: int = 0) -> str:
    """Runs tp-tools as a shell does that completes a word."""
    more = {COMPLETE: instruction, "COMP_WORDS": words, "COMP_CWORD": str(place)}
    return subprocess.run(
        [sys.executable, "-m", "tp_tools"],
        env={**os.environ, **more},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    """The script asks tp-tools for completions of each word."""
    assert f"{COMPLETE}={shell}_complete" in completions(f"{shell}_source")


def test_words_are_completed() -> None:
    """The first word is a command or a file, that of query a query of the library, others files."""
    assert completions("bash_complete", "tp-tools f", 1).splitlines() == ["plain,fix", "file,f"]
    names = [f"plain,{name}" for name in library.queries() if name.startswith("a")]
    assert completions("bash_complete", "tp-tools query a", 2).splitlines() == [*names, "file,a"]
    assert completions("bash_complete", "tp-tools query gaps a", 3).splitlines() == ["file,a"]
    assert completions("bash_complete", "tp-tools fix -o a", 3).splitlines() == ["file,a"]


def test_a_file_is_opened(tp_tools: TpTools, tmp_path: Path) -> None:
    """A file in place of a command is that of `view`, which takes the options behind it."""
    path = write_trace(tmp_path / "t.json", kernel("a", 1, 2))
    ran = tp_tools(path, "--online", "--port", "9002")
    assert (ran.code, ran.out) == (2, b"")
    assert "leave out --port" in ran.err


@pytest.mark.parametrize(
    ("given", "name"),
    [("traces", "traces"), ("traces/*.json", "traces"), ("traces/r0.json", "r0")],
)
def test_a_merge_names_its_output(
    tp_tools: TpTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, name: str
) -> None:
    """The output lies in the current folder, and is named after the folder or the trace."""
    (tmp_path / "traces").mkdir()
    for rank in range(2):
        write_trace(tmp_path / f"traces/r{rank}.json", kernel("a", 1, 2), rank=rank)
    monkeypatch.chdir(tmp_path)
    ran = tp_tools("merge", given, "--allow-missing", "--jobs", "1", "--summary", "json")
    assert (ran.code, json.loads(ran.out)["output"]) == (0, f"{name}.merged.json.gz")
    assert (tmp_path / f"{name}.merged.json.gz").exists()


def test_a_report_names_its_output(
    tp_tools: TpTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page lies in the current folder, is named after the trace, and replaces no other."""
    write_trace(tmp_path / "t.json", kernel("a", 1, 2))
    (tmp_path / "t.report.html").touch()
    monkeypatch.chdir(tmp_path)
    ran = tp_tools("report", "t.json")
    assert (ran.code, ran.err) == (
        2,
        "tp-tools: t.report.html: exists. Give --force to replace it, or another name with -o.\n",
    )
