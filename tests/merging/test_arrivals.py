"""Arrivals are those of `sql/tpt/kernel_turn.sql`: kernels that started under PDL had to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.gpu_traces import copy, work
from tests.support.handmade import fixed, loaded, text, trace_of
from tests.support.strategies import LOADING
from tp_tools import engine
from tp_tools.merging.arrivals import arrivals

if TYPE_CHECKING:
    from tests.support.gpu_traces import Event

KERNELS = st.tuples(st.integers(0, 40), st.integers(1, 30), st.sampled_from([7, 20]))
TURNS = """
INCLUDE PERFETTO MODULE tpt.kernel_turn;
SELECT slice.name, turn.turn FROM tpt_kernel_turn AS turn JOIN slice USING (id)
"""


def arrivals_of(events: list[Event]) -> dict[str, int]:
    """When each event arrived, by its name."""
    trace = trace_of(text(events))
    numbers = np.flatnonzero(trace.phase == ord("X"))
    names = [trace.names[trace.name[number]] for number in numbers.tolist()]
    return dict(zip(names, arrivals(trace, numbers).tolist(), strict=True))


def test_by_hand() -> None:
    """A kernel waits for the one ahead of it on its stream, not for what outlasts it or a copy."""
    assert arrivals_of(
        [
            work("a", 0, 50),
            work("early", 40, 90),  # began under PDL: its turn is at 50
            work("after", 100, 300),
            work("inner", 150, 200),  # outlasted by the one ahead
            work("other", 20, 60, stream=20),
            copy("copy", 280, 320),
            work("behind copy", 310, 400),
        ]
    ) == {
        "a": 0,
        "early": 50,
        "after": 100,
        "inner": 150,
        "other": 20,
        "copy": 280,
        "behind copy": 310,
    }


@LOADING
@given(st.lists(KERNELS, min_size=1, max_size=12))
def test_as_in_sql(kernels: list[tuple[int, int, int]]) -> None:
    """The same for all kernels of any trace as the library's SQL finds in the repaired trace."""
    events = [
        work(f"k{i}", 10_000 * ts, 10_000 * (ts + dur), stream=stream)
        for i, (ts, dur, stream) in enumerate(kernels)
    ]
    with loaded(fixed(text(events)).data) as tp:
        assert arrivals_of(events) == dict(engine.rows(tp, TURNS))
