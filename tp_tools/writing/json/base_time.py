"""Shift the base time of a trace in the text around its events."""

from __future__ import annotations

import re

import msgspec

from tp_tools.errors import InputError

BASE_KEY = "baseTimeNanoseconds"
_BASE = re.compile(rb'"baseTimeNanoseconds"\s*:\s*(-?\d+)')
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def rebased(head: bytes, tail: bytes, shift: int) -> tuple[bytes, bytes]:
    """Add the shift to `baseTimeNanoseconds`; add the member where there is none.

    Args:
        head: text before the events.
        tail: text after them.
        shift: ns.

    Returns:
        The new head and tail.

    Raises:
        InputError: the base time is no integer.
    """
    if not shift:
        return head, tail
    if head.lstrip()[:1] == b"[":
        return b'{"traceEvents": [', b'],\n"%b": %d}\n' % (BASE_KEY.encode(), shift)
    base = _FIELDS.decode(head + tail).get(BASE_KEY)
    if base is None:
        end = b'],\n"%b": %d' % (BASE_KEY.encode(), shift)
        return head, end + tail[1:]
    try:
        new_base = b"%d" % (int(bytes(base)) + shift)
    except ValueError:
        raise InputError(f"{BASE_KEY} is {bytes(base).decode()}, not an integer.") from None
    for match in _BASE.finditer(head + tail):
        start, stop = match.span(1)
        changed = (head + tail)[:start] + new_base + (head + tail)[stop:]
        if bytes(_FIELDS.decode(changed)[BASE_KEY]) == new_base:
            split = len(head) + (len(new_base) - (stop - start) if start < len(head) else 0)
            return changed[:split], changed[split:]
    raise InputError(f"{BASE_KEY} cannot be found in the text.")
