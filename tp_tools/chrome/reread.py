"""The text of a trace that was read before, in the same pieces, for copying or changing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.ahead import ahead
from tp_tools.chrome.feed import Feed
from tp_tools.chrome.mend import mended
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.chrome.events import Ints, Span, Trace
    from tp_tools.chrome.source import Source

_WORTH_IT = 64  # events of a run
_DECODER = msgspec.json.Decoder(list[msgspec.Raw])


def runs(
    source: Source, trace: Trace, seen: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[Span, bytes]]:
    """Each run of events with its text; the text around them is in `trace`.

    Raises:
        InputError: the file is not what it was when it was read.
    """
    stamp = source.stamp
    blocks = ahead(source.blocks(seen))
    if trace.repairs or trace.thorough:
        blocks = mended(blocks, Counter(), thorough=trace.thorough)
    feed = Feed(blocks, source.name)
    _taken(feed, len(trace.head.text))
    for span in trace.spans:
        text = _taken(feed, span.length)
        if len(text) < span.length or source.stamp != stamp:
            raise _changed(source)
        yield span, text


def _taken(feed: Feed, size: int) -> bytes:
    feed.grow(size)
    return feed.take(size)


def places(text: bytes, span: Span, source: Source) -> tuple[Ints, Ints]:
    """Where each event of a run stands in its text: starts and stops.

    Raises:
        InputError: the file is not what it was when it was read.
    """
    first = text.find(b"{")
    try:
        raws = _DECODER.decode(b"[" + text[first:] + b"]") if span.count else []
    except msgspec.DecodeError as error:
        raise _changed(source) from error
    if len(raws) != span.count:
        raise _changed(source)
    size = np.fromiter(map(len, raws), np.int64, len(raws))
    between = _between(text, first, raws)
    if between is None:
        starts = _one_by_one(text, size)
        return starts, starts + size
    stops = first + np.cumsum(size) + between * np.arange(len(size))
    return stops - size, stops


def _one_by_one(text: bytes, sizes: Ints) -> Ints:
    found, behind = [], 0
    for size in sizes.tolist():
        found.append(text.index(b"{", behind))
        behind = found[-1] + size
    return np.array(found, np.int64)


def _between(text: bytes, first: int, raws: list[msgspec.Raw]) -> int | None:
    """The length of what stands between two events, if the same stands between any two.

    Args:
        text: of the run.
        first: where its first event begins.
        raws: the events.
    """
    if len(raws) < _WORTH_IT:
        return None
    behind = first + len(raws[0])
    between = text[behind : text.index(b"{", behind)]
    events = between.join(raws)
    return len(between) if text.startswith(events, first) else None


def _changed(source: Source) -> InputError:
    return InputError(f"{source.name}: changed while it was being read. Try again.")
