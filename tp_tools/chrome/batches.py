"""Cut the text of a trace, as a stream, into its head, batches of whole events, and its tail.

A cut follows a `}` before a `,` and a `{`. It is at the level of `traceEvents` exactly if the text
before it decodes as a JSON array once a `]` closes it. So msgspec scans each byte once and proves
the cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from tp_tools.chrome.envelope import read_head, read_tail
from tp_tools.chrome.stream import (
    ENDED_BEFORE,
    SPACE,
    Malformed,
    TextStream,
    fault,
    last_end,
)
from tp_tools.files.source import BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace.model import Head, Tail

_WIDEST_SEPARATOR = 256  # characters between two events where a batch may end

Event = TypeVar("Event")
_Decoder: TypeAlias = "msgspec.json.Decoder[list[Event]]"
_BatchAndEnd: TypeAlias = "tuple[BatchText[Event], bool]"


class BatchText(Struct, Generic[Event], frozen=True):
    """A batch of whole events.

    Attributes:
        text: of the events, each with the separator before it; the last batch ends before the `]`.
        events: the decoded events.
    """

    text: bytes
    events: list[Event]


def split_text(
    blocks: Iterator[bytes], decoder: _Decoder[Event], name: str, batch_bytes: int = BATCH_BYTES
) -> Iterator[Head | BatchText[Event] | Tail]:
    """Split the text of a trace into head, batches and tail.

    Joined, their texts equal the input without the bytes that the tail counts as lost.

    Args:
        blocks: the text of a Chrome JSON trace, cut anywhere.
        decoder: decodes an array of events.
        name: the name of the file in error messages.
        batch_bytes: approximate bytes of text in a batch.

    Yields:
        One Head, at least one BatchText, one Tail.

    Raises:
        InputError: the text is not a Chrome JSON trace.
        Malformed: the text is damaged before its end.
    """
    stream = TextStream(blocks, name, batch_bytes)
    head = read_head(stream)
    yield head
    ended = False
    while not ended:
        batch, ended = _next_batch(stream, decoder)
        stream.separated = True
        yield batch
    yield read_tail(stream, head)


def likely_cut(stream: TextStream) -> int | None:
    """Return the likely end of the next batch; None if the batch ends with the file."""
    size = stream.batch_bytes
    while True:
        stream.grow(size)
        cut = next(_cuts(stream.text, size), None)
        if cut is not None or len(stream.text) < size:
            return cut
        size *= 2


def _next_batch(stream: TextStream, decoder: _Decoder[Event]) -> _BatchAndEnd[Event]:
    """Return the next batch, and whether it is the last one.

    Raises:
        Malformed: the text is damaged here, or an event is nested too deeply to decode.
    """
    size = stream.batch_bytes
    try:
        while True:
            stream.grow(size)
            for cut in _cuts(stream.text, size):  # the cuts do not depend on the ends of blocks
                batch = _decode(stream, cut, decoder)
                if batch is not None:
                    return batch
            if len(stream.text) < size:
                return last_batch(stream, decoder), True
            size *= 2
    except RecursionError as error:
        raise Malformed(
            f"{stream.name}: behind byte {stream.offset} of its text an event is nested too deeply."
        ) from error


def _cuts(text: bytes, size: int) -> Iterator[int]:
    """Yield possible ends of events in the first `size` bytes, the last one first.

    An event may end behind a `}` before a `,` and a `{`. Steps double, so that a long list of
    objects inside one event takes few attempts.
    """
    at, next_count, count = min(size, len(text)), 1, 0
    while (at := text.rfind(b"{", 0, at)) > 0:
        before = text[max(0, at - _WIDEST_SEPARATOR) : at].rstrip(SPACE)
        if not before.endswith(b","):
            continue
        before = before[:-1].rstrip(SPACE)
        if before.endswith(b"}"):
            count += 1
            if count == next_count:
                next_count *= 2
                yield max(0, at - _WIDEST_SEPARATOR) + len(before)


def _decode(stream: TextStream, cut: int, decoder: _Decoder[Event]) -> _BatchAndEnd[Event] | None:
    """Decode the batch that ends at `cut`, or at the end of the array before `cut`.

    Returns:
        The batch, and whether it is the last one; None if `cut` is inside an event.

    Raises:
        Malformed: the text is damaged before `cut`.
    """
    lead = stream.lead()
    try:
        events = decoder.decode(b"".join((b"[", memoryview(stream.text)[lead:cut], b"]")))
    except msgspec.DecodeError as error:
        why, at = _event_fault(stream, lead, error)
        if ENDED_BEFORE in why:
            return _decode_to_end(stream, at, decoder), True
        if at >= cut:
            return None
        raise stream.damaged(at, why) from error
    return BatchText(stream.take(cut), events), False


def _decode_to_end(stream: TextStream, behind: int, decoder: _Decoder[Event]) -> BatchText[Event]:
    """Decode the last batch, given the offset behind the array."""
    end = stream.text.rindex(b"]", 0, behind)
    events = decoder.decode(b"[" + stream.text[stream.lead() : end + 1])
    return BatchText(stream.take(end), events)


def last_batch(stream: TextStream, decoder: _Decoder[Event]) -> BatchText[Event]:
    """Decode the rest of the file as one batch, which ends behind the last whole event.

    Raises:
        Malformed: the text is damaged here.
    """
    lead = stream.lead()
    try:
        events = decoder.decode(b"[" + stream.text[lead:])
    except msgspec.DecodeError as error:
        why, at = _event_fault(stream, lead, error)
        if ENDED_BEFORE in why:
            return _decode_to_end(stream, at, decoder)
        if at < len(stream.text):
            raise stream.damaged(at, why) from error
        end = last_end(stream.text, b"}", depth=0)
        events = decoder.decode(b"[" + stream.text[lead:end] + b"]") if end else []
        return BatchText(stream.take(end), events)
    return BatchText(stream.take(stream.text.rindex(b"]")), events)


def _event_fault(stream: TextStream, lead: int, error: msgspec.DecodeError) -> tuple[str, int]:
    """Describe an error of msgspec in a text that was decoded without its first `lead` bytes.

    Returns:
        The reason and the offset in the text of `stream`.

    Raises:
        Malformed: the text is JSON, but a value is not an event.
    """
    if isinstance(error, msgspec.ValidationError):
        raise Malformed(
            f"{stream.name}: behind byte {stream.offset} of its text an event is not as Chrome's "
            f"trace format wants: {error}."
        ) from error
    why, at = fault(error)
    return why, len(stream.text) if at is None else lead + at - 1
