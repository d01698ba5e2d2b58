"""Strategies for small traces of GPU work, calls, ops and annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.support.gpu_traces import Event, call, copy, note, op, work

if TYPE_CHECKING:
    from collections.abc import Iterator

IDS = st.integers(0, 6)
TIMES = st.integers(0, 60).map(lambda time: 1_000 * time)
DURATIONS = st.integers(0, 20).map(lambda time: 1_000 * time)
THREADS = st.sampled_from([20, 21])


@st.composite
def gpu_events(draw: st.DrawFn) -> list[Event]:
    """GPU work in any relation to calls, ops and annotations: launched in them, or in none."""

    def some(most: int) -> Iterator[tuple[int, int, int, int]]:
        for _ in range(draw(st.integers(0, most))):
            ts = draw(TIMES)
            yield ts, ts + draw(DURATIONS), draw(IDS), draw(THREADS)

    kinds = st.sampled_from(["cudaLaunchKernel", "cudaGraphLaunch"])
    names = st.sampled_from(["ProfilerStep#1", "execute_model", "user", "## part ##"])
    found = [op(f"op{i % 3}", a, z, thread=t, **{"External id": i}) for a, z, i, t in some(6)]
    found += [call(draw(kinds), a, z, i, thread=t) for a, z, i, t in some(6)]
    found += [note(draw(names), a, z, thread=t) for a, z, _, t in some(4)]
    for make in (work, copy):
        for a, z, i, t in some(5):
            ids = {"correlation": i, "External id": draw(IDS)}
            found.append(make("Memcpy DtoD (Device -> Device)", a, z, stream=t, **ids))
    return found
