"""All that is to be written, worked out from columns before the text is read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.writing.pftrace.descriptors import tracks
from tp_tools.writing.pftrace.flows import Flows, flows
from tp_tools.writing.pftrace.ordering import defer_order
from tp_tools.writing.pftrace.thread_events import thread_events

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices
    from tp_tools.writing.pftrace.descriptors import Tracks
    from tp_tools.writing.pftrace.options import PftraceOptions
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents


@dataclass(frozen=True)
class Layout:
    """What is to be written.

    Attributes:
        trace, plan, part: what it was worked out from.
        is_wanted: which events are wanted, one flag per event.
        found: slices and instants on the rows of threads.
        arrows: between these.
        tracks: where they lie.
        run: in which run of events all args of an entry of `found` are known.
        level: 0 for entries that are written with their run; see order.py.
        first_ns: the earliest time, rebased; 0 where there is none.
    """

    trace: Trace
    plan: Plan
    part: PftraceOptions
    is_wanted: NDArray[np.bool_]
    found: ThreadEvents
    arrows: Flows
    tracks: Tracks
    run: Codes
    level: Codes
    first_ns: int


def lay_out(
    trace: Trace, table: Slices, plan: Plan, part: PftraceOptions, keep: NDArray[np.bool_] | None
) -> Layout:
    """Works out what is to be written.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: what to change.
        part: where it stands among other traces of the file.
        keep: which events are wanted, one flag per event; None is all of them.
    """
    is_wanted = (trace.ts != UNTIMED) | is_phase(trace, "M")
    if keep is not None:
        is_wanted &= keep
    found = thread_events(trace, table, plan, is_wanted)
    drawn = flows(trace, plan, found, is_wanted)
    run = _runs(trace, found)
    _, ordered = drawn.at_one_time(found)
    timed = trace.ts[(trace.ts != UNTIMED) & ~is_phase(trace, "M")]
    return Layout(
        trace=trace,
        plan=plan,
        part=part,
        is_wanted=is_wanted,
        found=found,
        arrows=drawn,
        tracks=tracks(trace, plan, found, part),
        run=run,
        level=defer_order(found, run, Flows(drawn.out[ordered], drawn.into[ordered])),
        first_ns=int(timed.min()) - plan.rebase_ns if len(timed) else 0,
    )


def _runs(trace: Trace, found: ThreadEvents) -> Codes:
    """The number of the run in which each entry's event is read, or its E if that is later."""
    firsts = np.array([span.first for span in trace.batches])
    run = np.searchsorted(firsts, found.event, "right") - 1
    closing = np.searchsorted(firsts, found.closing, "right") - 1
    return np.maximum(run, np.where(found.closing < 0, 0, closing)).astype(np.int32)
