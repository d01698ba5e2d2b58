"""The placed trace: slices on lossless lanes, as the Chrome JSON that TraceProcessor is given.

It holds what SQL needs to decide about overlaps and no more. Lanes look as in a repaired trace:
a thread of their own whose slices name their row in `args.tpt_tid`; trimmed slices have their
recorded duration in `args.tpt_recorded_dur`. Every slice carries the number of its event, so that
the rows of a query lead back to the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tp_tools.chrome.events import EXACT_BELOW_NS
from tp_tools.chrome.numbers import microseconds
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.chrome.events import Ints, Trace
    from tp_tools.slices import Slices

MAIN_TID = 1
"""tid of a row's own thread in the placed trace; lane n has tid n + 1, each row its own pid."""


def placed_json(
    trace: Trace, table: Slices, lane: Ints, recorded: Ints, chosen: Ints
) -> Iterator[bytes]:
    """Chrome JSON of the chosen slices, in blocks.

    Times are counted from the first chosen slice, so that a double holds them exactly.

    Args:
        trace: for names and categories.
        table: all slices.
        lane: their lanes, 0 for the row itself.
        recorded: where they ended before any of them was trimmed, ns.
        chosen: indices of the slices to write.

    Raises:
        InputError: the slices span more than Perfetto can read exactly.
    """
    start = int(table.ts[chosen].min()) // 1000 * 1000
    if int(table.end[chosen].max()) - start >= EXACT_BELOW_NS:
        raise InputError("slices that overlap lie more than 50 days apart: is a time wrong?")
    names = [_text(name) for name in trace.names]
    cats = [_text(cat) for cat in trace.cats]
    yield b'{"traceEvents":['
    separator = b""
    for i in chosen.tolist():
        event, row, on = int(table.event[i]), int(table.row[i]), int(lane[i])
        yield (
            separator + b'{"ph":"X","pid":%d,"tid":%d,"ts":%b,"dur":%b,"cat":%b,"name":%b,'
            b'"args":{%b%b"tpt_event":%d}}'
            % (
                row + 1,
                MAIN_TID + on,
                microseconds(int(table.ts[i]) - start),
                microseconds(int(table.end[i] - table.ts[i])),
                cats[trace.cat[event]],
                names[trace.name[event]],
                b'"tpt_tid":%d,"tpt_lane":%d,' % (MAIN_TID, on + 1) if on else b"",
                _recorded_dur(int(recorded[i] - table.ts[i]))
                if recorded[i] != table.end[i]
                else b"",
                event,
            )
        )
        separator = b",\n"
    yield b"]}"


def _recorded_dur(dur: int) -> bytes:
    return b'"tpt_recorded_dur":%b,' % microseconds(dur)


def _text(value: str) -> bytes:
    """A JSON string; v52 reads on past the quote of one that ends in a backslash."""
    return msgspec.json.encode(value.replace("\\", "/"))
