"""Where the events of a run stand in its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints

_WORTH_IT = 64  # events of a run
_DECODER = msgspec.json.Decoder(list[msgspec.Raw])


def event_bounds(text: bytes, count: int) -> tuple[Ints, Ints] | None:
    """Where each event of a run begins, and where it ends; None if it does not hold so many.

    Args:
        text: of the run, with the separator before it.
        count: of its events.
    """
    first = text.find(b"{")
    try:
        raws = _DECODER.decode(b"".join((b"[", memoryview(text)[first:], b"]"))) if count else []
    except msgspec.DecodeError:
        return None
    if len(raws) != count:
        return None
    size = np.fromiter(map(len, raws), np.int64, len(raws))
    stops = _evenly_apart(text, first, size)
    if stops is None:
        stops = _one_by_one(text, size)
    return stops - size, stops


def _one_by_one(text: bytes, sizes: Ints) -> Ints:
    """Behind events of these sizes."""
    found, behind = [], 0
    for size in sizes.tolist():
        behind = text.index(b"{", behind) + size
        found.append(behind)
    return np.array(found, np.int64)


def _evenly_apart(text: bytes, first: int, sizes: Ints) -> Ints | None:
    """The same, if the same text stands between any two events; None if not.

    Args:
        text: of the run.
        first: where its first event begins.
        sizes: of its events.
    """
    if len(sizes) < _WORTH_IT:
        return None
    behind = first + int(sizes[0])
    between = np.frombuffer(text[behind : text.index(b"{", behind) + 1], np.uint8)
    stops = first + np.cumsum(sizes) + (len(between) - 1) * np.arange(len(sizes))
    if stops[-1] > len(text):
        return None
    # if each event is followed by it, the next one begins at its end, where its first brace is
    followed = np.frombuffer(text, np.uint8)[stops[:-1, None] + np.arange(len(between))]
    return stops if (followed == between).all() else None
