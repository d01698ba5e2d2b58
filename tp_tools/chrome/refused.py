"""Find what Perfetto v52 refuses a whole file for, or reads in another way than the decoder.

    "foo": 1e400                 a number of an event that no double holds
    "ts": {}, "ts": 5            a time that is no number, though the last of its key counts
    "pid": "a", "pid": 5         an id that is text, likewise: it takes 5 for the number of a text
    "args": {}, "args": 5        args that are no object behind others: it keeps the last object

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
_OTHER_ARGS = re.compile(rb'(?<=")args"\s*:\s*(?!\{|\s)')
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
    """Make sure that Perfetto refuses nothing of a batch of events, and reads it like the decoder.

    Args:
        text: of the batch, with the separators before its events.
        events: the same, decoded.
        file: its name, for messages.
        thorough: whether every token was looked at, so that huge numbers are left in strings only.

    Raises:
        Malformed: it refuses a number or a time, or takes other args.
    """
    if not thorough and holds_huge_number(text):
        raise Malformed(f"{file}: a number is too large for a double.")
    marks = np.frombuffer(text, np.uint8)
    ends = _marked(marks, _key_ends)
    if holds_refused_time(text, marks, ends):
        raise Malformed(f"{file}: an event has a time twice, and one of them is no number.")
    if holds_args_twice(text, marks, ends):
        raise Malformed(f"{file}: an event has args twice, and the last of them are no object.")
    if holds_refused_id(text, events):
        raise Malformed(f"{file}: an event has a pid or tid twice, and the first of them is text.")


def holds_refused_time(text: bytes, marks: NDArray[np.uint8], ends: Ints) -> bool:
    """Tell whether an event has a time twice of which one before the last is no number."""
    odd = _odd_times(marks, ends).tolist()
    if not any(_NO_NUMBER.match(text, _key(text, at)) for at in odd):
        return False
    return any(map(_is_refused, _raw_events(text)))


def holds_args_twice(text: bytes, marks: NDArray[np.uint8], ends: Ints) -> bool:
    """Tell whether an event has args twice of which the last are no object, but others are."""
    return _holds_other_args(text, marks, ends) and any(map(_has_args_twice, _raw_events(text)))


def holds_refused_id(text: bytes, events: Sequence[Event]) -> bool:
    """Tell whether an event has a pid or tid twice of which one before the last is text."""
    if not _holds_text_id(text) or _has_ids_once(text, events):
        return False
    return any(map(_has_text_id_twice, _raw_events(text)))


def _has_ids_once(text: bytes, events: Sequence[Event]) -> bool:
    """Tell whether there are as many keys `pid` and `tid` as events that have one."""
    pids = len(events) - [event.pid for event in events].count(None)
    tids = len(events) - [event.tid for event in events].count(None)
    return (text.count(b'"pid"'), text.count(b'"tid"')) == (pids, tids)


def _has_text_id_twice(event: msgspec.Raw) -> bool:
    values = _repeated(bytes(event), _IDS)
    return any(isinstance(value, str) for value in values)


def _raw_events(text: bytes) -> list[msgspec.Raw]:
    """Return the JSON text of each event of a batch."""
    return _RAW_EVENTS.decode(b"[" + text[text.find(b"{") :] + b"]")


def _has_args_twice(event: msgspec.Raw) -> bool:
    values = _values(bytes(event), "args")
    return any(isinstance(it, tuple) for it in values) and not isinstance(values[-1], tuple)


def _is_refused(event: msgspec.Raw) -> bool:
    return not all(map(_is_number, _repeated(bytes(event), _TIMES)))


def _repeated(event: bytes, keys: tuple[str, ...]) -> list[object]:
    """Return the values of keys that an event has again behind them."""
    return [value for key in keys for value in _values(event, key)[:-1]]


def _values(event: bytes, key: str) -> list[object]:
    """Return the values of a key that an event has twice; of others none. Objects are tuples."""
    if event[:1] != b"{" or event.count(b'"%s"' % key.encode()) < 2:  # noqa: PLR2004
        return []
    members: Any = json.loads(event, object_pairs_hook=tuple)
    return [value for name, value in members if name == key]


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


def _holds_other_args(text: bytes, marks: NDArray[np.uint8], ends: Ints) -> bool:
    """Tell whether the value of a key `args` may be no object."""
    quote = ends[marks[np.maximum(ends - 2, 0)] == ord("g")]
    value = _values_at(marks, quote)
    odd = quote[(value != ord("{")) | (marks[np.minimum(quote + 1, len(marks) - 1)] != ord(":"))]
    return any(_OTHER_ARGS.match(text, _key(text, at)) for at in odd.tolist())


def _odd_times(marks: NDArray[np.uint8], ends: Ints) -> Ints:
    """Return the closing quotes of keys of times whose values may be no numbers."""
    letter = marks[np.maximum(ends - 2, 0)]
    quote = ends[(letter & np.uint8(254)) == ord("t")]
    quote = quote[_BEFORE[marks[np.maximum(quote - 3, 0)]]]
    is_number = _VALUE[_values_at(marks, quote)]
    odd: Ints = quote[~(is_number & (marks[np.minimum(quote + 1, len(marks) - 1)] == ord(":")))]
    return odd


def _values_at(marks: NDArray[np.uint8], quote: Ints) -> NDArray[np.uint8]:
    """Return the first byte of the value of each key, behind one colon and at most one space."""
    value = np.minimum(quote + 2, len(marks) - 1)
    value += marks[value] == ord(" ")
    found: NDArray[np.uint8] = marks[np.minimum(value, len(marks) - 1)]
    return found


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


def _key_ends(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the last letter, s or r, of keys."""
    found: NDArray[np.bool_] = marks[1:-1] == ord('"')
    found &= (marks[:-2] & np.uint8(254)) == ord("r")
    return found
