"""The text of a trace that was read before, in the same pieces, for copying or changing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.ahead import ahead
from tp_tools.chrome.mend import mended
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.chrome.events import Span, Trace
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
    held = b""
    skip = len(trace.head.text)
    for span in trace.spans:
        parts, have = [held], len(held)
        while have < skip + span.length:
            block = next(blocks, None)
            if block is None or source.stamp != stamp:
                raise _changed(source)
            parts.append(block)
            have += len(block)
        text = b"".join(parts)
        held = text[skip + span.length :]
        yield span, text[skip : skip + span.length]
        skip = 0


def places(text: bytes, span: Span, source: Source) -> list[tuple[int, int]]:
    """Where each event of a run stands in its text: start and stop.

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
    return _evenly_spaced(text, first, raws) or _one_by_one(text, raws)


def _one_by_one(text: bytes, raws: list[msgspec.Raw]) -> list[tuple[int, int]]:
    found, behind = [], 0
    for raw in raws:
        start = text.index(b"{", behind)
        behind = start + len(raw)
        found.append((start, behind))
    return found


def _evenly_spaced(
    text: bytes, first: int, raws: list[msgspec.Raw]
) -> list[tuple[int, int]] | None:
    """The places, if between any two events stands what stands between the first two.

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
    if events != text[first : first + len(events)]:
        return None
    size = np.fromiter(map(len, raws), np.int64, len(raws))
    stops = first + np.cumsum(size) + len(between) * np.arange(len(size))
    return list(zip((stops - size).tolist(), stops.tolist(), strict=True))


def _changed(source: Source) -> InputError:
    return InputError(f"{source.name}: changed while it was being read. Try again.")
