"""Find the annotations in which a kernel was launched: they describe its collective.

NCCL kernels without args about their collective were launched inside a `user_annotation` such as
`nccl:all_to_all`, a `record_param_comms`, or an op such as `c10d::allreduce_`, on the thread of
their launch call: PyTorch, torch/csrc/distributed/c10d, ProcessGroupNCCL.cpp, Ops.cpp and
Functional.cpp. `sql/tpt/collective/annotation.sql` has the same rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import is_in
from tp_tools.trace.categories import has_category
from tp_tools.trace.model import NO_ID, UNTIMED, is_phase

if TYPE_CHECKING:
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints

PREFIX = "nccl:"
PARAMS = "record_param_comms"
OPS = ("c10d::", "c10d_functional::", "_c10d_functional::")
_LAUNCH_CATS = ("cuda_runtime", "cuda_driver", "Runtime")


def annotations_around(trace: Trace, kernels: Ints) -> dict[int, list[int]]:
    """Find the annotations, `record_param_comms` and ops around the launch of each kernel.

    Args:
        trace: the trace.
        kernels: int (n,), event numbers.

    Returns:
        Event numbers of all of them, innermost first, by kernel; kernels without any are left out.
    """
    launch = _launches(trace, kernels)
    names = [
        code
        for code, name in enumerate(trace.names)
        if name == PARAMS or name.startswith((PREFIX, *OPS))
    ]
    timed = is_phase(trace, "X") & (trace.ts != UNTIMED) & (trace.dur >= 0)
    marks = np.flatnonzero(timed & is_in(trace.name, names))
    calls = np.array(sorted(set(launch.values())), np.int64)
    around = _around(trace, calls, marks)
    return {kernel: around[call] for kernel, call in launch.items() if call in around}


def _launches(trace: Trace, kernels: Ints) -> dict[int, int]:
    """Return the call that launched each kernel: they share a correlation."""
    is_call = is_phase(trace, "X") & has_category(trace, _LAUNCH_CATS)
    calls = np.flatnonzero(is_call & (trace.link != NO_ID))
    by_link = dict(zip(trace.link[calls].tolist(), calls.tolist(), strict=True))
    links = zip(kernels.tolist(), trace.link[kernels].tolist(), strict=True)
    return {kernel: by_link[link] for kernel, link in links if link in by_link}


def _around(trace: Trace, calls: Ints, marks: Ints) -> dict[int, list[int]]:
    """Find the marks that are open when each call starts, by a sweep over each thread.

    Args:
        trace: the trace.
        calls: int, event numbers of launch calls.
        marks: int, event numbers of annotations.

    Returns:
        The open marks of each call, innermost first, by call.
    """
    around: dict[int, list[int]] = {}
    events = np.concatenate([marks, calls])
    is_call = np.arange(len(events)) >= len(marks)
    dur = np.where(is_call, -1, trace.dur[events].astype(np.int64))  # at one time calls come last
    order = np.lexsort((events, -dur, trace.ts[events], trace.track[events]))
    track, open_marks = -1, list[int]()
    for event, is_a_call in zip(events[order].tolist(), is_call[order].tolist(), strict=True):
        if trace.track[event] != track:
            track, open_marks = int(trace.track[event]), []
        start = int(trace.ts[event])
        open_marks = [
            mark for mark in open_marks if int(trace.ts[mark]) + int(trace.dur[mark]) >= start
        ]
        if not is_a_call:
            open_marks.append(event)
        elif open_marks:
            around[event] = open_marks[::-1]
    return around
