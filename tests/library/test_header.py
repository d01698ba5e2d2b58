"""The header of a query file says what the query answers and needs, or that it is wrong."""

from __future__ import annotations

import pytest

from tp_tools import library
from tp_tools.errors import InputError
from tp_tools.library import Header, parse

FULL = """\
-- Kernels: GPU time by kernel name,
-- longest first.
--
-- A rule. It has a colon: like this.
-- Grain: one row per kernel name. No rows:
--   nothing ran.
-- Scope: job
-- Needs: kernel, gpu_memcpy,
--   flows
-- Args: device, External id
-- Runs on: anything

-- Scope: rank
SELECT 1; -- Needs: nothing
"""


def test_a_full_header() -> None:
    """Fields may go on over lines; only the comment at the top of the file counts."""
    assert parse(FULL, "kernels.sql") == Header(
        answers="GPU time by kernel name, longest first.",
        grain="one row per kernel name. No rows: nothing ran.",
        scope="job",
        needs=frozenset({"kernel", "gpu_memcpy", "flows"}),
        args=frozenset({"device", "External id"}),
    )


def test_only_a_word_at_the_start_is_a_title() -> None:
    """A word with a colon within the sentence is part of the answer."""
    assert (
        parse("-- Steps on the CPU: what each took.", "q").answers
        == "Steps on the CPU: what each took."
    )


@pytest.mark.parametrize("sql", ["SELECT 1", "", "\n-- My query: dur * 2\nSELECT 1", "-- x\n--\n"])
def test_without_a_header(sql: str) -> None:
    """A query of a user's own is about a rank and gets every event."""
    header = parse(sql, "own.sql")
    assert (header.scope, header.needs, header.args, header.grain) == ("rank", None, None, "")


def test_fields_at_the_top_are_no_answer() -> None:
    """A file may begin with its fields."""
    assert parse("-- Scope: job\n-- Needs: every category\nSELECT 1", "q") == Header(
        "", "", "job", None
    )


@pytest.mark.parametrize(
    "line", ["-- Scope: ranks", "-- Needs: kernel and gpu_memcpy", "-- Needs: kernel,, flows"]
)
def test_wrong_fields_are_refused(line: str) -> None:
    """A slip in a header is no header that asks for something else: the error quotes it."""
    with pytest.raises(InputError, match=rf"own\.sql: its header says '{line[3:]}'"):
        parse(f"-- Own: x\n--\n{line}\nSELECT 1", "own.sql")


def test_parts_are_of_modules_of_a_job() -> None:
    """`Parts` lists the modules of which parts of a job give the rows, of jobs alone."""
    said = "-- Scope: job\n-- Parts: tpt.collective.part,\n--   tpt.rank_host\nSELECT 1"
    assert parse(said, "q.sql").parts == ("tpt.collective.part", "tpt.rank_host")
    assert parse("-- Scope: job\nSELECT 1", "q.sql").parts == ()
    for wrong in ("-- Scope: job\n-- Parts: rows", "-- Scope: rank\n-- Parts: tpt.gap"):
        with pytest.raises(InputError, match=r"q\.sql: its header says 'Parts: "):
            parse(f"{wrong}\nSELECT 1", "q.sql")


@pytest.mark.parametrize("name", list(library.queries()))
def test_the_library_has_headers(name: str) -> None:
    """Every file of the library says in one sentence what it answers, and what a row is."""
    text = library.read(library.queries()[name])
    header = parse(text, name)
    assert len(header.answers) > 20
    assert header.grain.startswith("one row per ")
    for field in ("-- Scope: ", "-- Needs: "):
        assert text.count(f"\n{field}") == 1
