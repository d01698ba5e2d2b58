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
    sizes = [len(raw) for raw in raws]
    return _evenly_spaced(text, first, sizes) or _one_by_one(text, sizes)


def _one_by_one(text: bytes, sizes: list[int]) -> list[tuple[int, int]]:
    found, behind = [], 0
    for size in sizes:
        start = text.index(b"{", behind)
        behind = start + size
        found.append((start, behind))
    return found


def _evenly_spaced(text: bytes, first: int, sizes: list[int]) -> list[tuple[int, int]] | None:
    """The places, if what stands between any two events is what stands between the first two.

    Then each event begins that much behind the end of the one before; all the text in between is
    compared, so that the places are certain.

    Args:
        text: of the run.
        first: where its first event begins.
        sizes: bytes of each event.
    """
    if len(sizes) < _WORTH_IT:
        return None
    between = text[first + sizes[0] : text.index(b"{", first + sizes[0])]
    size = np.array(sizes)
    stops = first + np.cumsum(size) + len(between) * np.arange(len(size))
    marks = np.frombuffer(text, np.uint8)
    if stops[-1] > len(text):
        return None
    found = marks[stops[:-1, None] + np.arange(len(between))]
    begins = marks[stops[:-1] + len(between)] == ord("{")
    if not begins.all() or (found != np.frombuffer(between, np.uint8)).any():
        return None
    return list(zip((stops - size).tolist(), stops.tolist(), strict=True))


def _changed(source: Source) -> InputError:
    return InputError(f"{source.name}: changed while it was being read. Try again.")
