"""Calls, kernels and the flow events between them, on a grid of microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.handmade import Event


def call(name: str, ts: int, dur: int, correlation: int | None = None, **more: Any) -> Event:  # noqa: ANN401
    """A call of whole microseconds on a CPU thread; `more` are other members."""
    args = {} if correlation is None else {"args": {"correlation": correlation}}
    event = {"ph": "X", "cat": "cuda_runtime", "name": name, "pid": 100, "tid": 100, **args}
    return {**event, "ts": ts, "dur": dur, **more}


def work(name: str, ts: int, dur: int, correlation: int | None = None, **more: Any) -> Event:  # noqa: ANN401
    """A kernel of whole microseconds."""
    return call(name, ts, dur, correlation, **{"cat": "kernel", "pid": 0, "tid": 7, **more})


def flow(number: object, start: Event, end: Event, **more: Any) -> list[Event]:  # noqa: ANN401
    """The flow events of a launch, where its slices start."""
    tie = {"cat": "ac2g", "name": "ac2g", "id": number, **more}
    ends = (("s", start, {}), ("f", end, {"bp": "e"}))
    return [
        {"ph": phase, **{key: slice_[key] for key in ("pid", "tid", "ts")}, **tie, **binding}
        for phase, slice_, binding in ends
    ]
