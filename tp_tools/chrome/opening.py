"""Find where the events of a trace begin whose head is damaged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tp_tools.chrome.event_text import EventText

_KEY = re.compile(rb'"traceEvents"[\s:]*\[?')
_IS_EVENTS = re.compile(rb'\s*"traceEvents"\s*:')


class Opening(NamedTuple):
    """Where the events of a damaged trace begin.

    Attributes:
        key: offset of the key `traceEvents`; None if it is damaged.
        events: offset behind the bracket that opens the array of events; of the first event if
            the key is damaged.
    """

    key: int | None
    events: int


def find_opening(held: EventText) -> Opening | None:
    """Find where the events begin.

    That is behind the last key `traceEvents` before the first event, which may lack its colon or
    its bracket; at the first event where there is no such key.

    Returns:
        The opening; None if the text holds neither an event nor the key with a bracket.
    """
    while (event := held.find_start(0)) is None and not held.ended:
        held.grow_more()
    stop = len(held.text) if event is None else event
    keys = list(_KEY.finditer(held.text, 0, stop))
    if event is None:
        keys = [key for key in keys if key[0].endswith(b"[")][:1]
    if not keys:
        return None if event is None else Opening(None, event)
    start, end = keys[-1].span()
    is_first = event is not None and b"{" not in held.text[end:event]
    return Opening(start, event if is_first and event is not None else end)


def is_events(member: bytes) -> bool:
    """Tell whether a member of the outermost object has the key of the events."""
    return _IS_EVENTS.match(member) is not None
