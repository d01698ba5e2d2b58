"""The text of a trace that was read before, in the same pieces, for copying or changing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import field

from tp_tools.chrome.damage import Losses
from tp_tools.chrome.salvage import salvaged
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.schema import ABSENT, Scalar
from tp_tools.chrome.stream import TextStream
from tp_tools.errors import InputError
from tp_tools.files.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tp_tools.files.source import Source
    from tp_tools.trace.model import Batch, Trace


def batch_texts(
    source: Source, trace: Trace, seen: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[Batch, bytes]]:
    """Each run of events with its text; the text around them is in `trace`.

    Raises:
        InputError: the file is not what it was when it was read.
    """
    stamp = source.stamp
    blocks = read_ahead(source.blocks(seen))
    if trace.damage is not None:
        blocks = salvaged(blocks, Losses())
    if trace.repairs or trace.thorough or trace.damage is not None:
        blocks = sanitized(blocks, Counter(), thorough=trace.thorough)
    feed = TextStream(blocks, source.name)
    _taken(feed, len(trace.head.text))
    for span in trace.batches:
        text = _taken(feed, span.length)
        if len(text) < span.length or source.stamp != stamp:
            raise file_changed(source)
        yield span, text


class _Args(msgspec.Struct, gc=False):
    external: msgspec.Raw = field(default=ABSENT, name="External id")


class _Event(msgspec.Struct, gc=False):
    args: _Args | Scalar | list[msgspec.Raw] = None


_EVENTS = msgspec.json.Decoder(list[_Event])


def external_ids(source: Source, trace: Trace, events: Iterable[int]) -> dict[int, bytes]:
    """The JSON text of the External id of each of some events that has one.

    Args:
        source: the file, which is read again.
        trace: what was read of it.
        events: numbers of events.

    Raises:
        InputError: the file is not what it was when it was read.
    """
    wanted = np.array(sorted(events), np.int64)
    found: dict[int, bytes] = {}
    for span, text in batch_texts(source, trace):
        first, behind = np.searchsorted(wanted, (span.first, span.first + span.count))
        if first == behind:
            continue
        read = _EVENTS.decode(b"[" + text[text.find(b"{") :] + b"]")
        for number in wanted[first:behind].tolist():
            args = read[number - span.first].args
            if isinstance(args, _Args) and args.external is not ABSENT:
                found[number] = bytes(args.external)
    return found


def _taken(feed: TextStream, size: int) -> bytes:
    feed.grow(size)
    return feed.take(size)


def file_changed(source: Source) -> InputError:
    """The error for a file that is not what it was when it was read."""
    return InputError(f"{source.name}: changed while it was being read. Try again.")
