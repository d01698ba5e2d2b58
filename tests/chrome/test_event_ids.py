"""Ids that tie events together: each event's number leads back to the id that it wrote."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.chrome.event_ids import ids_of_events, numbered_ids
from tp_tools.chrome.schema import DECODER
from tp_tools.trace.model import NO_ID


@PURE
@given(
    st.lists(st.integers(0, 20) | st.integers(0, 10**18 - 1) | st.just(NO_ID) | st.integers(-4, -2))
)
def test_each_number_leads_back_to_its_id(written: list[int]) -> None:
    """Whether ids are counted up or far apart, numbers or text; those without one have none."""
    odd = [b'"a"', b"-1", b"1.5"]
    code, links = numbered_ids(np.array(written, np.int64), odd)
    texts = [links[number] if number != NO_ID else None for number in code.tolist()]
    assert texts == [
        b"%d" % value if value >= 0 else odd[-2 - value] if value < NO_ID else None
        for value in written
    ]
    assert len(set(links)) == len(links)


@pytest.mark.parametrize("last", [9, 10**17])
def test_ids_are_in_order(last: int) -> None:
    """Numbers ascend, so that files of the same ids number them alike; text comes behind."""
    code, links = numbered_ids(np.array([last, 3, -2, 3, 5, -1]), [b'"t"'])
    assert list(links) == [b"3", b"5", b"%d" % last, b'"t"']
    assert code.tolist() == [2, 0, 3, 0, 1, NO_ID]


@pytest.mark.parametrize("phase", ["X", "XX", "B", "i", "R", "s"])
def test_the_id_of_a_slice_is_its_correlation(phase: str) -> None:
    """Perfetto reads the first character of a phase: "XX" is a slice; flow events have their id."""
    event = msgspec.json.encode({"ph": phase, "id": 5, "args": {"correlation": 7}})
    link, texts = ids_of_events(DECODER.decode(b"[%b]" % event))
    assert (link.tolist(), texts) == ([5 if phase == "s" else 7], [])
