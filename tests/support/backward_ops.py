"""Ops of the forward and the backward pass, and kernels that a thread launches."""

from __future__ import annotations

from tests.support.gpu_traces import THREAD, Event, call, op, work

BACKWARD_THREAD = 21


def kernel(number: int, launch: int, dur: int, *, thread: int = THREAD) -> list[Event]:
    """A kernel that a call on a thread launches at a time."""
    start = 100_000 + 1_000 * number
    return [
        call("cudaLaunchKernel", launch, launch + 2, number, thread=thread),
        work(f"k{number}", start, start + dur, correlation=number),
    ]


def numbered(name: str, ts: int, end: int, number: int, thread: int = THREAD) -> Event:
    """An op of the forward pass that autograd numbers."""
    return op(name, ts, end, thread=thread, **{"Sequence number": number, "Fwd thread id": 0})


def backward(name: str, ts: int, end: int, number: int, forward_thread: int = 1) -> Event:
    """An op of the backward pass."""
    args = {"Sequence number": number, "Fwd thread id": forward_thread}
    return op(name, ts, end, thread=BACKWARD_THREAD, **args)
