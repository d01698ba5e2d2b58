"""Number the ids that link events: the id of a flow event, the correlation of a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.digits import MOST_DIGITS
from tp_tools.chrome.schema import ABSENT, Args, Event
from tp_tools.columns import blocks, rows_where, take
from tp_tools.trace.model import NO_ID, EventIds

if TYPE_CHECKING:
    import msgspec
    from numpy.typing import NDArray

    from tp_tools.columns import Empty
    from tp_tools.trace.model import Ints

_FIRST_TEXT_ID = NO_ID - 1
_SLICES = frozenset("XBEiIR")
_FEW_GAPS = 4  # ids below this multiple of the number of events go into a table


def ids_of_events(events: list[Event]) -> tuple[Ints, list[bytes]]:
    """Read the ids of a batch.

    Args:
        events: the events of the batch.

    Returns:
        The id of each event (shape (events,), int64), and the JSON text of ids that are not plain
        numbers; as `link` and `text_ids` of `Columns`.
    """
    texts = _texts(events)
    link = np.full(len(events), NO_ID)
    if texts.count(ABSENT) == len(texts):
        return link, []
    present = [i for i, text in enumerate(texts) if text is not ABSENT]
    plain = _plain(b",".join([texts[i] for i in present]))
    if plain is not None:
        link[present] = plain
        return link, []
    text_ids: dict[bytes, int] = {}
    for i in present:
        text = bytes(texts[i])
        if _is_plain(text):
            link[i] = int(text)
        elif text != b"null":
            link[i] = _FIRST_TEXT_ID - text_ids.setdefault(text, len(text_ids))
    return link, list(text_ids)


def with_text_ids(link: Ints, batch_ids: list[bytes], trace_ids: dict[bytes, int]) -> Ints:
    """Renumber the text ids of a batch by their index in the whole trace.

    Args:
        link: the ids of the events of the batch, as in `Columns`.
        batch_ids: the ids of the batch that are not plain numbers, as JSON text.
        trace_ids: index by id over the trace so far; new ids are added to it.

    Returns:
        The ids of the events, int64; text id i of the trace is `NO_ID - 1 - i`.
    """
    if not batch_ids:
        return link
    indices = [trace_ids.setdefault(text, len(trace_ids)) for text in batch_ids]
    codes = _FIRST_TEXT_ID - np.array(indices)
    return np.where(link <= _FIRST_TEXT_ID, codes[np.maximum(_FIRST_TEXT_ID - link, 0)], link)


def numbered_ids(
    link: Ints, text_ids: list[bytes], empty: Empty = np.empty
) -> tuple[NDArray[np.int32], EventIds]:
    """Replace the ids of a trace by indices into its `EventIds`.

    Args:
        link: the id of each event, as `with_text_ids` returns it; it is overwritten.
        text_ids: the ids that are not plain numbers, as JSON text.
        empty: makes columns.

    Returns:
        The index of each event's id (shape (events,), int32), and the ids.
    """
    few_gaps = int(link.max(initial=0)) <= _FEW_GAPS * len(link)
    plain = _numbered_in_table(link, empty) if few_gaps else _numbered_in_order(link, empty)
    for here in blocks(len(link)) if text_ids else ():
        is_text = link[here] <= _FIRST_TEXT_ID
        link[here][is_text] = len(plain) + (_FIRST_TEXT_ID - link[here][is_text])
    if link.dtype != np.int32:
        wider, link = link, empty(len(link), np.int32)
        link[:] = wider
    return link, EventIds(plain, text_ids)


def _numbered_in_table(link: Ints, empty: Empty) -> Ints:
    """Replace plain ids by their rank among the distinct plain ids; return these, ascending.

    Profilers count ids up, so that a table over all values has few gaps and takes less time and
    memory than sorting.
    """
    occurs = empty(int(link.max(initial=0)) + 1, np.bool_)
    occurs[:] = False
    for here in blocks(len(link)):
        occurs[link[here][link[here] >= 0]] = True
    rank_of = np.cumsum(occurs, dtype=np.int32, out=empty(len(occurs), np.int32))
    rank_of -= 1
    for here in blocks(len(link)):
        is_plain = link[here] >= 0
        link[here][is_plain] = rank_of[link[here][is_plain]]
    plain = empty(int(rank_of[-1]) + 1, np.int64)
    for here in blocks(len(occurs)):
        values = np.flatnonzero(occurs[here]) + here.start
        if len(values):
            first = rank_of[values[0]]
            plain[first : first + len(values)] = values
    return plain


def _numbered_in_order(link: Ints, empty: Empty) -> Ints:
    """Do the same as `_numbered_in_table` by sorting, for ids that lie far apart."""
    ordered = take(link, rows_where(len(link), lambda here: link[here] >= 0, empty), empty)
    ordered.sort()
    is_first = np.ones(len(ordered), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    plain = take(ordered, rows_where(len(ordered), is_first.__getitem__, empty), empty)
    for here in blocks(len(link)):
        is_plain = link[here] >= 0
        link[here][is_plain] = np.searchsorted(plain, link[here][is_plain])
    return plain


def _texts(events: list[Event]) -> list[msgspec.Raw]:
    """Return the JSON text of each event's id; the object ABSENT for an event without an id.

    A member `id` of a slice or an instant is none. Of a phase Perfetto reads the first character.
    """
    args = [event.args for event in events]
    texts = [arg.correlation if type(arg) is Args else ABSENT for arg in args]
    ids = [event.id for event in events]
    if ids.count(ABSENT) < len(ids):
        for i, text in enumerate(ids):
            phase = events[i].ph
            if text is not ABSENT and not (isinstance(phase, str) and phase[:1] in _SLICES):
                texts[i] = text
    return texts


def _is_plain(text: bytes) -> bool:
    return text.isdigit() and len(text) <= MOST_DIGITS


def _plain(joined: bytes) -> Ints | None:
    """Parse plain numbers between commas; return None if one of them is not a plain number."""
    if joined.translate(None, b"0123456789,"):
        return None
    if not joined:
        return np.empty(0, np.int64)
    characters = np.frombuffer(joined, np.uint8)
    ends = np.append(np.flatnonzero(characters == ord(",")), len(characters))
    if np.diff(ends, prepend=-1).max() - 1 > MOST_DIGITS:
        return None
    return np.fromstring(joined.decode(), np.int64, sep=",")
