"""Slices of one ns that merged JSON cannot show are said, and those that it shows are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.support.command_line import TpTools
from tests.support.handmade import Event, mark, x
from tp_tools import engine

if TYPE_CHECKING:
    from pathlib import Path

REST = [mark("B", 6_000, name="b"), mark("E", 9_000)]
PLAIN = [mark("B", 5_000, name="a"), mark("E", 5_000), *REST]
PAIR = [mark("B", 5_000, name="a"), mark("E", 5_000, args={"k": 1}), *REST]
"""A slice of 0 ns and one of 3 us, of B and E events; the E event of the first has args."""
AFTER = x("x", 10_000, 12_000)
SAID = "rank 0: 1 slice of a B and an E event of the same ns"


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs `tp-tools`, in this process."""
    return TpTools(capsysbinary)


def job(folder: Path, *ranks: list[Event]) -> list[str]:
    """Files of the ranks of a job."""
    paths = [folder / f"rank{rank}.json" for rank in range(len(ranks))]
    for path, events in zip(paths, ranks, strict=True):
        path.write_bytes(msgspec.json.encode(events))
    return [str(path) for path in paths]


def durations(path: Path) -> list[tuple[str, int]]:
    """(name, ns) of the slices that TraceProcessor shows of B and E events."""
    query = "SELECT name, dur FROM slice WHERE name IN ('a', 'b') ORDER BY ts, name"
    with engine.load([path.read_bytes()], source="out", allow_loss=True) as tp:
        return engine.rows(tp, query)


@pytest.mark.parametrize("ranks", [[PAIR, [AFTER, *PAIR]], [[*PAIR, AFTER], [AFTER]]])
def test_what_merged_json_shows_otherwise_is_said(
    ranks: list[list[Event]], tmp_path: Path, tp_tools: TpTools
) -> None:
    """A slice that its own file shows, and merged JSON does not, is counted, and never proved."""
    files = job(tmp_path, *ranks)
    out = tmp_path / "out.json"
    said = tp_tools("merge", *files, "-o", out)
    assert said.code == 0
    assert said.err.count(SAID) == 1
    assert ("a", 0) not in durations(out)
    refused = tp_tools("merge", *files, "-o", out, "--verify", "--force")
    assert refused.code == 4
    assert SAID in refused.err
    whole = tmp_path / "out.pftrace"
    assert SAID not in tp_tools("merge", *files, "-o", whole).err
    assert ("a", 0) in durations(whole)


@pytest.mark.parametrize(
    "ranks",
    [[PAIR, PAIR], [[*PAIR, AFTER]], [[AFTER, *PAIR], [AFTER, *PAIR]], [REST, [AFTER]]],
    ids=["no X event", "one rank", "both sorted", "no such slice"],
)
def test_what_merged_json_shows_alike_is_no_loss(
    ranks: list[list[Event]], tmp_path: Path, tp_tools: TpTools
) -> None:
    """Where the merge changes nothing about a slice it says nothing, and proves the file."""
    said = tp_tools("merge", *job(tmp_path, *ranks), "-o", tmp_path / "out.json", "--verify")
    assert (said.code, "same ns" in said.err) == (0, False)


@pytest.mark.parametrize("output", ["out.json", "out.pftrace"])
def test_slices_of_0_ns_without_args_are_shown(
    output: str, tmp_path: Path, tp_tools: TpTools
) -> None:
    """An E event without args is joined with its B event, so that merged JSON shows them right."""
    files = job(tmp_path, PLAIN, [AFTER, *PLAIN])
    proof = ["--verify"] if output == "out.json" else []
    said = tp_tools("merge", *files, "-o", tmp_path / output, *proof)
    assert (said.code, "same ns" in said.err) == (0, False)
    assert durations(tmp_path / output) == [("a", 0), ("a", 0), ("b", 3_000), ("b", 3_000)]
