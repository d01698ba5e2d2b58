"""Files given for traces by mistake are recognized by content, and by name where needed."""

from __future__ import annotations

import gzip
import pickle
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE
from tp_tools.errors import InputError
from tp_tools.files.foreign import KINDS, refuse_foreign

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = pickle.dumps({"segments": [], "device_traces": [[]]})


def database(folder: Path, table: str) -> bytes:
    """Makes an SQLite database with one table."""
    path = folder / "made"
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE {table} (a)")
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "is_a"),
    [
        ("a.nsys-rep", b"\x01\x02", "an Nsight Systems report"),
        ("a.ncu-rep", b"NVR\0", "an Nsight Compute report"),
        ("snapshot.pickle", SNAPSHOT, "a memory snapshot of PyTorch"),
        ("snapshot.json.gz", gzip.compress(SNAPSHOT, mtime=0), "a memory snapshot of PyTorch"),
        ("model", pickle.dumps([1]), "a Python pickle"),
        ("report.html", b"<!DOCTYPE html>\n<html>", "a web page"),
        ("a.json", b"\x89PNG\r\n", "a picture"),
        ("a.pdf", b"%PDF-1.7", "a PDF"),
        ("core", b"\x7fELF\x02", "a program or a core dump"),
        ("908_results.json", b'{"rocprofiler-sdk-tool":[{}]}', "JSON of rocprofv3"),
        ("et.json", b'{"schema": "1.1.1-chakra.0.0.4", "nodes": []}', "an execution trace"),
    ],
)
def test_what_is_no_trace_is_named(tmp_path: Path, name: str, content: bytes, is_a: str) -> None:
    """The message says what the file is, whatever commands would make of it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f": is {is_a}"):
        refuse_foreign(str(tmp_path / name))


def test_databases_are_told_apart_by_their_tables(tmp_path: Path) -> None:
    """One of rocprofv3 has tables that no other has, and is a trace; names do not count."""
    path = tmp_path / "t.json"
    path.write_bytes(database(tmp_path, "rocpd_info_agent"))
    refuse_foreign(str(path))
    (tmp_path / "another").mkdir()
    path.write_bytes(database(tmp_path / "another", "other"))
    with pytest.raises(InputError, match=": is an SQLite database"):
        refuse_foreign(str(path))


@pytest.mark.parametrize("table", ["CUPTI_ACTIVITY_KIND_KERNEL", "NVTX_EVENTS"])
def test_exports_of_nsight_systems_are_traces(tmp_path: Path, table: str) -> None:
    """They are told by their tables, whatever their name."""
    path = tmp_path / "t.json"
    path.write_bytes(database(tmp_path, table))
    refuse_foreign(str(path))


def test_an_export_whose_tables_are_named_at_its_end_is_one(tmp_path: Path) -> None:
    """Its first 4 MiB name none, since its strings were written before; nor do those of others."""
    for last in ("NVTX_EVENTS", "other"):
        path = tmp_path / f"{last}.sqlite"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE StringIds (id, value)")
            connection.execute("INSERT INTO StringIds VALUES (1, ?)", ["x" * (5 << 20)])
            connection.commit()
            for number in range(40):
                connection.execute(f"CREATE TABLE enum_{number} (id -- {'a comment' * 20}\n)")
            connection.execute(f"CREATE TABLE {last} (a)")
        assert path.read_bytes().index(f"CREATE TABLE {last}".encode()) > 4 << 20
    refuse_foreign(str(tmp_path / "NVTX_EVENTS.sqlite"))
    with pytest.raises(InputError, match=": is an SQLite database"):
        refuse_foreign(str(tmp_path / "other.sqlite"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.nsys-rep", b' {"traceEvents": []}'),
        ("a.json", b'{"schemaVersion": 1, "traceEvents": [{"args": {"nodes": 1}}]}'),
        ("systrace.html", b'<!DOCTYPE html><script class="trace-data"># tracer: nop'),
        ("a.pftrace", b"\x0a\x04abcd"),
        ("perf.data", b"PERFILE2"),
        ("empty.json", b""),
        ("cut.json.gz", b"\x1f\x8b"),
        ("a.txt", b"hello"),
    ],
)
def test_what_may_be_a_trace_is_let_through(tmp_path: Path, name: str, content: bytes) -> None:
    """Content counts more than names; what Perfetto reads, and what is damaged, is for others."""
    (tmp_path / name).write_bytes(content)
    refuse_foreign(str(tmp_path / name))


def test_what_only_perfetto_reads_is_told_where_it_is_of_no_use(tmp_path: Path) -> None:
    """A recording of Linux perf can be viewed, and has nothing that fix could repair."""
    path = tmp_path / "perf.data"
    path.write_bytes(b"PERFILE2" + bytes(100))
    with pytest.raises(InputError, match=r"a recording of Linux perf\. .* tp-tools view .*perf"):
        refuse_foreign(str(path), by_perfetto=False)


def test_what_is_not_there_is_not_looked_at(tmp_path: Path) -> None:
    """Missing files, folders and standard input have messages of their own."""
    for name in ("-", str(tmp_path), str(tmp_path / "missing")):
        refuse_foreign(name)


def test_fixtures_are_no_foreign_files() -> None:
    """No kind matches a trace that tp-tools is for."""
    for path in sorted(HERE.glob("*.json*")):
        refuse_foreign(str(path), by_perfetto=False)


def test_each_kind_says_what_to_do() -> None:
    """What a file is and what to do are sentences: the second ends in a full stop."""
    assert all(kind.is_a and kind.advice.endswith(".") for kind in KINDS)
