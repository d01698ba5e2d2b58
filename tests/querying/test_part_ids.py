"""Slices of ranks are numbered as in one trace."""

from __future__ import annotations

from tp_tools.querying.part_ids import SliceNumbers


def test_slices_are_numbered_by_start_then_the_longest_then_the_place() -> None:
    """Of those that were noted; ranks without any are ranks, too."""
    found = SliceNumbers()
    found.note([0, 2], [(5, 1), (6, 1), (7, 1)])
    found.note([], [])
    found.note([1, 0, 1], [(5, 2), (7, 1)])
    assert found.numbers() == [{0: 1, 2: 2}, {}, {0: 0, 1: 3}]
    assert SliceNumbers().numbers() == []
