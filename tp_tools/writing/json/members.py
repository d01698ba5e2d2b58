"""Find the bounds of the events in the text of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints

_MANY = 64  # events of a batch from which on comparing the separators at once pays
_DECODER = msgspec.json.Decoder(list[msgspec.Raw])


def event_bounds(text: bytes, count: int) -> tuple[Ints, Ints] | None:
    """Find where each event of a batch begins and ends.

    Args:
        text: text of the batch, with the separator before it.
        count: expected number of events.

    Returns:
        Two int64 arrays (count,) of byte offsets in the text; None if it holds another number.
    """
    first = text.find(b"{")
    try:
        raws = _DECODER.decode(b"".join((b"[", memoryview(text)[first:], b"]"))) if count else []
    except msgspec.DecodeError:
        return None
    if len(raws) != count:
        return None
    size = np.fromiter(map(len, raws), np.int64, len(raws))
    stops = _evenly_spaced(text, first, size)
    if stops is None:
        stops = _one_by_one(text, size)
    return stops - size, stops


def _one_by_one(text: bytes, sizes: Ints) -> Ints:
    """Find the end of each event by searching its first brace.

    Args:
        text: text of the batch.
        sizes: int64 (events,), bytes of each event.
    """
    stops, stop = [], 0
    for size in sizes.tolist():
        stop = text.index(b"{", stop) + size
        stops.append(stop)
    return np.array(stops, np.int64)


def _evenly_spaced(text: bytes, first: int, sizes: Ints) -> Ints | None:
    """Find the end of each event, where one separator stands between all events; else None.

    Args:
        text: text of the batch.
        first: byte offset of its first event.
        sizes: int64 (events,), bytes of each event.
    """
    if len(sizes) < _MANY:
        return None
    stop = first + int(sizes[0])
    separator = np.frombuffer(text[stop : text.index(b"{", stop) + 1], np.uint8)
    stops = first + np.cumsum(sizes) + (len(separator) - 1) * np.arange(len(sizes))
    if stops[-1] > len(text):
        return None
    # the separator ends with the first brace of the next event
    followed = np.frombuffer(text, np.uint8)[stops[:-1, None] + np.arange(len(separator))]
    return stops if (followed == separator).all() else None
