"""Declare the members of events that the JSON decoder reads."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Scalar: TypeAlias = int | float | str | bool | None
Id: TypeAlias = int | float | str | None

ABSENT = msgspec.Raw(b"")
"""Default of members that stay JSON text; no text in a file equals it."""


class Args(msgspec.Struct, gc=False):
    """The arguments that are read: the correlation of slices, and the values of metadata events."""

    correlation: msgspec.Raw = ABSENT
    name: msgspec.Raw = ABSENT
    sort_index: msgspec.Raw = ABSENT


class Event(msgspec.Struct, gc=False):
    """The members that are read, in the order of Kineto; times and ids stay JSON text."""

    ph: Scalar = None
    cat: Scalar = None
    name: Scalar = None
    pid: Id = None
    tid: Id = None
    ts: msgspec.Raw = ABSENT
    dur: msgspec.Raw = ABSENT
    args: Args | Scalar | list[msgspec.Raw] = None
    id: msgspec.Raw = ABSENT
    id2: msgspec.Raw = ABSENT
    bind_id: msgspec.Raw = ABSENT
    bp: Scalar = None
    s: Scalar = None
    tts: msgspec.Raw = ABSENT
    tdur: msgspec.Raw = ABSENT


UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises at a text that is no JSON, no UTF-8, or nested too deeply."""

DECODER = msgspec.json.Decoder(list[Event])
