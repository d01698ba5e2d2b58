"""Traces of captured CUDA graphs, and of their replays; times in ns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.gpu_traces import PROCESS, THREAD, Event, ask, call, copy, slice_of, work

if TYPE_CHECKING:
    from collections.abc import Sequence

Launch = tuple[str, str | None, str]
"""Call, kernel (None: the profiler does not write it), and module within the model."""

LAYER: list[Launch] = [
    ("hipLaunchKernel", "norm", "Norm_0"),
    ("hipModuleLaunchKernel", "gemm", "Linear_0"),
    ("hipMemcpyAsync", None, "Linear_0"),
    ("hipLaunchKernel", "gelu", "Mlp_0"),
]


def capture(graphs: Sequence[Sequence[Launch]]) -> list[Event]:
    """A forward of Model_0 per graph: a call every 10 ns, each within a module of its own."""
    events, at = [], 1000
    for launches in graphs:
        start, at = at, at + 10
        events.append(call("hipStreamBeginCapture", start, start + 2, 0))
        for name, kernel, module in launches:
            told = {} if kernel is None else {"kernel": kernel}
            row = (PROCESS, THREAD)
            events += [
                slice_of("python_function", f"nn.Module: {module}", row, at, at + 9),
                slice_of("cuda_runtime", name, row, at + 2, at + 4, **told),
            ]
            at += 10
        model = slice_of(
            "python_function", "nn.Module: Model_0", (PROCESS, THREAD), start + 5, at + 1
        )
        events += [model, call("hipStreamEndCapture", at + 2, at + 4, 0)]
        at += 100
    return events


def replay(names: Sequence[str], correlation: int = 1, at: int = 0) -> list[Event]:
    """A replay whose pieces take 10, 20, 30... ns; names that begin with Mem are copies."""
    events, now = [call("hipGraphLaunch", at, at + 5, correlation)], at + 10
    for place, name in enumerate(names, 1):
        make = copy if name.startswith("Mem") else work
        events.append(make(name, now, now + 10 * place, correlation=correlation))
        now += 10 * place
    return events


def captured_launches(events: list[Event]) -> str:
    """The value of the parameter `captures`, from a trace of captures."""
    columns = ("graph", "node", "is_copy", "kernel_hash", "path", "op", "op_call", "dims")
    return json.dumps([[row[name] for name in columns] for row in ask("captures", events)])


RAN = ["norm", "gemm", "Memcpy DtoD (Device -> Device)", "gelu"]
