"""Crowds of slices that overlap are repaired by the rule of sql/overlaps.sql, without SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.handmade import overlap_options, repairs_in, text, x
from tests.support.overlap_model import repairs_of
from tests.support.strategies import PURE, events_of, traces

if TYPE_CHECKING:
    from tests.support.overlap_model import Slice


@PURE
@given(traces(), st.sampled_from([0, 500, 1000, 2000]))
def test_crowds_are_repaired_by_the_same_rule(trace: list[list[Slice]], tolerance: int) -> None:
    """Python decides about crowds as loops over all pairs do, if any two lanes are a crowd."""
    crowded = replace(overlap_options(tolerance), max_lanes=1)
    assert repairs_in(text(events_of(trace)), crowded) == repairs_of(trace, tolerance)


@pytest.mark.parametrize("cat", ["kernel", "cpu_op", "user_annotation"])
def test_many_slices_that_all_overlap(cat: str) -> None:
    """Slice n of 3,000 goes to lane n; SQL is not asked about 4.5 million pairs."""
    events = [x(str(n), 2_000 * n, 9_000_000 + 2_000 * n, cat=cat) for n in range(3_000)]
    found = repairs_in(text(events), overlap_options())
    assert {name: lane for name, (lane, _) in found.items()} == {
        str(n): n + 1 for n in range(1, 3_000)
    }
