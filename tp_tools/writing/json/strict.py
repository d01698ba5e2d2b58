r"""Prove that text which tp-tools itself writes is JSON that Perfetto v52 reads.

v52 refuses a whole file for one such text in an event (found by trying each with its engine):

    "C:\\"                a string that ends in a backslash, in any member
    "ts": {}, "ts": 5     a time that is no number, though the last of its key counts
    "foo": 1e400          a number outside of args that no double holds; 01, +1, .5, 1.
    null, 5, []           an event that is no object

Copied text was read with the same rules, so only new text is looked at: one decoding of it in C,
and searches for two patterns.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tp_tools.chrome.refused import holds_huge_number
from tp_tools.chrome.sanitize_numbers import has_no_double
from tp_tools.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Number = int | float | Annotated[str, Meta(pattern=r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$")] | UnsetType


class _Event(msgspec.Struct, gc=False):
    """The times of an event: each has to be a number, also where one is given twice."""

    ts: _Number = UNSET
    dur: _Number = UNSET
    tts: _Number = UNSET
    tdur: _Number = UNSET


_EVENTS = msgspec.json.Decoder(list[_Event])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENDS_IN_BACKSLASH = re.compile(rb'(?<!\\)(?:\\\\)+"')


def check_events(events: Iterable[bytes]) -> None:
    """Make sure that Perfetto v52 reads new events.

    Args:
        events: the text of each, or of several with commas between them.

    Raises:
        VerificationError: it would refuse the file.
    """
    text = b"[%b]" % b",".join(events)
    try:
        _EVENTS.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refused(str(error)) from error
    _check_strings(text)
    if holds_huge_number(text):
        json.loads(text, parse_float=_double)


@contextmanager
def checks_of(name: str) -> Iterator[None]:
    """Put the name of the trace before what the checks in the block refuse.

    Raises:
        VerificationError: a check refused a text.
    """
    try:
        yield
    except VerificationError as error:
        raise VerificationError(f"{name}: {error}") from error


def check_object(text: bytes) -> None:
    """Make sure that Perfetto v52 reads new text around the events, a whole object.

    Raises:
        VerificationError: it would refuse the file.
    """
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refused(str(error)) from error
    _check_strings(text)


def _check_strings(text: bytes) -> None:
    if b"\\" in text and (found := _ENDS_IN_BACKSLASH.search(text)):
        start = max(found.start() - 20, 0)
        near = text[start : found.end()].decode(errors="replace")
        raise _refused(f"a string ends in a backslash: {near}")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise _refused(str(error)) from error


def _double(number: str) -> float:
    """Convert a number with a fraction or an exponent; refuse one that no double holds."""
    if has_no_double(number.encode()):
        raise _refused(f"no double holds {number[:40]}")
    return float(number)


def _refused(why: str) -> VerificationError:
    return VerificationError(
        f"tp-tools made text of it that Perfetto would refuse ({why}): a fault of tp-tools, not "
        "of the trace. Nothing was written; -o NAME.pftrace writes no such text."
    )
