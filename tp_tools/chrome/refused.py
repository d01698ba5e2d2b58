"""Find what Perfetto v52 refuses a whole file for, in members that are not read into columns.

    "foo": 1e400                 a number of an event that no double holds
    "ts": {}, "ts": 5            a time that is no number, though the last of its key counts
    "pid": "a", "pid": 5         an id that is text, likewise: it takes 5 for the number of a text

All are rare, and a look at every byte has to be cheap: numpy marks the few places to look at.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tp_tools.chrome import sanitize_numbers
from tp_tools.chrome.stream import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tp_tools.chrome.schema import Event
    from tp_tools.trace.model import Ints

_BLOCK = 1 << 17  # bytes that are marked together, so that they stay in the cache
_HUGE = re.compile(rb"(?<=[:,\[\s])" + sanitize_numbers.HUGE + rb"(?![\w.])")
_MANTISSA = b"0123456789.-"
_TEN = 10
_BEFORE = np.isin(np.arange(256), list(b'"td'))  # third last byte of ts", tts", dur", tdur"
_VALUE = np.isin(np.arange(256), list(b"-0123456789"))  # first byte of a number
_LONGEST = 512  # bytes of a number before its exponent
_TIMES = ("ts", "dur", "tts", "tdur")
_IDS = ("pid", "tid")
_NO_NUMBER = re.compile(rb'(?<=")(?:t?ts|t?dur)"\s*:\s*(?![-\d]|"-?[\d.]+"|\s)')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_RAW_EVENTS = msgspec.json.Decoder(list[msgspec.Raw])


def holds_huge_number(text: bytes) -> bool:
    """Tell whether some number, perhaps one in a string, is too large for a double."""
    marks = np.frombuffer(text, np.uint8)
    exponent = _marked(marks, _exponents)
    for behind in (2, 3):  # after "e" or its sign, two of three digits
        digit = marks[np.minimum(exponent + behind, len(marks) - 1)] - np.uint8(ord("0"))
        exponent = exponent[digit < _TEN]
    for at in exponent.tolist():
        before = text[max(0, at - _LONGEST) : at]
        number = _HUGE.match(text, at - len(before) + len(before.rstrip(_MANTISSA)))
        if number and sanitize_numbers.has_no_double(number[0]):
            return True
    return False


def check_accepted(
    text: bytes, events: Sequence[Event], file: str, *, thorough: bool = False
) -> None:
    """Make sure that Perfetto refuses nothing of a batch of events.

    Args:
        text: of the batch, with the separators before its events.
        events: the same, decoded.
        file: its name, for messages.
        thorough: whether every token was looked at, so that huge numbers are left in strings only.

    Raises:
        Malformed: it refuses a number or a time.
    """
    if not thorough and holds_huge_number(text):
        raise Malformed(f"{file}: a number is too large for a double.")
    if holds_refused_time(text):
        raise Malformed(f"{file}: an event has a time twice, and one of them is no number.")
    if holds_refused_id(text, events):
        raise Malformed(f"{file}: an event has a pid or tid twice, and the first of them is text.")


def holds_refused_time(text: bytes) -> bool:
    """Tell whether an event has a time twice of which one before the last is no number."""
    if not any(_NO_NUMBER.match(text, _key(text, at)) for at in _odd_times(text).tolist()):
        return False
    return any(map(_is_refused, _RAW_EVENTS.decode(b"[" + text[text.find(b"{") :] + b"]")))


def holds_refused_id(text: bytes, events: Sequence[Event]) -> bool:
    """Tell whether an event has a pid or tid twice of which one before the last is text."""
    if not _holds_text_id(text) or _has_ids_once(text, events):
        return False
    return any(map(_has_text_id_twice, _RAW_EVENTS.decode(b"[" + text[text.find(b"{") :] + b"]")))


def _has_ids_once(text: bytes, events: Sequence[Event]) -> bool:
    """Tell whether there are as many keys `pid` and `tid` as events that have one."""
    pids = len(events) - [event.pid for event in events].count(None)
    tids = len(events) - [event.tid for event in events].count(None)
    return (text.count(b'"pid"'), text.count(b'"tid"')) == (pids, tids)


def _has_text_id_twice(event: msgspec.Raw) -> bool:
    values = _repeated(bytes(event), _IDS)
    return any(isinstance(value, str) for value in values)


def _is_refused(event: msgspec.Raw) -> bool:
    return not all(map(_is_number, _repeated(bytes(event), _TIMES)))


def _repeated(event: bytes, keys: tuple[str, ...]) -> list[object]:
    """Return the values of keys that an event has again behind them."""
    if event[:1] != b"{" or not any(event.count(b'"%s"' % key.encode()) > 1 for key in keys):
        return []
    members: Any = json.loads(event, object_pairs_hook=list)
    by_key = ([value for name, value in members if name == key] for key in keys)
    return [value for values in by_key for value in values[:-1]]


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None and math.isfinite(float(value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(text: bytes, at: int) -> int:
    """Return the index of the first character of a key, given that of its closing quote."""
    return text.rfind(b'"', 0, at) + 1


def _marked(
    marks: NDArray[np.uint8], marker: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
) -> Ints:
    """Return the places of marks in a text, plus one."""
    starts = range(0, len(marks), _BLOCK)
    found = [np.flatnonzero(marker(marks[at : at + _BLOCK + 2])) + at + 1 for at in starts]
    return np.concatenate([np.empty(0, np.int64), *found])


def _odd_times(text: bytes) -> Ints:
    """Return the closing quotes of keys of times whose values may be no numbers."""
    marks = np.frombuffer(text, np.uint8)
    quote = _marked(marks, _time_ends)
    letter = marks[np.maximum(quote - 2, 0)]
    quote = quote[(letter & np.uint8(254)) == ord("t")]
    quote = quote[_BEFORE[marks[np.maximum(quote - 3, 0)]]]
    value = np.minimum(quote + 2, len(marks) - 1)
    value += marks[value] == ord(" ")
    value = np.minimum(value, len(marks) - 1)
    is_number = _VALUE[marks[value]]
    odd: Ints = quote[~(is_number & (marks[np.minimum(quote + 1, len(marks) - 1)] == ord(":")))]
    return odd


def _holds_text_id(text: bytes) -> bool:
    """Tell whether the value of a key `pid` or `tid` may be text."""
    marks = np.frombuffer(text, np.uint8)
    quote = _marked(marks, _id_ends)
    quote = quote[marks[np.maximum(quote - 2, 0)] == ord("i")]
    value = marks[np.minimum(quote + 2, len(marks) - 1)]
    behind = marks[np.minimum(quote + 3, len(marks) - 1)]
    return bool(((value == ord('"')) | ((value <= ord(" ")) & (behind == ord('"')))).any())


def _id_ends(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the last letter d of keys."""
    found: NDArray[np.bool_] = marks[1:-1] == ord('"')
    found &= marks[:-2] == ord("d")
    return found


def _exponents(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark digits before an `e`."""
    found: NDArray[np.bool_] = (marks[:-1] - np.uint8(ord("0"))) < _TEN
    found &= (marks[1:] | np.uint8(32)) == ord("e")
    return found


def _time_ends(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the last letter, s or r, of keys."""
    found: NDArray[np.bool_] = marks[1:-1] == ord('"')
    found &= (marks[:-2] & np.uint8(254)) == ord("r")
    return found
