"""`tp-tools compare`: lines, tables, JSON, and exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tp_tools as api
from fixtures import nsys as made
from fixtures.pairs import Seen, Workload, write
from tests.support.command_line import TpTools
from tp_tools.crosscheck import report

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A trace of the last five of six steps, and a whole export that lost two kernels."""
    of_nsys = Seen(slower=1.1, lost=[12, 17], early=[20])
    return write(tmp_path, Workload(steps=6), Seen(first=5, records=[22]), of_nsys)


def test_lines_and_tables(tp_tools: TpTools, pair: tuple[Path, Path]) -> None:
    """What is in both, what is missing and why, and durations by name."""
    ran = tp_tools("compare", *pair)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.decode().splitlines()
    assert lines[0] == (
        "24 kernels of Kineto, 28 of Nsight Systems: 22 are in both, at 5 annotations that both "
        "have."
    )
    assert "Kineto lacks 6 kernels, " in lines[1]
    assert any(line.startswith("1 kernel, lost records of Kineto: ") for line in lines)
    assert any(line.startswith("2 kernels at 2 places, neither kernel nor call") for line in lines)
    [gemm] = [line for line in lines if line.startswith("gemm ")]
    assert gemm.split()[1] == "7"  # of ten in five steps: Kineto lost one, nsys two


def test_json_is_what_python_gives(tp_tools: TpTools, pair: tuple[Path, Path]) -> None:
    """One object, with the meaning of each reason."""
    found = json.loads(tp_tools("compare", *pair, "--format", "json").out)
    assert found == json.loads(json.dumps(report.as_object(api.compare(*pair))))
    assert found["losses"][0]["reason"] == "before"
    assert found["losses"][0]["means"].startswith("before Kineto's recording")


def test_rows_of_the_table(tp_tools: TpTools, pair: tuple[Path, Path]) -> None:
    """What is not shown is counted."""
    assert b"(2 more: --rows)" in tp_tools("compare", *pair, "--rows", "1").out


def test_places_that_fit_equally_are_told(tp_tools: TpTools, tmp_path: Path) -> None:
    """Of a window without steps, and of a loss among equal kernels."""
    workload = Workload(steps=1, layers=((1, 4), *((0, 8),) * 9, (2, 4)))
    told = tp_tools("compare", *write(tmp_path, workload, Seen(lost=[4]), Seen())).out.decode()
    assert "9 places fit equally for it: kernels repeat there." in told


def test_what_cannot_be_compared(tp_tools: TpTools, tmp_path: Path) -> None:
    """The reason is said on stdout; exit code 3, so that no script takes it for no difference."""
    trace, export = write(tmp_path, Workload(), Seen(), Seen(first=3, last=3))
    ran = tp_tools("compare", trace, export)
    assert ran.code == 3
    assert ran.out.startswith(b"Cannot compare: the export of Nsight Systems has no kernels.")
    ran = tp_tools("compare", trace, export, "--format", "json")
    assert ran.code == 3
    assert json.loads(ran.out)["cannot"] == ["the export of Nsight Systems has no kernels"]


def test_unusable_inputs(tp_tools: TpTools, pair: tuple[Path, Path], tmp_path: Path) -> None:
    """The wrong order and a missing rank are usage; a missing file is an input."""
    trace, export = pair
    ran = tp_tools("compare", export, trace)
    assert (ran.code, ran.out) == (2, b"")
    assert "Give the trace of PyTorch first" in ran.err
    assert tp_tools("compare", trace, tmp_path / "none.sqlite").code == 3
    assert tp_tools("compare", trace).code == 2
    two = made.write(
        tmp_path / "two.sqlite",
        {made.KERNEL: [made.kernel(1, 2), made.kernel(1, 2, pid=200, device=1)]},
    )
    ran = tp_tools("compare", trace, two, "--rank", "4")
    assert ran.code == 2
    assert "holds ranks 0, 1" in ran.err
