"""All of `sql/` is written in one way, and runs where it is pasted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.gpu_traces import work
from tests.support.handmade import text
from tools import inline
from tp_tools.engine import load
from tp_tools.library import files as queries
from tp_tools.library import header

SQL = Path(__file__).resolve().parents[2] / "sql"
LIBRARY = sorted(SQL.glob("*.sql"))
ALL = sorted(SQL.rglob("*.sql"))
NAMED = re.compile(r"CREATE OR REPLACE PERFETTO (?:TABLE|VIEW|FUNCTION|MACRO|INDEX) (\w+)")
COMMENT = re.compile(r"--[^\n]*")
LITERAL = re.compile(r"'(?:[^']|'')*'")


def code(path: Path) -> str:
    """Its text without comments."""
    return COMMENT.sub("", path.read_text("utf-8"))


def name_of(path: Path) -> str:
    """How a test calls the file."""
    return str(path.relative_to(SQL))


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_it_runs_and_ends_with_ordered_rows(path: Path) -> None:
    """The last statement is a SELECT that says in which order its rows are."""
    last = code(path).rstrip().removesuffix(";").rpartition(";")[2].strip()
    assert re.match(r"(SELECT|WITH)\b", last)
    assert re.search(r"^ORDER BY .+\Z", last, re.MULTILINE | re.DOTALL)
    with load([text([work("k", 0, 1)])], source="trace.json") as tp:
        first, second = (queries.run_rows(tp, path) for _ in range(2))
    assert first == second


def columns(path: Path) -> list[tuple[str, str]]:
    """Each column of the answer: its comment and its expression."""
    last = path.read_text("utf-8").rpartition("\nSELECT\n")[2].partition("\nFROM ")[0]
    found, comment, expression, depth = [], "", "", 0
    for line in last.splitlines():
        if depth == 0 and not expression and line.startswith("  --"):
            comment += line.removeprefix("  --")
            continue
        bare = LITERAL.sub("''", line)
        depth += len(re.findall(r"\(|\bCASE\b", bare)) - len(re.findall(r"\)|\bEND\b", bare))
        expression += line
        if depth == 0 and bare.endswith(","):
            found.append((comment, expression))
            comment = expression = ""
    return [*found, (comment, expression)]


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_every_column_is_explained(path: Path) -> None:
    """Above each column of the answer stands what it is; times say their unit."""
    with load([text([work("k", 0, 1)])], source="trace.json") as tp:
        names = queries.run_rows(tp, path).columns
    described = columns(path)
    assert len(described) == len(names)
    assert all(comment.strip() for comment, _ in described)
    for name, (comment, _) in zip(names, described, strict=True):
        if re.fullmatch(r"ts|dur|\w+_(ts|dur|ns)", name):
            assert re.search(r"\bns\b", comment), name
        if name.endswith("_percent"):
            assert "per cent" in comment, name


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_the_header_says_what_it_is_for(path: Path) -> None:
    """What it answers, a row's grain, its scope, and what it needs."""
    said = header.parse(path.read_text("utf-8"), path.name)
    assert said.answers.endswith(".")
    assert said.grain.startswith("one row per ")
    first = path.read_text("utf-8").partition("\n\n")[0]
    for field in ("Grain", "Scope", "Needs"):
        assert first.count(f"\n-- {field}: ") == 1


def categories(path: Path) -> set[str]:
    """What the file asks for of `category`."""
    asked = re.findall(r"category (?:IN \(([^)]*)\)|= ('[^']*'))", code(path))
    return {name for some in asked for name in re.findall(r"'([^']*)'", "".join(some))}


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_it_needs_what_it_asks_for(path: Path) -> None:
    """A category that the header left out would be missing from large traces, without a word."""
    needs = header.parse(path.read_text("utf-8"), path.name).needs
    if needs is None:
        return
    former = {"Kernel", "Memcpy", "Memset", "Runtime", "Operator"}
    shared_by_all = {"kernel", "gpu_memcpy", "gpu_memset"}
    assert needs <= categories(path)
    assert categories(path) - former - shared_by_all <= needs


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_it_can_be_pasted_and_run_again(path: Path) -> None:
    """No INCLUDE, no plain CREATE or DROP, nothing that a second run would stumble over."""
    made = re.findall(r"\b(?:CREATE|DROP|INSERT|INCLUDE|UPDATE|DELETE)\b.*", code(path))
    assert all(NAMED.match(statement) for statement in made)
    assert all(name.startswith("tpt_") for name in NAMED.findall(code(path)))


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_it_keeps_off_what_is_slow_or_differs(path: Path) -> None:
    """No LIKE, which ignores case; no join with args; regexes that every version reads.

    v52 has POSIX's, later versions PCRE2, RE2 or C++'s: no classes by letter, and one group.
    """
    assert not re.search(r"\bLIKE\b|\bJOIN\s+args\b|\bFROM\s+args\b", code(path))
    for pattern in re.findall(r"REGEXP_EXTRACT\([^']*?'([^']*)'\)", code(path), re.DOTALL):
        assert not re.search(r"\\[a-zA-Z]|\(\?", pattern), pattern
        assert pattern.count("(") == 1, pattern


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_lines_are_clean(path: Path) -> None:
    """No tabs, nothing at the end of a line, one line break at the end."""
    lines = path.read_text("utf-8").split("\n")
    assert all(line == line.rstrip() and "\t" not in line for line in lines)
    assert lines[-1] == "" != lines[-2]


def test_what_is_generated_is_up_to_date() -> None:
    """Shared definitions are the same everywhere, and the docs list the library as it is."""
    good, said = inline.run(check=True, files=inline.targets())
    assert good, said


def test_a_name_means_one_thing() -> None:
    """A definition that two files make is a shared one: they may run in one session."""
    shared = {name for path in SQL.glob("shared/*.sql") for name in NAMED.findall(code(path))}
    own: dict[str, list[str]] = {}
    for path in LIBRARY:
        for name in set(NAMED.findall(code(path))) - shared:
            own.setdefault(name, []).append(path.name)
    assert {name: files for name, files in own.items() if len(files) > 1} == {}
