"""Reports of Nsight Systems are exported by the `nsys` of the machine, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fixtures import nsys as made
from tp_tools.errors import InputError
from tp_tools.files.foreign import refuse_foreign
from tp_tools.files.source import Source

if TYPE_CHECKING:
    from pathlib import Path

NSYS = """#!/bin/sh
echo call >> {folder}/calls
for argument in "$@"; do
  case "$argument" in --output=*) out="${{argument#--output=}}" ;; esac
done
{does}
"""


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report, and a stand-in for nsys which exports it as the made job."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    path = tmp_path / "report.nsys-rep"
    path.write_bytes(b"\x01report")
    made.write(tmp_path / "made.sqlite", made.job())
    install(tmp_path, f'cp {tmp_path}/made.sqlite "$out"')
    return path


def install(folder: Path, does: str) -> None:
    """Installs a stand-in for nsys."""
    program = folder / "bin" / "nsys"
    program.parent.mkdir(exist_ok=True)
    program.write_text(NSYS.format(folder=folder, does=does))
    program.chmod(0o755)


def test_a_report_is_exported_once_however_often_it_is_read(report: Path) -> None:
    """The trace is that of the export; nothing is written beside the report."""
    before = sorted(report.parent.iterdir())
    refuse_foreign(str(report))
    source = Source(report, str(report))
    for _ in range(2):
        trace = json.loads(b"".join(source.blocks()))
        assert sum(it.get("cat") == "kernel" for it in trace["traceEvents"]) == 2
    assert (report.parent / "calls").read_text().split() == ["call"]
    assert sorted(set(report.parent.iterdir()) - {report.parent / "calls"}) == before


def test_a_failure_of_nsys_is_one_line(report: Path) -> None:
    """Its last line says why."""
    install(report.parent, "echo first >&2; echo 'newer version' >&2; exit 1")
    with pytest.raises(InputError, match=r"nsys cannot export it: newer version$"):
        next(Source(report, str(report)).blocks())


def test_without_nsys_the_command_is_told(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to be exported elsewhere."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"nsys export --type sqlite .*report.nsys-rep"):
        refuse_foreign(str(report))
