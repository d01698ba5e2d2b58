"""The placed trace: slices on lossless lanes, as the Chrome JSON that TraceProcessor is given.

It holds what SQL needs to decide about overlaps and no more. Lanes look as in a repaired trace:
a thread of their own whose slices name their row in `args.tpt_tid`; trimmed slices have their
recorded duration in `args.tpt_recorded_dur`. Every slice carries the number of its event, so that
the rows of a query lead back to the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tp_tools.chrome.timestamps import microseconds
from tp_tools.columns import distinct, iterate_rows
from tp_tools.errors import InputError
from tp_tools.trace.model import EXACT_BELOW_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slice_times import Times
    from tp_tools.trace.slices import Slices

MAIN_TID = 1
"""tid of a row's own thread in the placed trace; lane n has tid n + 1, each row its own pid."""


def placed_json(
    trace: Trace, table: Slices, lane: Ints, recorded: Times, chosen: Ints
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
    event, ts, end = table.event[chosen], table.ts[chosen], table.end[chosen]
    start = int(ts.min()) // 1000 * 1000
    if int(end.max()) - start >= EXACT_BELOW_NS:
        raise InputError("slices that overlap lie more than 50 days apart: is a time wrong?")
    cat, name = trace.cat[event], trace.name[event]
    cats = {code: _text(trace.cats[code]) for code in distinct(cat).tolist()}
    names = {code: _text(trace.names[code]) for code in distinct(name).tolist()}
    columns = (event, table.row[chosen], lane[chosen], ts - start, end - ts, recorded[chosen] - ts)
    yield b'{"traceEvents":['
    separator = b""
    for number, row, on, since, dur, was, its_cat, its_name in iterate_rows(*columns, cat, name):
        yield (
            separator + b'{"ph":"X","pid":%d,"tid":%d,"ts":%b,"dur":%b,"cat":%b,"name":%b,'
            b'"args":{%b%b"tpt_event":%d}}'
            % (
                row + 1,
                MAIN_TID + on,
                microseconds(since),
                microseconds(dur),
                cats[its_cat],
                names[its_name],
                b'"tpt_tid":%d,"tpt_lane":%d,' % (MAIN_TID, on + 1) if on else b"",
                b'"tpt_recorded_dur":%b,' % microseconds(was) if was != dur else b"",
                number,
            )
        )
        separator = b",\n"
    yield b"]}"


def _text(value: str) -> bytes:
    """A JSON string; v52 reads on past the quote of one that ends in a backslash."""
    return msgspec.json.encode(value.replace("\\", "/"))
