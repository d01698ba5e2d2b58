"""Files of the SQL library, and of users: found by name or path, read, run."""

from pathlib import Path

import pytest

from tp_tools.engine import Rows, load, run_file
from tp_tools.errors import InputError, SqlError, UsageError
from tp_tools.library import find, queries, read

TRACE = b'{"traceEvents":[{"ph":"X","name":"a","pid":1,"tid":1,"ts":10,"dur":2}]}'


def test_the_library_is_the_folder_sql() -> None:
    """Every file of `sql/` is in the library, under its name."""
    folder = Path(__file__).resolve().parents[2] / "sql"
    assert queries() == {path.stem: path for path in sorted(folder.glob("*.sql"))}
    assert "overlaps" in queries()


@pytest.mark.parametrize("name", ["overlaps", "overlaps.sql"])
def test_found_by_name(name: str) -> None:
    """A query of the library goes by its name, with or without the suffix."""
    assert find(name) == queries()["overlaps"]


def test_found_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path goes too; a bare name means the library, even beside a file of that name."""
    own = tmp_path / "overlaps.sql"
    own.write_text("SELECT 1 AS one")
    assert find(str(own)) == own
    monkeypatch.chdir(tmp_path)
    assert find("./overlaps.sql") == Path("overlaps.sql")
    assert find("overlaps.sql") == queries()["overlaps"]


def test_unknown_names_are_answered_with_close_ones() -> None:
    """A misspelt name is a usage error that offers what was meant."""
    with pytest.raises(UsageError, match=r"'overlap\.sql'; did you mean overlaps"):
        find("overlap.sql")
    with pytest.raises(UsageError, match="tp-tools sql"):
        find("zzz")
    with pytest.raises(UsageError, match="no query and no file"):
        find("far_too_long_for_a_file" * 99)


def test_a_file_runs(tmp_path: Path, engine_name: str) -> None:
    """A file's last statement gives the rows, comments and all."""
    path = tmp_path / "q.sql"
    path.write_text("-- Ein Kommentar: ä\nSELECT 1;\nSELECT name, dur FROM slice;\n", "utf-8")
    with load([TRACE], source="t", engine=engine_name) as tp:
        assert run_file(tp, path) == Rows(("name", "dur"), [("a", 2000)])


def test_a_refused_file_is_named(tmp_path: Path) -> None:
    """An error in a file names the file, its line, and the trace."""
    path = tmp_path / "wrong.sql"
    path.write_text("SELECT 1 AS one;\nSELECT missing FROM slice;\n")
    with (
        load([TRACE], source="rank7.json", engine="embedded") as tp,
        pytest.raises(
            SqlError, match=r'wrong\.sql failed on rank7\.json:\n[^"]*"wrong\.sql" line 2'
        ),
    ):
        run_file(tp, path)


def test_a_byte_order_mark_is_no_sql(tmp_path: Path) -> None:
    """A file that a Windows editor saved runs."""
    path = tmp_path / "q.sql"
    path.write_text("SELECT 1", encoding="utf-8-sig")
    assert read(path) == "SELECT 1"


def test_unreadable_files_are_input_errors(tmp_path: Path) -> None:
    """A file that is missing or no text is an input error."""
    binary = tmp_path / "binary.sql"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing.sql", binary):
        with pytest.raises(InputError, match=path.name):
            read(path)
