"""`tp-tools sql`: the library, listed and printed."""

from __future__ import annotations

import pytest

from tests.support.asking import TpTools
from tp_tools.library import files


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


def test_the_list(tp_tools: TpTools) -> None:
    """Every query has a line with its name and what it answers, on stdout, and nothing else is."""
    ran = tp_tools("sql")
    lines = [line.split(maxsplit=1) for line in ran.out.decode().splitlines()]
    assert [name for name, _ in lines] == list(files.library())
    assert all(len(answers) > 20 for _, answers in lines)
    assert "tp-tools sql NAME" in ran.err


@pytest.mark.parametrize("name", list(files.library()))
def test_a_file_is_printed_as_it_is(tp_tools: TpTools, name: str) -> None:
    """What is printed is the file, to the byte: it is made for pasting."""
    ran = tp_tools("sql", f"{name}.sql")
    assert ran.out == files.library()[name].read_bytes()
    assert (ran.code, ran.err) == (0, "")


def test_unknown_names(tp_tools: TpTools) -> None:
    """A misspelt name is a usage error that offers what was meant."""
    ran = tp_tools("sql", "overlapps")
    assert (ran.code, ran.out) == (2, b"")
    assert "overlaps" in ran.err
