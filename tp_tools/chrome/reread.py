"""Read the text of a trace again, batch by batch, to copy or edit it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import field

from tp_tools.chrome.damage import Losses
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.schema import ABSENT, Scalar
from tp_tools.chrome.stream import TextStream
from tp_tools.errors import InputError
from tp_tools.files.read_ahead import read_ahead
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tp_tools.files import Source
    from tp_tools.progress import Reporter
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Batch


def batch_texts(
    source: Source, trace: Trace, reporter: Reporter = SILENT
) -> Iterator[tuple[Batch, bytes]]:
    """Read the batches of a trace again.

    Args:
        source: the file.
        trace: the result of reading it; holds the text around the batches.
        reporter: receives the number of bytes read from disk, block by block.

    Yields:
        Each batch and its text, sanitized as in the first reading.

    Raises:
        InputError: the file changed since it was read.
    """
    stamp = source.stamp
    blocks = read_ahead(source.blocks(reporter))
    if trace.damage is not None:
        from tp_tools.chrome.salvage import salvaged  # noqa: PLC0415  only for damaged text

        blocks = salvaged(blocks, Losses())
    if trace.repairs or trace.thorough or trace.damage is not None:
        blocks = sanitized(blocks, Counter(), thorough=trace.thorough)
    stream = TextStream(blocks, source.name, source.sizes.batch)
    _take(stream, len(trace.head.text))
    for batch in trace.batches:
        text = _take(stream, batch.length)
        if len(text) < batch.length or source.stamp != stamp:
            raise file_changed(source)
        yield batch, text


class _Args(msgspec.Struct, gc=False):
    external: msgspec.Raw = field(default=ABSENT, name="External id")


class _Event(msgspec.Struct, gc=False):
    args: _Args | Scalar | list[msgspec.Raw] = None


_EVENTS = msgspec.json.Decoder(list[_Event])


def external_ids(source: Source, trace: Trace, events: Iterable[int]) -> dict[int, bytes]:
    """Read the External ids of some events.

    Args:
        source: the file, which is read again.
        trace: the result of reading it.
        events: numbers of events.

    Returns:
        JSON text of the External id by event; events without an id are missing.

    Raises:
        InputError: the file changed since it was read.
    """
    numbers = np.array(sorted(events), np.int64)
    ids: dict[int, bytes] = {}
    for batch, text in batch_texts(source, trace):
        first, stop = np.searchsorted(numbers, (batch.first, batch.first + batch.count))
        if first == stop:
            continue
        decoded = _EVENTS.decode(b"[" + text[text.find(b"{") :] + b"]")
        for number in numbers[first:stop].tolist():
            args = decoded[number - batch.first].args
            if isinstance(args, _Args) and args.external is not ABSENT:
                ids[number] = bytes(args.external)
    return ids


def _take(stream: TextStream, size: int) -> bytes:
    stream.grow(size)
    return stream.take(size)


def file_changed(source: Source) -> InputError:
    """Return the error for a file that changed since it was read."""
    return InputError(f"{source.name}: changed while it was being read. Try again.")
