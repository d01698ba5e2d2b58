"""A reporter is the only way in which a function reports; the default ignores all reports."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.reporters import Recorder
from tp_tools.progress import SILENT, Once, Reporter

if TYPE_CHECKING:
    import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tp_tools"
CALLBACKS = {"Callable[[str], None]", "Callable[[int], None]"}


def test_silent_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Notes, warnings, stages and bytes are accepted, and nothing is printed."""
    with SILENT.stage("reading t.json", 10, "placing slices") as stage:
        stage.advance(10)
        stage.say("a note")
        stage.warn("a warning")
    assert capfd.readouterr() == ("", "")


def test_methods_that_a_subclass_leaves_out_are_silent() -> None:
    """A reporter of warnings alone gets those of its stages too."""

    class Warnings(Reporter):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def warn(self, line: str) -> None:
            self.lines.append(line)

    warnings = Warnings()
    with warnings.stage("loading t.json", 10) as stage:
        stage.say("a note")
        stage.warn("lost")
    assert warnings.lines == ["lost"]


def test_a_reporter_of_new_lines_reports_those_of_stages_once_too() -> None:
    """The same note, before a stage and in it, is reported once; bytes are reported each time."""
    recorder = Recorder()
    once = Once(recorder)
    once.say("a note")
    with once.stage("loading t.json", 2) as stage:
        stage.say("a note")
        stage.warn("lost")
        stage.advance(1)
        stage.advance(1)
    once.warn("lost")
    assert (recorder.notes, recorder.warnings, recorder.counted) == (["a note"], ["lost"], [1, 1])


def test_no_function_takes_a_callback_for_reports() -> None:
    """Functions and classes take a `Reporter`, never a function of a line or of bytes."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        annotated = [it for it in ast.walk(tree) if isinstance(it, ast.arg | ast.AnnAssign)]
        types = [ast.unparse(it.annotation) for it in annotated if it.annotation is not None]
        found += [f"{path.relative_to(PACKAGE)}: {it}" for it in types if it in CALLBACKS]
    assert found == []
