"""Exports as folders of Parquet files: the same trace as from an SQLite export of the same rows."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet

from fixtures import nsys as made
from tests.support.command_line import TpTools
from tp_tools.errors import InputError, UsageError
from tp_tools.files import open_source
from tp_tools.nsys import is_parquet_folder, write_database

if TYPE_CHECKING:
    from pathlib import Path


def text(path: Path) -> bytes:
    """The text of the trace that an export holds."""
    with open_source(str(path)) as source:
        return b"".join(source.blocks())


def test_the_trace_is_that_of_the_database(tmp_path: Path) -> None:
    """Byte for byte, with tables that are counted alone, and a VM id that sets the sign."""
    signed = made.kernel(20_000, 21_000, correlation=9) | {"globalPid": (200 << 56) - (1 << 64)}
    tables = made.job() | {
        "SCHED_EVENTS": [{"start": 1, "cpu": 3}, {"start": 2, "cpu": 4}],
        made.KERNEL: [*made.job()[made.KERNEL], signed],
    }
    one = made.write(tmp_path / "report.sqlite", tables)
    other = made.write_parquet(tmp_path / "report_pqtdir", tables)
    assert text(one) == text(other)
    assert b"2 switches of threads" in text(other)


def test_numbers_without_a_sign_and_other_types(tmp_path: Path) -> None:
    """A column of unsigned numbers gives those of SQLite; dictionaries of text give the text."""
    folder = made.write_parquet(tmp_path / "report_pqtdir", made.job())
    columns = {
        "globalPid": pa.array([200 << 56], pa.uint64()),
        "name": pa.array(["python3"]).dictionary_encode(),
        "flags": pa.array([[1, 2]]),
    }
    parquet.write_table(pa.table(columns), folder / "PROCESSES.parquet")
    parquet.write_table(pa.table({"other": [1]}), folder / "TARGET_INFO_NIC_INFO.parquet")
    path = tmp_path / "made.sqlite"
    write_database(folder, path, "report_pqtdir")
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM PROCESSES").fetchall()
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert rows == [((200 << 56) - (1 << 64), "python3", "[1, 2]")]
    assert "TARGET_INFO_NIC_INFO" not in names, "nothing of it is read"


def test_commands_take_the_folder(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`fix` writes beside it, `query` answers on it."""
    folder = made.write_parquet(tmp_path / "report_pqtdir", made.job())
    tp_tools = TpTools(capsysbinary)
    ran = tp_tools("fix", folder, "--verify")
    assert ran.code == 0, ran.err
    assert (tmp_path / "report_pqtdir.fixed.json.gz").is_file()
    ran = tp_tools("query", "kernels", folder, "--format", "json")
    assert [it["count"] for it in ran.rows() if it["kind"] == "compute"] == [2]


def test_other_folders_are_none(tmp_path: Path) -> None:
    """Parquet files of other names make no export; a folder without traces is refused as before."""
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "answers.parquet")
    assert not is_parquet_folder(tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        text(tmp_path)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    """With what to do; nothing of pyarrow's own errors is left to the user."""
    folder = made.write_parquet(tmp_path / "report_pqtdir", made.job())
    whole = (folder / "NVTX_EVENTS.parquet").read_bytes()
    (folder / "NVTX_EVENTS.parquet").write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"its table NVTX_EVENTS\.parquet cannot be read"):
        text(folder)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    folder = made.write_parquet(tmp_path / "report_pqtdir", made.job())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"needs pyarrow: pip install pyarrow\."):
        text(folder)
