"""What was computed of a rank is kept by its contents, the program and the question."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools, kernel, write_trace
from tp_tools.errors import InputError, UsageError
from tp_tools.files.remote import Remote
from tp_tools.files.source import Source
from tp_tools.files.sources import source_of
from tp_tools.merging.kept_results import KeptResults

if TYPE_CHECKING:
    from pathlib import Path


class Counting:
    """Makes a result, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        """Makes the next number."""
        self.count += 1
        return self.count


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A trace."""
    return write_trace(tmp_path / "t.json", kernel("k", 1, 2), rank=0)


@pytest.fixture
def kept(tmp_path: Path) -> KeptResults:
    """Results in a folder that is made."""
    return KeptResults(tmp_path / "kept")


def test_a_result_is_made_once_for_an_input_and_a_question(trace: Path, kept: KeptResults) -> None:
    """Another question, contents of the same length and time, and another name are others."""
    make = Counting()
    source = source_of(str(trace))
    assert [kept.result(source, "a", make) for _ in range(2)] == [1, 1]
    assert kept.result(source, "b", make) == 2
    text, status = trace.read_text(), trace.stat()
    trace.write_text(text.replace('"k"', '"l"'))
    os.utime(trace, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert kept.result(source, "a", make) == 3
    assert kept.result(Source(trace, "another"), "a", make) == 4


def test_settings_are_part_of_the_question(
    trace: Path, kept: KeptResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine may answer otherwise."""
    make = Counting()
    assert kept.result(source_of(str(trace)), "a", make) == 1
    monkeypatch.setenv("TP_TOOLS_ENGINE", "native")
    assert kept.result(source_of(str(trace)), "a", make) == 2


def test_a_damaged_result_is_made_anew(trace: Path, kept: KeptResults) -> None:
    """Its checksum tells; what is made replaces it."""
    make = Counting()
    source = source_of(str(trace))
    kept.result(source, "a", make)
    (file,) = kept.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert [kept.result(source, "a", make) for _ in range(2)] == [2, 2]
    assert list(kept.folder.iterdir()) == [file]


def test_errors_are_not_kept(trace: Path, kept: KeptResults) -> None:
    """A server may answer another time."""

    def fail() -> int:
        raise InputError("no")

    with pytest.raises(InputError):
        kept.result(source_of(str(trace)), "a", fail)
    assert list(kept.folder.iterdir()) == []


@pytest.mark.parametrize(("version", "made"), [("v1", [1, 1]), ("", [1, 2])])
def test_a_file_on_a_server_is_known_by_its_version(
    tmp_path: Path, kept: KeptResults, version: str, made: list[int]
) -> None:
    """Without one nobody knows whether it is the same."""
    remote = Remote("s3://bucket/x", 5, None, version)
    source, make = Source(tmp_path / "x", "s3://bucket/x", remote=remote), Counting()
    assert [kept.result(source, "a", make) for _ in range(2)] == made


def test_a_folder_of_others_is_refused(trace: Path, kept: KeptResults) -> None:
    """What lies there is unpickled."""
    kept.folder.mkdir()
    kept.folder.chmod(0o777)
    with pytest.raises(UsageError, match="Name another with --keep"):
        kept.result(source_of(str(trace)), "a", Counting())


@pytest.mark.parametrize("query", ["kernels", "collectives_by_rank"])
def test_a_second_question_costs_what_is_new(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], query: str
) -> None:
    """The same rows and lines come from the folder; only a rank that changed is looked at again."""
    tp_tools = TpTools(capfdbinary)
    job = tmp_path / "job"
    job.mkdir()
    for rank in range(3):
        names = ("k", "ncclDevKernel_AllReduce_Sum_f32_RING_LL")
        events = [kernel(it, 10 * at + rank, 5) for at, it in enumerate(names * 9)]
        write_trace(job / f"rank{rank}.json", *events, rank=rank)
    command = ("query", query, job, "--format", "csv", "--keep", tmp_path / "kept")
    plain = tp_tools(*command[:-2])
    first = tp_tools(*command)
    files = {it: it.stat().st_mtime_ns for it in (tmp_path / "kept").iterdir()}
    again = tp_tools(*command)
    assert (first.out, first.err) == (again.out, again.err) == (plain.out, plain.err)
    assert len(first.out.splitlines()) > 3
    assert {it: it.stat().st_mtime_ns for it in (tmp_path / "kept").iterdir()} == files
    assert len(files) == 3
    write_trace(job / "rank1.json", kernel("l", 1, 2), rank=1)
    changed = tp_tools(*command)
    assert changed.out == tp_tools(*command[:-2]).out != first.out
    assert len(list((tmp_path / "kept").iterdir())) == 4
