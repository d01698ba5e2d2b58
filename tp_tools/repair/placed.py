"""Write slices on lossless lanes as Chrome JSON, for TraceProcessor to decide about overlaps.

The JSON holds only the columns that sql/overlaps.sql reads. Lanes look as in a repaired trace: each
is a thread, and its slices name their track in `args.tpt_tid`; trimmed slices have their recorded
duration in `args.tpt_recorded_dur`. `args.tpt_event` is the number of the event in the file, so
that a row of the query leads back to it.
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

    from tp_tools.trace import Slices, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.trace.slice_times import Times

MAIN_TID = 1
"""tid of lane 0 in the JSON; lane n has tid n + 1, and each track has a pid of its own."""


def placed_json(
    trace: Trace, table: Slices, lane: Ints, recorded: Times, chosen: Ints
) -> Iterator[bytes]:
    """Write the chosen slices as Chrome JSON.

    Times count from the start of the first chosen slice, so that a double holds them exactly.

    Args:
        trace: the trace, for names and categories.
        table: all slices.
        lane: int (slices,), their lanes, 0 for the track itself.
        recorded: recorded ends of the slices, before any trim, ns.
        chosen: indices of the slices to write.

    Yields:
        Blocks of JSON text.

    Raises:
        InputError: the slices span more time than Perfetto can read exactly.
    """
    event, ts, end = table.event[chosen], table.ts[chosen], table.end[chosen]
    start = int(ts.min()) // 1000 * 1000
    if int(end.max()) - start >= EXACT_BELOW_NS:
        raise InputError("slices that overlap lie more than 50 days apart: is a time wrong?")
    cat, name = trace.cat[event], trace.name[event]
    cats = {code: _text(trace.cats[code]) for code in distinct(cat).tolist()}
    names = {code: _text(trace.names[code]) for code in distinct(name).tolist()}
    columns = (
        event,
        table.track[chosen],
        lane[chosen],
        ts - start,
        end - ts,
        recorded[chosen] - ts,
    )
    yield b'{"traceEvents":['
    separator = b""
    for number, track, on, since, dur, was, cat_code, name_code in iterate_rows(
        *columns, cat, name
    ):
        texts = cats[cat_code], names[name_code]
        yield separator + _slice_json(number, track, on, since, dur, was, *texts)
        separator = b",\n"
    yield b"]}"


def _slice_json(  # noqa: PLR0917  a row of the columns
    event: int, track: int, lane: int, ts: int, dur: int, recorded: int, cat: bytes, name: bytes
) -> bytes:
    """Write one slice; times in ns, `cat` and `name` as JSON strings."""
    return (
        b'{"ph":"X","pid":%d,"tid":%d,"ts":%b,"dur":%b,"cat":%b,"name":%b,'
        b'"args":{%b%b"tpt_event":%d}}'
        % (
            track + 1,
            MAIN_TID + lane,
            microseconds(ts),
            microseconds(dur),
            cat,
            name,
            b'"tpt_tid":%d,"tpt_lane":%d,' % (MAIN_TID, lane + 1) if lane else b"",
            b'"tpt_recorded_dur":%b,' % microseconds(recorded) if recorded != dur else b"",
            event,
        )
    )


def _text(value: str) -> bytes:
    """Encode a JSON string without backslashes: v52 reads past the end of one that ends in one."""
    return msgspec.json.encode(value.replace("\\", "/"))
