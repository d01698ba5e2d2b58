"""The events of a trace as typed columns: what the tool reasons about; the bytes stay in the file.

Format: Chrome's Trace Event Format, as PyTorch's Kineto writes it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from tp_tools.chrome import numbers
from tp_tools.chrome.mend import mended
from tp_tools.chrome.split import Head, Run, Tail, split
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from tp_tools.chrome.source import Source

Scalar: TypeAlias = int | float | str | bool | None
Ints: TypeAlias = "NDArray[np.int64]"

ABSENT = msgspec.Raw(b"null")
"""The default of a time."""

UNTIMED = -(1 << 62)
"""Stands in `ts` or `dur` where the file has no number."""

NO_LINK = -1
EXACT_BELOW_NS = (1 << 42) * 1000
"""Perfetto's double holds decimals of a microsecond exactly below 2^42 us."""


class Args(msgspec.Struct, gc=False):
    """The argument that ties a kernel to its launch."""

    correlation: Scalar = None


class Event(msgspec.Struct, gc=False):
    """What is read of each event; times stay text."""

    ph: Scalar = None
    cat: Scalar = None
    name: Scalar = None
    ts: msgspec.Raw = ABSENT
    dur: msgspec.Raw = ABSENT
    pid: Scalar = None
    tid: Scalar = None
    id: Scalar = None
    args: Args | Scalar | list[msgspec.Raw] = None


DECODER = msgspec.json.Decoder(list[Event])


@dataclass(frozen=True)
class Span:
    """One run of events in the text.

    Attributes:
        first: number of its first event in the file.
        count: events in it.
        length: bytes of (mended) text, separators included.
    """

    first: int
    count: int
    length: int


@dataclass(frozen=True)
class Trace:
    """A trace as columns; row i is the i-th event of the file.

    Attributes:
        head, tail: the (mended) text around the events.
        spans: the runs of events in between.
        phase: the code of `ph`, 0 where there is none.
        ts: nanoseconds; UNTIMED where there is no number.
        dur: nanoseconds, of X events; UNTIMED where there is no number, 0 for other phases.
        track: index into `tracks`.
        cat: index into `cats`.
        name: index into `names`.
        link: index into `links`: of X events args.correlation, of flow events `id`; NO_LINK if none.
        inexact: whether a time is written so that Perfetto reads it through a double.
        tracks: (pid, tid) as the file writes them.
        repairs: what was mended in the text, by kind.
    """

    head: Head
    tail: Tail
    spans: list[Span]
    phase: NDArray[np.uint8]
    ts: Ints
    dur: Ints
    track: NDArray[np.int32]
    cat: NDArray[np.int32]
    name: NDArray[np.int32]
    link: NDArray[np.int32]
    inexact: NDArray[np.bool_]
    tracks: list[tuple[Scalar, Scalar]]
    cats: list[str]
    names: list[str]
    links: list[Scalar]
    repairs: Counter[str]

    def __len__(self) -> int:
        return len(self.phase)


def is_phase(trace: Trace, phases: str) -> NDArray[np.bool_]:
    """Which events are of one of these phases."""
    return np.isin(trace.phase, [ord(phase) for phase in phases])


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


_NO_NUMBERS = (b"null", b'"NaN"', b'"Infinity"', b'"-Infinity"', b'""')


class _Phases(dict[Any, int]):
    """The code of a phase's character."""

    def __missing__(self, key: Any) -> int:
        self[key] = code = ord(key[0]) & 0xFF if isinstance(key, str) and key else 0
        return code


class _Codes(dict[Any, int]):
    """Numbers values in the order in which they are met."""

    def __missing__(self, key: Any) -> int:
        self[key] = code = len(self)
        return code


class _Links(_Codes):
    """Numbers ids; None has none."""

    def __init__(self) -> None:
        super().__init__({None: NO_LINK})

    def __missing__(self, key: Any) -> int:
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
        self.tracks, self.cats, self.names, self.links = _Codes(), _Codes(), _Codes(), _Links()

    def add(self, run: Run[Event]) -> None:
        events = run.events
        phases = np.array([self.phases[e.ph] for e in events], np.uint8)
        ts, ts_inexact = self._times([e.ts for e in events], "ts")
        dur, dur_inexact = self._durations(events, phases == ord("X"))
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
                ts_inexact | dur_inexact,
            )
        )
        self.spans.append(Span(self.count, len(events), len(run.text)))
        self.count += len(events)

    def _durations(
        self, events: list[Event], complete: NDArray[np.bool_]
    ) -> tuple[Ints, NDArray[np.bool_]]:
        dur = np.zeros(len(events), np.int64)
        inexact = np.zeros(len(events), np.bool_)
        wanted = [events[i].dur for i in np.flatnonzero(complete).tolist()]
        dur[complete], inexact[complete] = self._times(wanted, "dur")
        return dur, inexact

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
        )
        columns = [np.concatenate(column) for column in zip(empty, *self.columns, strict=True)]
        return Trace(
            head,
            tail,
            self.spans,
            *columns,
            list(self.tracks),
            [_text(cat) for cat in self.cats],
            [_text(name) for name in self.names],
            list(self.links)[1:],
            repairs,
        )


def _link(event: Event) -> Scalar:
    if event.id is not None:
        return event.id
    args = event.args
    return args.correlation if isinstance(args, Args) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
