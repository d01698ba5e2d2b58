"""The tracks of collectives: Perfetto shows each of them, and its parts."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import LOADING, PURE
from tp_tools import engine
from tp_tools.merging.collective_tracks import Collective, RankKernel, events

TIMES = st.lists(st.integers(0, 40), min_size=2, max_size=3)
GROUPS = st.lists(st.tuples(TIMES, st.integers(0, 30)), min_size=1, max_size=8)


def collective(number: int, arrivals: list[int], lasts: int) -> Collective:
    """One whose ranks arrive at given times, and leave together after the last."""
    end = max(arrivals) + lasts
    kernels = [RankKernel(rank, 9, rank, at, end, at, True) for rank, at in enumerate(arrivals)]
    return Collective(number, "tp", "all_reduce", 8, "", 1, 2, "seq", "certain", kernels)


def written(drawn: list[tuple[list[int], int]]) -> bytes:
    """The trace of these collectives, of one process group."""
    made = [collective(number, *it) for number, it in enumerate(drawn)]
    return b"[" + b"".join(text for text, _ in events(made, 1, links=False)).rstrip(b",\n") + b"]"


def spans(text: bytes) -> list[tuple[int, str, int, int]]:
    """Track, category, start and end of each slice, ns."""
    return [
        (it["tid"], it["cat"], start := round(it["ts"] * 1000), start + round(it["dur"] * 1000))
        for it in json.loads(text)
        if it.get("ph") == "X"
    ]


@PURE
@given(GROUPS)
def test_no_two_of_a_track_are_open_together(
    drawn: list[tuple[list[int], int]],
) -> None:
    """Also those that lie in another one, as where a barrier was matched wrongly."""
    found = sorted(it for it in spans(written(drawn)) if it[1] == "collective")
    assert len(found) == len(drawn)
    assert all(a[0] != b[0] or a[3] <= b[2] for a, b in pairwise(found))
    open_with = [sum(a[2] <= b[2] < a[3] for a in found if a is not b) for b in found]
    assert {it[0] for it in found} == set(range(2, 3 + max(open_with)))


@LOADING
@given(GROUPS)
def test_each_slice_is_shown(drawn: list[tuple[list[int], int]]) -> None:
    """Waiting and wire, too, to the nanosecond."""
    text = written(drawn)
    with engine.load([text], source="collectives", allow_loss=True) as tp:
        assert engine.losses(tp) == {}
        shown = engine.rows(tp, "SELECT ts, ts + dur FROM slice")
    assert Counter(shown) == Counter(it[2:] for it in spans(text))
