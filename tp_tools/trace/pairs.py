"""Pair the B and E events of a trace, as Perfetto does."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks, is_in, rows_where
from tp_tools.trace.model import NAMELESS, UNTIMED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Trace


def pairs(trace: Trace) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pair each E event with the last open B event of its track that it can end.

    B and E events without a partner are left out. Perfetto pairs them by the same rule (v52.0,
    importers/common/slice_tracker.cc).

    Returns:
        Numbers of the B events and of their E events.
    """
    marks = rows_where(
        len(trace), lambda block: is_in(trace.phase[block], b"BE") & (trace.ts[block] != UNTIMED)
    )
    is_begin = trace.phase[marks] == ord("B")
    first = is_begin if ends_come_first(trace) else marks
    order = np.lexsort((marks, first, trace.ts[marks]))
    open_by_track: dict[int, list[int]] = defaultdict(list)
    opening, closing = [], []
    for event, opens in zip(marks[order].tolist(), is_begin[order].tolist(), strict=True):
        stack = open_by_track[int(trace.track[event])]
        if opens:
            stack.append(event)
            continue
        depths = reversed(range(len(stack)))
        ended = next((i for i in depths if _can_end(trace, stack[i], event)), None)
        if ended is not None:
            opening.append(stack.pop(ended))
            closing.append(event)
    return np.array(opening, np.int32), np.array(closing, np.int32)


def ends_come_first(trace: Trace) -> bool:
    """Tell whether Perfetto takes E events before B events of the same time.

    It does where the trace holds an X event; else the order of the file counts. Source: Perfetto
    v52.0, sorter/trace_sorter.h: `use_slow_sorting_`.
    """
    return any(
        ((trace.phase[block] == ord("X")) & (trace.ts[block] != UNTIMED)).any()
        for block in blocks(len(trace))
    )


def _can_end(trace: Trace, opening: int, closing: int) -> bool:
    """Tell whether an E event can end a B event: a name or category of the E must be the B's."""
    name, cat = trace.name[closing], trace.cat[closing]
    return bool(
        (trace.names[name] in {"", NAMELESS} or name == trace.name[opening])
        and (not trace.cats[cat] or cat == trace.cat[opening])
    )
