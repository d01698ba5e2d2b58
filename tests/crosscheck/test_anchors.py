"""Annotations that both recordings have once say where they belong together."""

from __future__ import annotations

from msgspec.structs import replace

from fixtures.pairs import Seen, Workload
from tests.support.crosschecking import recorded
from tp_tools.crosscheck.anchors import anchor_names, cuts

WORKLOAD = Workload(steps=3)


def test_steps_that_both_have() -> None:
    """One began at step 1: its first kernel is the sixth of the other."""
    one, other = recorded(WORKLOAD, Seen(first=5)), recorded(WORKLOAD, Seen())
    names = anchor_names(one, other)
    assert names == ["step 1", "step 2"]
    assert cuts(one, other, names) == [(0, 5), (5, 10), (10, 15)]


def test_a_moment_in_another_order_is_left_out() -> None:
    """A name that stands for something else in the other recording costs none of the others."""
    one = recorded(WORKLOAD, Seen())
    other = replace(one, annotations={**one.annotations, "step 0": (900_000, 900_001)})
    assert cuts(one, other, anchor_names(one, other)) == [(5, 5), (10, 10), (15, 15)]
