"""`tp-tools sql`: the library, listed and printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools
from tp_tools import library

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


def test_the_list(tp_tools: TpTools) -> None:
    """Every query has a line with its name and what it answers, on stdout, and nothing else is."""
    ran = tp_tools("sql")
    lines = [line.split(maxsplit=1) for line in ran.out.decode().splitlines()]
    assert [name for name, _ in lines] == list(library.queries())
    assert all(len(answers) > 20 for _, answers in lines)
    assert "tp-tools sql NAME" in ran.err


@pytest.mark.parametrize("name", list(library.queries()))
def test_a_query_is_printed_with_what_it_includes(tp_tools: TpTools, name: str) -> None:
    """The printed text begins with the file's header, includes nothing, and keeps its SELECT."""
    ran = tp_tools("sql", f"{name}.sql")
    printed, file = ran.out.decode(), library.queries()[name].read_text("utf-8")
    header, select = file.split("\n\n")[0], file.rpartition(";\n\n")[2]
    assert printed.startswith(header)
    assert printed.endswith(select)
    assert "\nINCLUDE" not in printed
    assert (ran.code, ran.err) == (0, "")


def test_the_list_as_json(tp_tools: TpTools) -> None:
    """Every query is an object with its question, scope, categories and parameters."""
    listed = {it["name"]: it for it in json.loads(tp_tools("sql", "--format", "json").out)}
    assert list(listed) == list(library.queries())
    copies, gaps = listed["copies"], listed["gaps"]
    assert (copies["scope"], copies["needs"]) == ("rank", ["gpu_memcpy", "gpu_memset"])
    assert copies["grain"].startswith("one row per rank and kind of copy")
    steps = next(it for it in gaps["parameters"] if it["name"] == "steps")
    assert (steps["type"], steps["default"]) == ("RANGE", "NULL")
    assert all(it["answers"] and it["scope"] in {"rank", "job"} for it in listed.values())


def test_a_query_as_json(tp_tools: TpTools) -> None:
    """The object of one query holds the text that is printed otherwise, with its values set."""
    words = ("sql", "gaps", "--set", "steps=3..5")
    printed = json.loads(tp_tools(*words, "--format", "json").out)
    assert printed["name"] == "gaps"
    assert printed["sql"] == tp_tools(*words).out.decode()


def test_a_file_of_a_users_own(tp_tools: TpTools, tmp_path: Path) -> None:
    """Another file is printed with the modules that it includes; an unknown one is an error."""
    path = tmp_path / "mine.sql"
    path.write_text("-- Mine.\nINCLUDE PERFETTO MODULE tpt.process_rank;\nSELECT 1;\n")
    ran = tp_tools("sql", path)
    assert ran.out.decode().startswith("-- Mine.\n-- Ranks of the processes")
    assert ran.out.decode().endswith("\n\nSELECT 1;\n")
    path.write_text("INCLUDE PERFETTO MODULE tpt.process_ranks;")
    ran = tp_tools("sql", path)
    assert (ran.code, ran.out) == (3, b"")
    assert "did you mean tpt.process_rank" in ran.err


def test_unknown_names(tp_tools: TpTools) -> None:
    """A misspelt name is a usage error that offers what was meant."""
    ran = tp_tools("sql", "overlapps")
    assert (ran.code, ran.out) == (2, b"")
    assert "overlaps" in ran.err
