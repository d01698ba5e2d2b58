"""The columns of a trace, collected from its events run by run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tp_tools.chrome.events import NAMELESS, NO_LINK, UNTIMED, Span, Trace
from tp_tools.chrome.feed import Malformed
from tp_tools.chrome.schema import ABSENT, Args, Event, Id, Scalar
from tp_tools.chrome.times import Times

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.chrome.outer import Head, Tail
    from tp_tools.chrome.split import Run

_NOTHING = "\0"
"""Stands for no name where Perfetto shows none either: at instants of a process or of all."""

_NULL = b"null"
_INSTANTS = np.frombuffer(b"iIR", np.uint8)
_NAMES = ("process_name", "thread_name")


class _Phases(dict[Any, int]):
    """The code of a phase's character."""

    def __missing__(self, key: object) -> int:
        # of its first byte, as Perfetto takes it
        self[key] = code = key.encode()[0] if isinstance(key, str) and key else 0
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


class Columns:
    """Collects the columns, run by run."""

    def __init__(self, name: str) -> None:
        """Args: name: of the file, for messages."""
        self.name = name
        self.times = Times(name)
        self.spans: list[Span] = []
        self.count = 0
        self.columns: list[tuple[NDArray[np.generic], ...]] = []
        self.phases = _Phases()
        self.metadata: dict[int, Scalar] = {}
        self.tracks, self.cats, self.names, self.links = _Codes(), _Codes(), _Codes(), _Links()

    def add(self, run: Run[Event]) -> None:
        """Takes the next run.

        Raises:
            InputError: a time is no number of 64 bits.
            Malformed: Perfetto would stop at an event or misread it.
        """
        events = run.events
        phases = np.array([self.phases[e.ph] for e in events], np.uint8)
        ts, dur, inexact = self.times.of_run(events, phases, self.count)
        self._read_metadata(events, phases)
        ts[_unplaceable(events, phases)] = UNTIMED
        tracks, cats, names, links = self.tracks, self.cats, self.names, self.links
        bound = _bound(events, phases)
        name = np.array([names[e.name] for e in events], np.int32)
        is_nameless = np.isin(name, [names.get(None, -1), names.get("", -1)])
        name[is_nameless & (bound != 0) & np.isin(phases, _INSTANTS)] = names[_NOTHING]
        self.columns.append(
            (
                phases,
                ts,
                dur,
                np.array([tracks[e.pid, e.tid] for e in events], np.int32),
                np.array([cats[e.cat] for e in events], np.int32),
                name,
                np.array([links[text] for text in _links(events)], np.int32),
                inexact,
                bound,
            )
        )
        self.spans.append(Span(self.count, len(events), len(run.text)))
        self.count += len(events)

    def _read_metadata(self, events: list[Event], phases: NDArray[np.uint8]) -> None:
        """What metadata events say; names that are empty lose their phase: Perfetto drops them."""
        for i in np.flatnonzero(phases == ord("M")).tolist():
            event, args = events[i], events[i].args
            said = None
            if isinstance(args, Args):
                said = msgspec.json.decode(args.sort_index if args.name is ABSENT else args.name)
                if event.name in _NAMES and args.name is not ABSENT:
                    if isinstance(said, int | float):
                        raise Malformed(f"{self.name}: a {event.name} is {said}, not text.")
                    if not said or not isinstance(said, str):
                        phases[i] = 0
                        continue
            self.metadata[self.count + i] = said if isinstance(said, str | int) else None

    def trace(
        self, head: Head, tail: Tail, repairs: Counter[str], *, thorough: bool = False
    ) -> Trace:
        """All runs as one trace.

        Args:
            head: the text before them.
            tail: the text behind them.
            repairs: what was mended in the text.
            thorough: whether it was mended thoroughly.

        Raises:
            Malformed: a phase, a category or a name is no text.
        """
        for texts in (self.phases, self.cats, self.names):
            for text in texts:
                if not isinstance(text, str | None):
                    raise Malformed(f"{self.name}: {text} stands where a text should.")
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
            tracks=[(_id(pid), _id(tid)) for pid, tid in self.tracks],
            cats=[cat or "" for cat in self.cats],
            names=["" if name == _NOTHING else name or NAMELESS for name in self.names],
            links=list(self.links)[1:],
            metadata=self.metadata,
            repairs=repairs,
            thorough=thorough,
            **arrays,
        )


_ARROWS = np.frombuffer(b"stf", np.uint8)
_SPANS = np.frombuffer(b"bne", np.uint8)
_FLOW_ID = re.compile(rb'-?\d+|"\s*[+-]?(?:0[xX])?[0-9a-fA-F]+"')
_ASYNC_ID = re.compile(rb'-?\d+|".*', re.DOTALL)


def _unplaceable(events: list[Event], phases: NDArray[np.uint8]) -> list[int]:
    """What Perfetto drops wherever it stands: no phase, or no usable id for an arrow or a span.

    Ids are integers or text, of arrows text that is a hexadecimal number.
    """
    arrows = np.flatnonzero(np.isin(phases, _ARROWS)).tolist()
    spans = np.flatnonzero(np.isin(phases, _SPANS)).tolist()
    return [
        *np.flatnonzero(phases == 0).tolist(),
        *[i for i in arrows if not _FLOW_ID.fullmatch(events[i].id)],
        *[i for i in spans if events[i].id2 is ABSENT and not _ASYNC_ID.fullmatch(events[i].id)],
    ]


_BOUND: dict[object, int] = {"e": ord("e"), "p": ord("p"), "g": ord("g")}
_MAY_BE_BOUND = np.frombuffer(b"stfiIR", np.uint8)


def _bound(events: list[Event], phases: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What each flow event and each instant is bound to: see Trace.bound."""
    bound = np.zeros(len(events), np.uint8)
    where = np.flatnonzero(np.isin(phases, _MAY_BE_BOUND))
    said = (events[i].s if events[i].bp is None else events[i].bp for i in where.tolist())
    bound[where] = [_BOUND.get(value, 0) for value in said]
    return bound


def _links(events: list[Event]) -> Iterator[bytes]:
    """The id of each flow event; of a slice the correlation."""
    for event in events:
        if event.id is not ABSENT and event.ph != "X":
            yield bytes(event.id)
        elif isinstance(event.args, Args) and event.args.correlation is not ABSENT:
            yield bytes(event.args.correlation)
        else:
            yield _NULL


def _id(value: Id) -> Id:
    """Perfetto takes 7.0 for 7."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
