"""What is read of each event."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Scalar: TypeAlias = int | float | str | bool | None
Id: TypeAlias = int | float | str | None

ABSENT = msgspec.Raw(b"")
"""The default of what stays text; no text in a file equals it."""


class Args(msgspec.Struct, gc=False):
    """The arguments that matter: a kernel's tie to its launch, and what metadata events say."""

    correlation: msgspec.Raw = ABSENT
    name: msgspec.Raw = ABSENT
    sort_index: msgspec.Raw = ABSENT


class Event(msgspec.Struct, gc=False):
    """The members that matter, as Kineto orders them; times and ids of arrows stay text."""

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


DECODER = msgspec.json.Decoder(list[Event])
