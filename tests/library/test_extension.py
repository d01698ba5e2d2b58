"""The extension server: static files as Perfetto documents them, whose SQL runs as in the UI."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import tp_tools
from fixtures.make import HERE
from tests.support.command_line import TpTools
from tp_tools import engine, library
from tp_tools.library import extension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tp_tools.engine.processor import Processor

TRACE = HERE / "pdl_decode.json.gz"
READY = HERE.parent / "extension"
FEATURES = {"macros", "sql_modules", "proto_descriptors"}
COMMANDS = {
    "dev.perfetto.AddDebugSliceTrackWithPivot": 3,
    "dev.perfetto.PinTracksByRegex": 1,
    "dev.perfetto.RunQuery": 1,
    "dev.perfetto.RunQueryAndShowTab": 1,
}
"""The commands that are used, with the number of arguments that each takes."""


@pytest.fixture(scope="module")
def served() -> dict[str, Any]:
    """The files as the UI reads them: JSON by path."""
    return {path: json.loads(text) for path, text in extension.files().items()}


@pytest.fixture(scope="module")
def plain() -> Iterator[Processor]:
    """The same trace in an engine of its own, with the built-in package."""
    with tp_tools.open_trace(TRACE) as tp:
        yield tp


@pytest.fixture(scope="module")
def opened(served: dict[str, Any]) -> Iterator[Processor]:
    """A trace in an engine that has the package of the server in place of the built-in one."""
    with tp_tools.open_trace(TRACE) as tp:
        engine.rows(tp, "INCLUDE PERFETTO MODULE tpt.arg; SELECT 1")  # brings the built-in one
        modules = served[extension.SQL_MODULES]["sql_modules"]
        tp._backend.register_package("tpt", {it["name"]: it["sql"] for it in modules})
        yield tp


def test_the_manifest_is_as_documented(served: dict[str, Any]) -> None:
    """Name, namespace, features and modules; each feature of each module has its file."""
    manifest = served[extension.MANIFEST]
    assert set(manifest) == {"name", "namespace", "features", "modules"}
    assert all(set(it) == {"name"} and it["name"] in FEATURES for it in manifest["features"])
    assert all(set(it) == {"id", "name"} for it in manifest["modules"])
    assert {
        f"modules/{of['id']}/{it['name']}"
        for of in manifest["modules"]
        for it in manifest["features"]
    } == set(served) - {"manifest"}


def test_macros_are_as_documented(served: dict[str, Any]) -> None:
    """Ids begin with the namespace and differ; commands are stable ones with texts as arguments."""
    macros = served[extension.MACROS]["macros"]
    namespace = served[extension.MANIFEST]["namespace"]
    assert len({it["id"] for it in macros}) == len({it["name"] for it in macros}) == len(macros)
    for macro in macros:
        assert set(macro) == {"id", "name", "run"}
        assert macro["id"].startswith(f"{namespace}.")
        for command in macro["run"]:
            assert set(command) == {"id", "args"}
            assert len(command["args"]) == COMMANDS[command["id"]]
            assert all(isinstance(it, str) for it in command["args"])


def test_sql_modules_are_as_documented(served: dict[str, Any]) -> None:
    """Names begin with the namespace and differ; all modules and all questions are there."""
    modules = served[extension.SQL_MODULES]["sql_modules"]
    assert all(set(it) == {"name", "sql"} and it["name"].startswith("tpt.") for it in modules)
    names = [it["name"] for it in modules]
    assert sorted(names) == sorted([*library.modules(), *(f"tpt.{it}" for it in library.queries())])
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", list(library.queries()))
def test_a_question_is_a_view_of_its_name(name: str, opened: Processor, plain: Processor) -> None:
    """INCLUDE and SELECT give the columns and rows of `tp-tools query`, in their order."""
    view = f"INCLUDE PERFETTO MODULE tpt.{name}; SELECT * FROM tpt_{name};"  # noqa: S608
    assert engine.query_rows(opened, view) == engine.run_file(plain, library.find(name))


def test_all_modules_load_in_one_session(opened: Processor) -> None:
    """None is in the way of another, and all that a file includes is there."""
    sql = "INCLUDE PERFETTO MODULE tpt.*; SELECT COUNT(*) FROM tpt_gaps"
    assert engine.rows(opened, sql) == [(58,)]


def test_macros_run(served: dict[str, Any], opened: Processor) -> None:
    """The SQL of each command runs, one after the other; tracks get times, names and a pivot."""
    for macro in served[extension.MACROS]["macros"]:
        for command in macro["run"]:
            if command["id"] == "dev.perfetto.PinTracksByRegex":
                pattern = re.compile(command["args"][0])
                assert all(map(pattern.search, ["stream 7 7", "rank 3 · stream 7"]))
                assert not any(map(pattern.search, ["streamlit 7", "thread 7"]))
                continue
            rows = engine.query_rows(opened, command["args"][0])
            if "DebugSliceTrack" in command["id"]:
                assert {"ts", "dur", "name", command["args"][1]} <= set(rows.columns)
                assert len(rows.rows) == 8
                assert all(None not in row[:4] for row in rows.rows)


def test_no_module_has_the_name_of_a_question() -> None:
    """`tpt.memory` and `tpt_memory` are the question's: no module and no object is named so."""
    made = {
        name
        for text in library.modules().values()
        for name in re.findall(r"^CREATE OR REPLACE PERFETTO \w+ (\w+)", text, re.MULTILINE)
    }
    questions = library.queries()
    assert not {f"tpt.{it}" for it in questions} & set(library.modules())
    assert not {f"tpt_{it}" for it in questions} & made


def test_it_is_written(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A folder is made, and written again; one that holds other things stays as it is."""
    command = TpTools(capsysbinary)
    folder = tmp_path / "new" / "server"
    for _ in range(2):
        ran = command("sql", "--extension", folder)
        assert (ran.code, ran.out) == (0, b"")
        assert "SQL modules" in ran.err
        files = {
            str(it.relative_to(folder)): it.read_text("utf-8")
            for it in folder.rglob("*")
            if it.is_file()
        }
        assert files == extension.files()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("")
    for refused in ("mine", "mine/notes"):
        ran = command("sql", "--extension", tmp_path / refused)
        assert (ran.code, ran.out) == (2, b"")
        assert "holds something else" in ran.err
    assert command("sql", "gaps", "--extension", folder).code == 2
    assert command("sql", "--set", "rank=0", "--extension", folder).code == 2


def test_the_one_in_the_repository_is_up_to_date() -> None:
    """`extension/` holds the SQL of today: `tp-tools sql --extension extension` writes it."""
    ready = {
        it.relative_to(READY).as_posix(): it.read_text("utf-8")
        for it in READY.rglob("*")
        if it.is_file()
    }
    assert ready.keys() == extension.files().keys()
    for name, text in extension.files().items():
        assert ready[name] == text, "run: tp-tools sql --extension extension"
