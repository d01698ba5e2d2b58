"""`nodes`: which machine the others wait for, in which process group, for which of its ranks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools
from tests.support.gpu_traces import ask
from tests.support.handmade import text
from tests.support.rank_traces import Slice, foreign, group, reduction, told

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (
    "host",
    "host_caused_wait_us",
    "process_group",
    "ranks",
    "collectives",
    "times_last",
    "caused_wait_us",
    "elsewhere_wait_us",
    "straggler",
    "straggler_wait_us",
)


def reduced(number: int, name: str, end: float, arrivals: dict[int, float]) -> list[Slice]:
    """An all-reduce of a group, which ends on all its ranks at once."""
    args = {
        **told(size=len(arrivals), Seq=number),
        **group(name, *arrivals),
        "Comms Id": f"{name} {number}",
    }
    return [reduction(rank, start, end, args) for rank, start in arrivals.items()]


SLICES = [
    *reduced(0, "dp", 100, {0: 0, 1: 10, 2: 40, 3: 40}),
    *reduced(0, "tp", 200, {0: 150, 1: 170}),
    *reduced(0, "pp", 200, {2: 150, 3: 150}),
    *reduced(1, "dp", 400, {0: 300, 1: 350, 2: 300, 3: 350}),
]
"""Ranks 2 and 3 come last to the first all-reduce of dp, 1 to that of tp, 1 and 3 to the last."""

EXPECTED = [
    # 40 + 30 us for 2 and 3; of the 50 us each that 0 and 2 waited at last, half are for rank 3
    ("gpu-b", 120, "dp", 2, 2, 2, 120, 70 + 25, 3, 35 + 50),
    ("gpu-b", 120, "pp", 2, 1, 0, 0, 0, None, None),
    ("gpu-a", 70, "dp", 2, 2, 1, 50, 25, 1, 50),
    ("gpu-a", 70, "tp", 2, 1, 1, 20, 0, 1, 20),
]


@pytest.fixture
def tp_tools(capfdbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capfdbinary)


def ranks_of(folder: Path, hosts: list[str]) -> Path:
    """Writes the ranks as files of their own, with the machine of each in its header."""
    for rank, host in enumerate(hosts):
        own = foreign(it for it in SLICES if it.rank == rank)
        events = text([{**it, "pid": 0} for it in own]).decode()
        head = {"host_name": host, "distributedInfo": {"rank": rank, "world_size": 4}}
        file = folder / f"rank{rank}.json"
        file.write_text(json.dumps(head)[:-1] + "," + events.lstrip().removeprefix("{"))
    return folder


def test_every_column_by_hand(tp_tools: TpTools, tmp_path: Path) -> None:
    """Two machines of two ranks: the slower one first, and its slower group."""
    folder = ranks_of(tmp_path, ["gpu-a", "gpu-a", "gpu-b", "gpu-b"])
    ran = tp_tools("query", "nodes", folder, "--format", "json")
    assert ran.code == 0, ran.err
    assert [tuple(row[it] for it in COLUMNS) for row in ran.rows()] == EXPECTED
    assert ran.rows()[0]["members"] == "[0, 1, 2, 3]"
    assert ran.rows()[0]["process_group_desc"] == "tp"


def test_an_unknown_machine_is_null(tp_tools: TpTools, tmp_path: Path) -> None:
    """Its ranks stand in rows of their own; what others elsewhere waited for them is not known."""
    folder = ranks_of(tmp_path, ["gpu-a", "gpu-a", "", "localhost"])
    rows = tp_tools("query", "nodes", folder, "--format", "json").rows()
    expected = [
        (None if row[0] == "gpu-b" else row[0], *row[1:7], None, *row[8:])
        if row[0] == "gpu-b"
        else row
        for row in EXPECTED
    ]
    assert [tuple(row[it] for it in COLUMNS) for row in rows] == expected


def test_a_merged_trace_names_no_machine(tp_tools: TpTools, tmp_path: Path) -> None:
    """Pasted in a viewer, or asked of a merge, all ranks are of one machine that is not known."""
    (tmp_path / "job").mkdir()
    folder = ranks_of(tmp_path / "job", ["gpu-a", "gpu-a", "gpu-b", "gpu-b"])
    assert tp_tools("merge", folder, "-o", tmp_path / "all.json", "--align", "base").code == 0
    assert "gpu-a" not in (tmp_path / "all.json").read_text()
    rows = tp_tools("query", "nodes", tmp_path / "all.json", "--format", "json").rows()
    assert {(row["host"], row["host_caused_wait_us"]) for row in rows} == {(None, 190)}
    by_group = {row["process_group"]: row["caused_wait_us"] for row in rows}
    assert by_group == {"dp": 170, "tp": 20, "pp": 0}
    assert len(ask("nodes", foreign(SLICES))) == 3
