"""Reads a trace once, as a stream, into columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tp_tools.chrome import numbers
from tp_tools.chrome.events import NO_LINK, UNTIMED, Ints, Scalar, Span, Trace
from tp_tools.chrome.mend import mended
from tp_tools.chrome.split import Head, Run, Tail, split
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tp_tools.chrome.source import Source

ABSENT = msgspec.Raw(b"null")
"""The default of a time."""


class Args(msgspec.Struct, gc=False):
    """The arguments that matter: a kernel's tie to its launch, and what metadata events say."""

    correlation: msgspec.Raw = ABSENT
    name: msgspec.Raw = ABSENT
    sort_index: msgspec.Raw = ABSENT


class Event(msgspec.Struct, gc=False):
    """What is read of each event; times stay text."""

    ph: Scalar = None
    cat: Scalar = None
    name: Scalar = None
    ts: msgspec.Raw = ABSENT
    dur: msgspec.Raw = ABSENT
    pid: Scalar = None
    tid: Scalar = None
    id: msgspec.Raw = ABSENT
    bp: Scalar = None
    s: Scalar = None
    args: Args | Scalar | list[msgspec.Raw] = None


DECODER = msgspec.json.Decoder(list[Event])


def read(source: Source, seen: Callable[[int], None] = lambda _: None) -> Trace:
    """Reads a trace once, as a stream.

    Args:
        source: the file.
        seen: told bytes read from disk, as they are.

    Raises:
        InputError: it is no Chrome JSON trace, or damaged before its end.
    """
    repairs: Counter[str] = Counter()
    builder = _Builder(source.name)
    head, tail = Head(b""), Tail(b"")
    for part in split(mended(source.blocks(seen), repairs), DECODER, source.name):
        if isinstance(part, Run):
            builder.add(part)
        elif isinstance(part, Head):
            head = part
        else:
            tail = part
    if tail.cut_short or source.truncated:
        repairs["truncated_tail"] += 1
    return builder.trace(head, tail, repairs)


_NULL = b"null"
_NO_NUMBERS = (b"null", b'"NaN"', b'"Infinity"', b'"-Infinity"', b'""')


class _Phases(dict[Any, int]):
    """The code of a phase's character."""

    def __missing__(self, key: object) -> int:
        self[key] = code = ord(key[0]) & 0xFF if isinstance(key, str) and key else 0
        return code


class _Codes(dict[Any, int]):
    """Numbers values in the order in which they are met."""

    def __missing__(self, key: object) -> int:
        self[key] = code = len(self)
        return code


class _Links(_Codes):
    """Numbers ids; null has none."""

    def __init__(self) -> None:
        super().__init__({_NULL: NO_LINK})

    def __missing__(self, key: object) -> int:
        self[key] = code = len(self) - 1
        return code


class _Builder:
    """Collects the columns, run by run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spans: list[Span] = []
        self.count = 0
        self.columns: list[tuple[NDArray[np.generic], ...]] = []
        self.phases = _Phases()
        self.metadata: dict[int, Scalar] = {}
        self.tracks, self.cats, self.names, self.links = _Codes(), _Codes(), _Codes(), _Links()

    def add(self, run: Run[Event]) -> None:
        events = run.events
        phases = np.array([self.phases[e.ph] for e in events], np.uint8)
        ts, inexact = self._times([e.ts for e in events], "ts")
        complete = phases == ord("X")
        dur = np.zeros(len(events), np.int64)
        dur[complete], _ = self._times([events[i].dur for i in np.flatnonzero(complete)], "dur")
        tracks, cats, names, links = self.tracks, self.cats, self.names, self.links
        self.columns.append(
            (
                phases,
                ts,
                dur,
                np.array([tracks[e.pid, e.tid] for e in events], np.int32),
                np.array([cats[e.cat] for e in events], np.int32),
                np.array([names[e.name] for e in events], np.int32),
                np.array([links[_link(e)] for e in events], np.int32),
                inexact,
                _bound(events, phases),
            )
        )
        for i in np.flatnonzero(phases == ord("M")).tolist():
            self.metadata[self.count + i] = _said(events[i].args)
        self.spans.append(Span(self.count, len(events), len(run.text)))
        self.count += len(events)

    def _times(self, raws: list[msgspec.Raw], key: str) -> tuple[Ints, NDArray[np.bool_]]:
        """Nanoseconds, and which are written so that Perfetto reads them through a double."""
        plain = numbers.column(raws)
        if plain is not None:
            return plain
        texts = [bytes(raw) for raw in raws]
        known = np.array([text not in _NO_NUMBERS for text in texts])
        times, inexact = np.full(len(texts), UNTIMED), np.zeros(len(texts), np.bool_)
        texts = [text for text in texts if text not in _NO_NUMBERS]
        times[known], inexact[known] = numbers.column(texts) or (
            [self._time(text, key) for text in texts],
            [numbers.has_decimals(text) for text in texts],
        )
        return times, inexact

    def _time(self, text: bytes, key: str) -> int:
        try:
            return numbers.nanoseconds(text)
        except ValueError:
            raise InputError(
                f"{self.name}: {key} is {text.decode(errors='replace')}, not a number of "
                f"microseconds, in or behind event {self.count}."
            ) from None

    def trace(self, head: Head, tail: Tail, repairs: Counter[str]) -> Trace:
        empty = (
            np.empty(0, np.uint8),
            np.empty(0, np.int64),
            np.empty(0, np.int64),
            *(np.empty(0, np.int32) for _ in range(4)),
            np.empty(0, np.bool_),
            np.empty(0, np.uint8),
        )
        columns = [np.concatenate(column) for column in zip(empty, *self.columns, strict=True)]
        keys = ("phase", "ts", "dur", "track", "cat", "name", "link", "inexact", "bound")
        arrays: dict[str, Any] = dict(zip(keys, columns, strict=True))
        return Trace(
            head=head,
            tail=tail,
            spans=self.spans,
            tracks=list(self.tracks),
            cats=[_text(cat) for cat in self.cats],
            names=[_text(name) for name in self.names],
            links=list(self.links)[1:],
            metadata=self.metadata,
            repairs=repairs,
            **arrays,
        )


_BOUND: dict[object, int] = {"e": ord("e"), "p": ord("p"), "g": ord("g")}
_MAY_BE_BOUND = np.frombuffer(b"stfiIR", np.uint8)


def _bound(events: list[Event], phases: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What each flow event and each instant is bound to: see Trace.bound."""
    bound = np.zeros(len(events), np.uint8)
    for i in np.flatnonzero(np.isin(phases, _MAY_BE_BOUND)).tolist():
        event = events[i]
        bound[i] = _BOUND.get(event.s if event.bp is None else event.bp, 0)
    return bound


def _link(event: Event) -> bytes:
    if event.id is not ABSENT:
        return bytes(event.id)
    args = event.args
    return bytes(args.correlation) if isinstance(args, Args) else _NULL


def _said(args: object) -> Scalar:
    """The name or the sort index in a metadata event's args; None if there is neither."""
    if not isinstance(args, Args):
        return None
    value = msgspec.json.decode(args.sort_index if args.name is ABSENT else args.name)
    return value if isinstance(value, str | int) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
