"""Lines for people are broken between words, on terminals alone."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tp_tools.cli.prose import wrapped

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_long_lines_are_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further lines are indented; short lines, spaces in a line and long words stay."""
    monkeypatch.setenv("COLUMNS", "20")
    assert wrapped("a  short line", Terminal()) == "a  short line"
    assert wrapped("No room for a, b_c, d-e: --wide", Terminal()) == (
        "No room for a, b_c,\n  d-e: --wide"
    )
    assert wrapped("  Versions  one two three", Terminal(), 12) == (
        "  Versions  one two\n            three"
    )
    assert wrapped("Wrote /a/very/long/path/of/a/file", Terminal()) == (
        "Wrote\n  /a/very/long/path/of/a/file"
    )
    assert wrapped("one\ntwo", Terminal()) == "one\ntwo"


def test_a_number_stays_with_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line ends before the number, not before its unit; other words break as ever."""
    monkeypatch.setenv("COLUMNS", "14")
    assert wrapped("the GPU idles 99.6 % of it", Terminal()) == "the GPU idles\n  99.6 % of it"
    assert wrapped("waits for one 4 ms long", Terminal()) == "waits for one\n  4 ms long"
    assert wrapped("the ranks of 4 steps", Terminal()) == "the ranks of 4\n  steps"


def test_files_and_pipes_get_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that programs read is as it was."""
    monkeypatch.setenv("COLUMNS", "20")
    line = "No room for a, b_c, d-e: --wide"
    assert wrapped(line, io.StringIO()) == wrapped(line, None) == line
