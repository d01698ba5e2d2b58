"""Whether transfers explain how far apart the ends of collectives lie."""

from __future__ import annotations

import numpy as np
import pytest

from tp_tools.alignment.base_times import EndSpreads, end_spreads

MS = 1_000_000


def spreads(apart: list[int], length: list[int]) -> EndSpreads:
    """Spreads of collectives, ns."""
    return EndSpreads(np.array(apart), np.array(length))


def test_spreads_are_of_each_collective() -> None:
    """Apart is from the first end to the last, the length that of the shortest kernel."""
    collective = np.array([0, 1, 0, 1])
    found = end_spreads(collective, np.array([0, 50, 8, 70]), np.array([10, 90, 13, 100]))
    assert found.apart.tolist() == [3, 10]
    assert found.length.tolist() == [5, 30]


@pytest.mark.parametrize(
    ("apart", "length", "is_explained"),
    [
        ([300_000] * 8, [3 * MS] * 8, True),
        ([600_000] * 8, [3 * MS] * 8, False),
        ([3_000] * 8, [100_000] * 8, False),  # close enough to correct microseconds
        # the shorter ones say that a clock is off
        ([300_000] * 40, [30_000] * 10 + [30 * MS] * 30, False),
        ([], [], False),
    ],
)
def test_what_transfers_explain(apart: list[int], length: list[int], is_explained: bool) -> None:
    """An eighth of the transfer of the shorter collectives, and more than the errors of clocks."""
    assert spreads(apart, length).is_explained() == is_explained


@pytest.mark.parametrize(("apart_us", "is_explained"), [(40, False), (900, True), (1_700, False)])
def test_on_one_machine_transfers_explain_more(apart_us: int, is_explained: bool) -> None:
    """A fixed delay of PCIe is up to half of a short transfer; what is longer is another clock."""
    found = spreads([apart_us * 1_000] * 8, [2 * MS] * 8)
    assert found.is_explained(one_machine=True) == is_explained
