"""Sanitize every token of a text that is invalid JSON, or at which Perfetto would stop.

It repairs the numbers of `sanitize_numbers`, and

    nan, inf, -nan(ind)             as text, as C and C++ print them
    raw control characters          escaped
    stray commas: [1,,2,]           dropped
    null as an event                {}, an empty event that the builder leaves out
    "dur": null of an event         under another key, "tpt_dur"; "ts", "tts", "tdur" too
    times finer than nanoseconds    with three decimals
    "ts": {} before another "ts"    under the key "tpt_ts"; other times too
    "pid": "a" before another       under the key "tpt_pid"; tid too
    "args": 5 behind "args": {}     under the key "tpt_args": Perfetto keeps the last object
    numbers as name, cat, ph        as text
    +3, 03, 3., .5, 0x10            as JSON numbers
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tp_tools.chrome import sanitize_numbers, timestamps
from tp_tools.chrome.replacing import replaced

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

_STRING_END = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_SPACE = b" \t\n\r\f\v"
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_LETTERS = {b"\b": rb"\b", b"\t": rb"\t", b"\n": rb"\n", b"\f": rb"\f", b"\r": rb"\r"}

_STRING = rb'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z))'
_LONG = rb"-?(?:\d{19,}(?:\.\d+)?|\d+\.\d{19,})(?:[eE][+-]?\d+)?"
_NUMBER = _LONG + b"|" + sanitize_numbers.HUGE
_NONFINITE = rb"(?i:[+-]?(?:nan(?:\([a-z]*\))?|inf(?:inity)?))"
_VOID = rb"(?:null|" + _NONFINITE + rb'|"(?:' + _NONFINITE + rb')?")'
_TIME = rb'"(?:ts|dur|tts|tdur)"'
_DEEPEST = 5  # objects in each other between two members of an event


def _objects(depth: int) -> bytes:
    """Return a pattern for text in which all braces match, at most `depth` deep."""
    return rb"(?:[^{}]|\{" + _objects(depth - 1) + rb"\})*?" if depth else b"[^{}]*"


_TWICE = (
    rb'(?P<twice>(?P<key>"(?:ts|dur|tts|tdur)")(?=\s*:\s*'
    rb'(?:\{[^{}]*\}|\[[^\[\]]*\]|true|false|null|"[^"\\]*"|'
    + sanitize_numbers.HUGE
    + rb")\s*,"
    + _objects(_DEEPEST)
    + rb"(?P=key)\s*:))"
)
_TEXT_ID_TWICE = (
    rb'(?P<twice_id>(?P<id_key>"[pt]id")(?=\s*:\s*"[^"\\]*(?:\\.[^"\\]*)*"\s*,'
    + _objects(_DEEPEST)
    + rb"(?P=id_key)\s*:))"
)
_TOKENS = re.compile(
    b"|".join(
        (
            rb"(?P<opening>[\[{][\[{\s]*)",
            rb"(?P<closing>[\]}][\]}\s]*)",
            rb"(?P<comma>,(?=\s*[,\]}]))",
            _TWICE,
            _TEXT_ID_TWICE,
            rb'(?P<args>"args"(?=\s*:\s*\{))',
            rb'(?P<other_args>"args"(?=\s*:\s*[^\s{]))',
            rb"(?P<void>" + _TIME + rb"(?=\s*:\s*" + _VOID + rb"))",
            rb"(?P<time>" + _TIME + rb'\s*:\s*(?:"-?\d[\d.eE+-]*"|-?\d[\d.eE+-]*(?!\w)))',
            rb'(?P<bare>"(?:name|cat|ph)"\s*:\s*(?:-?\d[\d.eE+-]*|true|false))',
            rb'(?P<id>"(?:bind_)?id"\s*:\s*\d{19,}(?![\w.+-]))',
            _STRING,
            rb"(?P<null>\bnull\b)",
            rb"(?P<not_json>(?<=[:,\[\s])(?:"
            + sanitize_numbers.NOT_JSON
            + rb")(?=\s*(?:[,\]}]|\Z)))",
            rb"(?P<number>(?<![\w.+-])(?:"
            + _NONFINITE
            + b"|"
            + _LONG
            + b"|"
            + sanitize_numbers.HUGE
            + rb")(?![\w.+-]))",
        )
    ),
    re.DOTALL,
)
_NOT_JSON = re.compile(sanitize_numbers.NOT_JSON)
_PLAIN_TIME = re.compile(rb"-?\d+(?:\.\d{1,3})?")


class TokenSanitizer:
    """Repairs the tokens that this module lists; takes the blocks of a text in order."""

    def __init__(self, repairs: Counter[str]) -> None:
        self.repairs = repairs
        self.depth = 0
        self.key = b""  # the last string in the outermost object
        self.level = 0  # depth of the keys of an event; 0 outside the array of events
        self.has_args = False  # whether args of the event that is read are an object
        self.handlers: dict[str | None, Callable[[bytes], bytes]] = {
            "opening": self._opening,
            "closing": self._closing,
            "comma": self._comma,
            "twice": self._void,
            "twice_id": self._text_id,
            "args": self._args,
            "other_args": self._other_args,
            "void": self._void,
            "time": self._time,
            "bare": self._bare,
            "id": self._id,
            "string": self._string,
            "null": self._null,
            "not_json": self._not_json,
            "number": self._number,
        }

    def sanitized(self, text: bytes, *, inside: bool) -> bytes:
        """Sanitize the next block.

        Args:
            text: the block; it ends outside of any number or word.
            inside: whether the block begins inside a string.
        """
        start = 0
        if inside and (end := _STRING_END.match(text)):
            start = end.end()
        return self._string(text[:start]) + replaced(_TOKENS, text[start:], self._token)

    def _token(self, match: re.Match[bytes]) -> bytes:
        return self.handlers[match.lastgroup](match[0])

    def _opening(self, run: bytes) -> bytes:
        """Go deeper by a run of brackets, of which the first two may open the array of events."""
        brackets = run.translate(None, _SPACE)
        for bracket in (brackets[:1], brackets[1:2]):
            self.depth += len(bracket)
            if bracket == b"[" and (
                self.depth == 1 or (self.depth, self.key) == (2, b'"traceEvents"')
            ):
                self.level = self.depth + 1
        self.depth += len(brackets[2:])
        return run

    def _closing(self, run: bytes) -> bytes:
        before, self.depth = self.depth, self.depth - len(run.translate(None, _SPACE))
        if self.depth <= self.level - 2 < before:
            self.level = 0
        if self.depth < self.level:
            self.has_args = False
        return run

    def _comma(self, _comma: bytes) -> bytes:
        self.repairs["stray_commas"] += 1
        return b""

    def _void(self, key: bytes) -> bytes:
        if self.depth != self.level:
            return key
        self.repairs["void_times"] += 1
        return b'"tpt_' + key[1:]

    def _text_id(self, key: bytes) -> bytes:
        if self.depth != self.level:
            return key
        self.repairs["text_ids_twice"] += 1
        return b'"tpt_' + key[1:]

    def _args(self, key: bytes) -> bytes:
        self.has_args = self.has_args or self.depth == self.level
        return key

    def _other_args(self, key: bytes) -> bytes:
        if self.depth != self.level or not self.has_args:
            return key
        self.repairs["args_twice"] += 1
        return b'"tpt_' + key[1:]

    def _time(self, member: bytes) -> bytes:
        written = member.partition(b":")[2].strip(b' \t\r\n"')
        number = self._as_json(written)
        member = member.replace(written, number)
        if self.depth != self.level:
            return self._member(member)
        if _PLAIN_TIME.fullmatch(number):
            return member
        try:
            time = timestamps.microseconds(timestamps.nanoseconds(number))
        except ValueError:
            return member  # the decoder of the event reports where it stands
        self.repairs["fine_times"] += 1
        at = member.rindex(number)
        return member[:at] + time + member[at + len(number) :]

    def _bare(self, member: bytes) -> bytes:
        if not 0 < self.level <= self.depth <= self.level + 1:
            return self._member(member)
        key, colon, value = member.partition(b":")
        self.repairs["bare_texts"] += 1
        return key + colon + b' "' + value.strip() + b'"'

    def _string(self, string: bytes) -> bytes:
        if self.depth == 1:
            self.key = string
        escaped, count = _CONTROL.subn(_escaped, string)
        if count:
            self.repairs["control_characters"] += count
        return escaped

    def _member(self, member: bytes) -> bytes:
        """Sanitize the number of a member that lies deeper than an event's own members."""
        value = member.partition(b":")[2].strip()
        number = self._as_json(value)
        if sanitize_numbers.TOKEN.fullmatch(number):
            number = self._number(number)
        return member[: -len(value)] + number

    def _id(self, member: bytes) -> bytes:
        number = member.partition(b":")[2].strip()
        return member[: -len(number)] + self._number(number, is_id=True)

    def _not_json(self, token: bytes) -> bytes:
        return self._number(self._as_json(token))

    def _as_json(self, number: bytes) -> bytes:
        if not _NOT_JSON.fullmatch(number):
            return number
        self.repairs["numbers_not_json"] += 1
        return sanitize_numbers.written_as_json(number)

    def _number(self, token: bytes, *, is_id: bool = False) -> bytes:
        number = sanitize_numbers.TOKEN.fullmatch(token)
        if number and not sanitize_numbers.is_misread(number):
            return token
        return sanitize_numbers.sanitized_token(token, self.repairs, is_id=is_id)

    def _null(self, null: bytes) -> bytes:
        return b"{}" if self.level and self.depth == self.level - 1 else null


def _escaped(match: re.Match[bytes]) -> bytes:
    return _LETTERS.get(match[0]) or b"\\u%04x" % match[0][0]
