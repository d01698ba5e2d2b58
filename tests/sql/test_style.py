"""All of `sql/` is written in one way: questions, and the modules that they include."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import work
from tests.support.handmade import text
from tools import sql_table
from tp_tools import engine, library
from tp_tools.engine import load
from tp_tools.writing.select import CALLS, HOLDING, LAUNCH_CALLS, MARKS, OP, OP_MARKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.engine.processor import Processor

SQL = Path(__file__).resolve().parents[2] / "sql"
QUESTIONS = sorted(SQL.glob("*.sql"))
MODULES = sorted((SQL / "tpt").rglob("*.sql"))
ALL = sorted(SQL.rglob("*.sql"))
CREATED = re.compile(r"CREATE PERFETTO (TABLE|VIEW|FUNCTION|MACRO|INDEX) (\w+)")
DEFINITION = re.compile(
    r"((?:^--[^\n]*\n)*)CREATE PERFETTO (TABLE|VIEW|FUNCTION|MACRO) (\w+)(?:\(\n(.*?)^\))?",
    re.MULTILINE | re.DOTALL,
)
DECLARED = re.compile(r"((?:^  --[^\n]*\n)*)^  (\w+) [\w().]+,?\n", re.MULTILINE)
COMMENT = re.compile(r"--[^\n]*")
LITERAL = re.compile(r"'(?:[^']|'')*'")
NAMED_OPS = re.compile(
    r"category (?:= 'cpu_op'|IN \('cpu_op', 'Operator'\))\s+"
    r"AND ((?:s\.)?name (?:GLOB|=) '[^']+'|\((?:\s*(?:OR )?s\.name GLOB '[^']+')+\s*\))"
)
ALL_CALLS = "category IN ('cuda_runtime', 'cuda_driver', 'xpu_runtime', 'Runtime')"
HOLDING_CALLS = re.compile(
    r"SELECT DISTINCT name FROM tpt_call\n"
    r"|FROM tpt_call\nWHERE\s+\+name IN \(SELECT name FROM holding"
    r"|SELECT DISTINCT upid FROM tpt_call WHERE launch_key IS NOT NULL\n"
    r"|CROSS JOIN tpt_call AS call USING \(launch_key\)\n"
)
"""Reads of calls of which those are enough that launch work, hold their thread, or stand for it."""
READS_CALLS = re.compile(r"(?<!TABLE )\btpt_call\b")
INCLUDED = re.compile(r"^INCLUDE PERFETTO MODULE (tpt[\w.]*);$", re.MULTILINE)


def code(sql: str) -> str:
    """SQL without comments."""
    return COMMENT.sub("", sql)


def name_of(path: Path) -> str:
    """How a test calls the file."""
    return str(path.relative_to(SQL))


def module_of(path: Path) -> str:
    """The name by which a file of `sql/tpt` is included."""
    return ".".join(path.relative_to(SQL).with_suffix("").parts)


@pytest.mark.parametrize("path", QUESTIONS, ids=name_of)
def test_it_runs_and_ends_with_ordered_rows(path: Path) -> None:
    """The last statement is a SELECT that says in which order its rows are.

    The file, and the text that is printed for pasting, give the same rows, in one session too.
    """
    printed = library.expand(library.read(path))
    last = code(printed).rstrip().removesuffix(";").rpartition(";")[2].strip()
    assert re.match(r"(SELECT|WITH)\b", last)
    assert re.search(r"^ORDER BY .+\Z", last, re.MULTILINE | re.DOTALL)
    with load([text([work("k", 0, 1)])], source="trace.json") as tp:
        pasted = [engine.query_rows(tp, printed) for _ in range(2)]
        included = [engine.run_file(tp, path) for _ in range(2)]
    assert pasted == included == [pasted[0]] * 2


@pytest.mark.parametrize("path", QUESTIONS, ids=name_of)
def test_it_is_one_question(path: Path) -> None:
    """A header, what it includes, and one statement: all definitions stand in modules."""
    text = path.read_text("utf-8")
    *before, last, empty = code(text).split(";\n")
    assert all(INCLUDED.fullmatch(f"{it.strip()};") for it in before)
    assert re.match(r"\s*(SELECT|WITH)\b", last)
    assert empty == ""
    assert text.count("\n") <= 200


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


def of_windows() -> dict[str, str]:
    """The comment of each column of `tpt_collective_window`, of which seven questions show rows."""
    sql = (SQL / "tpt" / "collective" / "window.sql").read_text("utf-8")
    (body,) = (it[3] for it in DEFINITION.findall(sql) if it[2] == "tpt_collective_window")
    return {name: comment for comment, name in DECLARED.findall(body)}


@pytest.fixture(scope="module")
def session() -> Iterator[Processor]:
    """One kernel, loaded, for queries of which only the columns count."""
    with load([text([work("k", 0, 1)])], source="trace.json") as tp:
        yield tp


@pytest.mark.parametrize("path", QUESTIONS, ids=name_of)
def test_every_column_is_explained(path: Path, session: Processor) -> None:
    """Above each column of the answer stands what it is; times say their unit.

    Columns that are those of `tpt_collective_window` may be explained there alone.
    """
    names = engine.run_file(session, path).columns
    described = columns(path)
    assert len(described) == len(names)
    shared = of_windows() if "FROM tpt_collective_window\n" in path.read_text("utf-8") else {}
    for name, (comment, _) in zip(names, described, strict=True):
        said = comment or shared.get(name, "")
        assert said.strip(), name
        if re.fullmatch(r"ts|dur|\w+_(ts|dur|ns|arrival|end)", name):
            assert re.search(r"\bns\b", said), name
        if name.endswith("_percent"):
            assert "per cent" in said, name


@pytest.mark.parametrize("path", QUESTIONS, ids=name_of)
def test_the_header_says_what_it_is_for(path: Path) -> None:
    """A header names question, grain of a row, scope, needs, and the text to paste."""
    said = library.parse(path.read_text("utf-8"), path.name)
    assert said.answers.endswith(".")
    assert said.grain.startswith("one row per ")
    first = path.read_text("utf-8").partition("\n\n")[0]
    for field in ("Grain", "Scope", "Needs", "Paste"):
        assert first.count(f"\n-- {field}: ") == 1
    assert f"`tp-tools sql {path.stem}`" in first


def categories(path: Path) -> set[str]:
    """List the categories that the file and its modules compare `category` with."""
    return categories_in(library.expand(path.read_text("utf-8")))


def categories_in(sql: str) -> set[str]:
    """List the categories that a script compares `category` with.

    Ops that are looked for by name are `op_marks`, and calls `launch_calls` where they are read
    through their launches, or where they hold their thread, alone.
    """
    text = NAMED_OPS.sub("category = 'op_marks'", code(sql))
    if not READS_CALLS.search(HOLDING_CALLS.sub("", text)):
        text = text.replace(ALL_CALLS, "category = 'launch_calls'")
    text = re.sub(r"category IN \('cpu_op', 'Operator'\) AS is_op", "", text)
    named = re.findall(r"category (?:IN \(([^)]*)\)|= ('[^']*'))", text)
    found = {name for some in named for name in re.findall(r"'([^']*)'", "".join(some))}
    return found - {OP_MARKS} if OP in found else found


def test_calls_that_hold_their_thread_are_loaded() -> None:
    """The names that SQL looks for are those of the calls that `launch_calls` loads."""
    sql = code((SQL / "tpt" / "sync_call.sql").read_text("utf-8"))
    globs = re.findall(r"(?<!NOT )\$name GLOB '\*([^']+)\*'", sql)
    assert [it.replace("*", ".*") for it in globs] == HOLDING.pattern.split("|")


def test_ops_by_name_are_loaded() -> None:
    """Each name by which some module looks for ops begins as those that `op_marks` loads."""
    conditions = [it[1] for path in MODULES for it in NAMED_OPS.finditer(code(path.read_text()))]
    names = {name for it in conditions for name in re.findall(r"name (?:GLOB|=) '([^']+)'", it)}
    assert {"ProfilerStep*", "record_param_comms"} <= names
    assert all(name.startswith(MARKS) for name in names)


@pytest.mark.parametrize("path", QUESTIONS, ids=name_of)
def test_it_needs_what_it_asks_for(path: Path) -> None:
    """A category that the header left out would be missing from large traces, without a word."""
    needs = library.parse(path.read_text("utf-8"), path.name).needs
    if needs is None:
        return
    former = {"Kernel", "Memcpy", "Memset", "Runtime", "Operator"}
    shared_by_all = {"kernel", "gpu_memcpy", "gpu_memset", "cuda_graph"}  # it comes with kernel
    assert needs <= categories(path)
    assert categories(path) - former - shared_by_all <= needs


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_statements_are_plain(path: Path) -> None:
    """Nothing is dropped or changed; what is made has a prefix of its own."""
    made = re.findall(
        r"\b(?:CREATE|DROP|INSERT|INCLUDE|UPDATE|DELETE)\b.*", code(path.read_text("utf-8"))
    )
    assert all(CREATED.match(it) or INCLUDED.fullmatch(it) for it in made)
    names = [name for _, name in CREATED.findall(code(path.read_text("utf-8")))]
    assert all(re.match("_?tpt_", name) for name in names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_explained(path: Path) -> None:
    """A module says what it holds; a prose line stands above each object.

    Public ones explain every column or argument, and times say their unit.
    """
    sql = path.read_text("utf-8")
    assert re.match(r"-- [^\n]+\.\n\n", sql) or re.match(r"(-- [^\n]+\n)+\n", sql)
    found = DEFINITION.findall(sql)
    assert [(kind, name) for _, kind, name, _ in found] == CREATED.findall(sql)
    for prose, kind, name, body in found:
        assert prose, name
        if not name.startswith("_"):
            declared = DECLARED.findall(body + ("" if body.endswith("\n") else "\n"))
            assert declared or kind == "FUNCTION", name
            assert len(declared) == len(re.findall(r"^  \w", body, re.MULTILINE))
            assert all(comment for comment, _ in declared), name
            times = re.findall(
                r"((?:^  --[^\n]*\n)*)^  \w+ (?:TIMESTAMP|DURATION)", body, re.MULTILINE
            )
            assert all(re.search(r"\bns\b", comment) for comment in times), name


@pytest.mark.parametrize("path", [*QUESTIONS, *MODULES], ids=name_of)
def test_it_includes_what_it_uses_and_nothing_else(path: Path) -> None:
    """Each name of another module is included by the file itself, and each INCLUDE is of use."""
    makers = {
        name: module_of(it)
        for it in MODULES
        for _, name in CREATED.findall(code(it.read_text("utf-8")))
    }
    sql = code(path.read_text("utf-8"))
    used = {makers[name] for name in re.findall(r"(?<![\w.'])_?tpt_\w+", sql) if name in makers}
    own = {module_of(path)} if path in MODULES else set()
    parameters = library.parse(path.read_text("utf-8"), path.name).parameters
    with_values = {it.module for it in parameters if it.module is not None}
    assert sorted({*INCLUDED.findall(sql), *with_values}) == sorted(used - own)


@pytest.mark.parametrize("path", QUESTIONS, ids=name_of)
def test_parameters_are_used_and_need_what_their_modules_ask_for(path: Path) -> None:
    """Each parameter of a header is in the statement, and needs all that its module reads."""
    said = library.parse(path.read_text("utf-8"), path.name)
    sql = code(path.read_text("utf-8"))
    assert {f"tpt_set_{it.name}" for it in said.parameters} == set(
        re.findall(r"\btpt_set_\w+", sql)
    )
    all_have = {"Kernel", "Memcpy", "Memset", "Runtime", "Operator", "kernel", "cuda_graph"}
    for parameter in said.parameters:
        if parameter.module is not None and said.needs is not None:
            include = f"INCLUDE PERFETTO MODULE {parameter.module};"
            given = said.needs | parameter.needs
            given |= {OP_MARKS} if OP in given else set()
            given |= {LAUNCH_CALLS} if given >= CALLS else set()
            assert categories_in(library.expand(include)) - all_have <= given


@pytest.mark.parametrize("path", QUESTIONS, ids=name_of)
def test_it_runs_with_values(path: Path, session: Processor) -> None:
    """With a value for each parameter the printed text runs, and has the columns that it has."""
    examples: dict[str, str | int] = {"RANGE": "3..5", "INT": 7, "FLOAT": 1, "TEXT": "it's"}
    said = library.parse(path.read_text("utf-8"), path.name)
    values = {it.name: examples[it.type] for it in said.parameters}
    set_to = engine.query_rows(session, library.expand(library.read(path, values)))
    assert set_to.columns == engine.run_file(session, path).columns


def test_private_helpers_stay_in_their_module() -> None:
    """A name that begins with an underscore is used only in the module that makes it."""
    texts = {path: code(path.read_text("utf-8")) for path in ALL}
    for path in MODULES:
        for _, name in CREATED.findall(texts[path]):
            if name.startswith("_"):
                users = [it for it in ALL if re.search(rf"\b{name}\b", texts[it])]
                assert users == [path]


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_it_keeps_off_what_is_slow_or_differs(path: Path) -> None:
    """No LIKE, which ignores case; no args but all of a key; regexes that every version reads.

    v52 has POSIX's, later versions PCRE2, RE2 or C++'s: no classes by letter, and one group.
    """
    sql = code(path.read_text("utf-8"))
    assert not re.search(r"\bLIKE\b|\bJOIN\s+args\b|\bFROM\s+args\b(?!\s+WHERE\s+key IN\b)", sql)
    for pattern in re.findall(r"REGEXP_EXTRACT\([^']*?'([^']*)'\)", sql, re.DOTALL):
        assert not re.search(r"\\[a-zA-Z]|\(\?", pattern), pattern
        assert re.sub(r"\[\^?[^]]*\]", "", pattern).count("(") == 1, pattern


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_lines_are_clean(path: Path) -> None:
    """No tabs, nothing at the end of a line, one line break at the end, 100 characters."""
    lines = path.read_text("utf-8").split("\n")
    assert all(line == line.rstrip() and "\t" not in line for line in lines)
    assert all(len(line) <= 100 for line in lines)
    assert lines[-1] == "" != lines[-2]


def test_the_docs_list_the_library() -> None:
    """The table in docs/sql.md is up to date: `python -m tools.sql_table` writes it."""
    page = sql_table.TARGET.read_text("utf-8")
    assert sql_table.with_table(page) == page
    assert sql_table.library_table() in page


def test_a_name_is_made_once() -> None:
    """No two modules make an object of one name, in whatever case."""
    names = [
        name.lower() for path in MODULES for _, name in CREATED.findall(path.read_text("utf-8"))
    ]
    assert len(names) == len(set(names))
