"""Tell when ranks arrive at their collectives: not at the start of a kernel that had to wait.

Under programmatic dependent launch (PDL) a kernel starts early, while the one ahead of it on its
stream still runs, and waits for its end. The rule is that of `sql/tpt/kernel_turn.sql`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import distinct
from tp_tools.trace.categories import KERNEL, has_category
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints


def arrivals(trace: Trace, events: Ints) -> Ints:
    """Return when it was the turn of each kernel, in the trace's ns; of other events their start.

    Args:
        trace: the trace of a rank.
        events: int (n,), event numbers.

    Returns:
        int64 (n,): the start; where the kernel overlaps one that began before it on its track and
        does not outlast it, the end of that.
    """
    turns = trace.ts[events].astype(np.int64)
    is_kernel = is_phase(trace, "X") & has_category(trace, KERNEL)
    for track in distinct(trace.track[events]).tolist():
        chosen = np.flatnonzero((trace.track[events] == track) & is_kernel[events])
        kernels = np.flatnonzero(is_kernel & (trace.track == track))
        if not len(chosen):
            continue
        ts, end = trace.ts[kernels], trace.ts[kernels] + trace.dur[kernels]
        order = np.lexsort((kernels, end, ts))
        ts, end, kernels = ts[order], end[order], kernels[order]
        ahead = np.maximum.accumulate(end)[:-1]
        turn = ts.copy()
        waits = (ahead > ts[1:]) & (ahead < end[1:])
        turn[1:][waits] = ahead[waits]
        by_event = np.argsort(kernels)
        turns[chosen] = turn[by_event][np.searchsorted(kernels[by_event], events[chosen])]
    return turns
