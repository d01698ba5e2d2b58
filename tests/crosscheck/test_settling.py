"""Losses slide to where the recording that lacks the kernels has calls for them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fixtures.pairs import Seen, Workload
from tests.support.crosschecking import column, recorded
from tp_tools.crosscheck.settling import calls_between, runs, settle, slides

CODES = column([0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("run", "barriers", "expected"),
    [
        ((2, 4), (), (2, 2)),
        ((2, 4), (3,), (2, 2)),  # within it
        ((2, 4), (1, 5), (1, 1)),
        ((0, 2), (), (0, 4)),
        ((1, 2), (), (0, 0)),
    ],
)
def test_slides(run: tuple[int, int], barriers: tuple[int, ...], expected: tuple[int, int]) -> None:
    """A run slides over what repeats, up to an end or a barrier."""
    matched = column([it for it in range(6) if not run[0] <= it < run[1]])
    found, lost = runs(6, matched)
    assert found == [run]
    assert slides(CODES, lost, run, set(barriers)) == expected


def test_calls_between_launches() -> None:
    """Those after the one launch and before the other; -1 and the length stand for the ends."""
    lacking = recorded(Workload(steps=1), Seen())
    lacking = replace(lacking, calls=column([500, 12_000, 13_000, 99_000]))
    found = calls_between(lacking, column([-1, 1, 4]), column([0, 2, 5]))
    assert found.tolist() == [1, 2, 1]


@pytest.mark.parametrize("number", range(6))
def test_a_loss_settles_at_its_call(number: int) -> None:
    """Of six equal launches the one is taken whose call has no kernel, wherever it was matched."""
    workload = Workload(steps=6, layers=((0, 8),))
    lacking = recorded(workload, Seen(records=[number]))
    for matched in range(6):
        own = column([it for it in range(6) if it != matched])
        found = settle(lacking, column([0] * 6), own, column(range(5)), set())
        assert found.tolist() == [it for it in range(6) if it != number]


def test_a_loss_stays_where_no_call_says_more() -> None:
    """Without calls the matches are as they were."""
    lacking = recorded(Workload(steps=6, layers=((0, 8),)), Seen(lost=[2]))
    own = column([0, 1, 2, 3, 5])
    assert settle(lacking, column([0] * 6), own, column(range(5)), set()).tolist() == own.tolist()
