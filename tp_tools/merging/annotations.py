"""The annotation in which a kernel was launched: what PyTorch says about a collective there.

NCCL kernels that say nothing themselves were launched inside a `user_annotation` such as
`nccl:all_to_all`, or a `record_param_comms`, on the thread of their launch call: PyTorch,
torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import is_in
from tp_tools.trace.model import NO_ID, UNTIMED, is_phase

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints, Trace

KERNEL_CATS = ("kernel", "Kernel")
PREFIX = "nccl:"
PARAMS = "record_param_comms"
_LAUNCH_CATS = ("cuda_runtime", "cuda_driver", "Runtime")


def annotations_around(trace: Trace, kernels: Ints) -> dict[int, list[int]]:
    """The annotations and `record_param_comms` around the launch of each kernel, innermost first.

    Args:
        trace: the trace.
        kernels: numbers of events.
    """
    launch = _launches(trace, kernels)
    names = [
        code for code, name in enumerate(trace.names) if name == PARAMS or name.startswith(PREFIX)
    ]
    timed = is_phase(trace, "X") & (trace.ts != UNTIMED) & (trace.dur >= 0)
    marks = np.flatnonzero(timed & is_in(trace.name, names))
    calls = np.array(sorted(set(launch.values())), np.int64)
    around = _around(trace, calls, marks)
    return {kernel: around[call] for kernel, call in launch.items() if call in around}


def _launches(trace: Trace, kernels: Ints) -> dict[int, int]:
    """The call that launched each kernel: they share a correlation."""
    cats = [code for code, cat in enumerate(trace.cats) if cat in _LAUNCH_CATS]
    calls = np.flatnonzero(is_phase(trace, "X") & is_in(trace.cat, cats) & (trace.link != NO_ID))
    by_link = dict(zip(trace.link[calls].tolist(), calls.tolist(), strict=True))
    links = zip(kernels.tolist(), trace.link[kernels].tolist(), strict=True)
    return {kernel: by_link[link] for kernel, link in links if link in by_link}


def _around(trace: Trace, calls: Ints, marks: Ints) -> dict[int, list[int]]:
    """The marks that are open when each call starts, by call: a sweep over each thread."""
    found: dict[int, list[int]] = {}
    events = np.concatenate([marks, calls])
    is_call = np.arange(len(events)) >= len(marks)
    dur = np.where(is_call, -1, trace.dur[events].astype(np.int64))  # at one time calls come last
    order = np.lexsort((events, -dur, trace.ts[events], trace.track[events]))
    track, open_marks = -1, list[int]()
    for event, calls_here in zip(events[order].tolist(), is_call[order].tolist(), strict=True):
        if trace.track[event] != track:
            track, open_marks = int(trace.track[event]), []
        start = int(trace.ts[event])
        open_marks = [it for it in open_marks if int(trace.ts[it]) + int(trace.dur[it]) >= start]
        if not calls_here:
            open_marks.append(event)
        elif open_marks:
            found[event] = open_marks[::-1]
    return found
