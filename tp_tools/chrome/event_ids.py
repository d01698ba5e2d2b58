"""The ids that tie events together, as numbers: of arrows their own, of slices the correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.schema import ABSENT, Args, Event
from tp_tools.columns import blocks
from tp_tools.trace.model import NO_ID, EventIds

if TYPE_CHECKING:
    import msgspec
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

_MOST_DIGITS = 18
_FIRST_ODD = NO_ID - 1
_FEW_GAPS = 4  # ids up to so many times the number of events


def ids_of_events(events: list[Event]) -> tuple[Ints, list[bytes]]:
    """The id of each event, and those that are no plain numbers: see `Columns`."""
    texts = _texts(events)
    link = np.full(len(events), NO_ID)
    if texts.count(ABSENT) == len(texts):
        return link, []
    tied = [i for i, text in enumerate(texts) if text is not ABSENT]
    plain = _plain(b",".join([texts[i] for i in tied]))
    if plain is not None:
        link[tied] = plain
        return link, []
    odd: dict[bytes, int] = {}
    for i in tied:
        text = bytes(texts[i])
        if _is_plain(text):
            link[i] = int(text)
        elif text != b"null":
            link[i] = _FIRST_ODD - odd.setdefault(text, len(odd))
    return link, list(odd)


def with_text_ids(link: Ints, own: list[bytes], table: dict[bytes, int]) -> Ints:
    """The ids of a run, those that are no plain numbers told apart in the whole trace.

    Args:
        link: the ids of its events, as in `Columns`.
        own: its ids that are no plain numbers.
        table: those of the whole trace so far; new ones are put behind them.
    """
    if not own:
        return link
    codes = np.array([_FIRST_ODD - table.setdefault(text, len(table)) for text in own])
    return np.where(link <= _FIRST_ODD, codes[np.maximum(_FIRST_ODD - link, 0)], link)


def numbered_ids(link: Ints, odd: list[bytes]) -> tuple[NDArray[np.int32], EventIds]:
    """The ids of a trace as indices into its `EventIds`.

    Args:
        link: the id of each event, as `with_text_ids` gives it; it is overwritten.
        odd: those that are no plain numbers.
    """
    few_gaps = int(link.max(initial=0)) <= _FEW_GAPS * len(link)
    plain = _numbered_in_table(link) if few_gaps else _numbered_in_order(link)
    is_odd = link <= _FIRST_ODD
    link[is_odd] = len(plain) + (_FIRST_ODD - link[is_odd])
    return link.astype(np.int32, copy=False), EventIds(plain, odd)


def _numbered_in_table(link: Ints) -> Ints:
    """The plain ids that occur, ascending; in their stead come their places among these.

    Most are counted up, so that a table of all has few gaps. To sort takes more time and memory.
    """
    occurs = np.zeros(int(link.max(initial=0)) + 1, np.bool_)
    for here in blocks(len(link)):
        occurs[link[here][link[here] >= 0]] = True
    place = np.cumsum(occurs, dtype=np.int32)
    place -= 1
    for here in blocks(len(link)):
        is_plain = link[here] >= 0
        link[here][is_plain] = place[link[here][is_plain]]
    return np.flatnonzero(occurs)


def _numbered_in_order(link: Ints) -> Ints:
    """The same for ids that lie far apart."""
    is_plain = link >= 0
    plain, link[is_plain] = np.unique(link[is_plain], return_inverse=True)
    return plain


def _texts(events: list[Event]) -> list[msgspec.Raw]:
    """JSON text of each event's id; ABSENT itself where it has none."""
    args = [event.args for event in events]
    texts = [said.correlation if type(said) is Args else ABSENT for said in args]
    own = [event.id for event in events]
    if own.count(ABSENT) < len(own):
        for i, text in enumerate(own):
            if text is not ABSENT and events[i].ph != "X":
                texts[i] = text
    return texts


def _is_plain(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MOST_DIGITS


def _plain(joined: bytes) -> Ints | None:
    """Numbers between commas; None if one of them is no plain number."""
    if joined.translate(None, b"0123456789,"):
        return None
    if not joined:
        return np.empty(0, np.int64)
    marks = np.frombuffer(joined, np.uint8)
    ends = np.append(np.flatnonzero(marks == ord(",")), len(marks))
    if np.diff(ends, prepend=-1).max() - 1 > _MOST_DIGITS:
        return None
    return np.fromstring(joined.decode(), np.int64, sep=",")
