"""The columns of one run of events, its texts numbered within the run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tp_tools.chrome.batch_times import Times
from tp_tools.chrome.event_ids import ids_of_events
from tp_tools.chrome.schema import (
    ABSENT,
    Args,
    Event,
    Id,
    Scalar,
)
from tp_tools.chrome.stream import Malformed
from tp_tools.columns import indices_of, is_in, narrow
from tp_tools.trace.model import EXACT_BELOW_NS, UNTIMED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tp_tools.chrome.batches import BatchText
    from tp_tools.trace.model import Ints

NOTHING = "\0"
"""Stands for no name where Perfetto shows none either: at instants of a process or of all."""

Text = str | None


@dataclass(frozen=True)
class Columns:
    """What a run of events says; row i is its i-th event. See `Trace` for what is not said here.

    Attributes:
        length: bytes of its text, separators included.
        phase, ts, dur, bound, rounded: as in `Trace`.
        track, cat, name: index into the run's own `tracks`, `cats`, `names`.
        link: the id, where it is a plain number; else NO_LINK, or less: see `odd_links`.
        tracks, cats, names: in the order in which they are met.
        odd_links: JSON text of ids that are no plain numbers; `link` -2 is the first.
        metadata, bind_ids: by place in the run.
    """

    length: int
    phase: NDArray[np.uint8]
    ts: Ints
    dur: Ints
    track: NDArray[np.int32]
    cat: NDArray[np.int32]
    name: NDArray[np.int32]
    link: Ints
    bound: NDArray[np.uint8]
    rounded: bool
    tracks: list[tuple[Id, Id]]
    cats: list[Text]
    names: list[Text]
    odd_links: list[bytes]
    metadata: dict[int, Scalar]
    bind_ids: dict[int, bytes]

    def __len__(self) -> int:
        return len(self.phase)


class _Codes(dict[Any, int]):
    """Numbers values in the order in which they are met."""

    def __missing__(self, key: object) -> int:
        self[key] = code = len(self)
        return code


class _Phases(dict[Any, int]):
    """The code of a phase's character."""

    def __missing__(self, key: object) -> int:
        # of its first byte, as Perfetto takes it
        self[key] = code = key.encode()[0] if isinstance(key, str) and key else 0
        return code


def columns_of(run: BatchText[Event], first: int, file: str) -> Columns:
    """What a run says.

    Args:
        run: the events.
        first: the number of the first one in the file, for messages.
        file: its name, for messages.

    Raises:
        InputError: a time is no number of 64 bits.
        Malformed: Perfetto would stop at an event or misread it.
    """
    events = run.events
    known, tracks, cats, names = _Phases(), _Codes(), _Codes(), _Codes()
    phase = _numbered([e.ph for e in events], known, np.uint8)
    ts, dur, inexact = Times(file).of_run(events, phase, first)
    metadata = _metadata(events, phase, file)
    link, odd_links = ids_of_events(events)
    ts[_unplaceable(events, phase, link)] = UNTIMED
    bound = _bound(events, phase)
    track = _numbered(zip([e.pid for e in events], [e.tid for e in events], strict=True), tracks)
    cat = _numbered([e.cat for e in events], cats)
    name = _numbered([e.name for e in events], names)
    for text in (*known, *cats, *names):
        if not isinstance(text, str | None):
            raise Malformed(f"{file}: {text} stands where a text should.")
    is_nameless = is_in(name, [names.get(None, -1), names.get("", -1)])
    is_shown_so = is_nameless & (bound != 0) & is_in(phase, _INSTANTS)
    if is_shown_so.any():
        name[is_shown_so] = names[NOTHING]
    return Columns(
        length=len(run.text),
        phase=phase,
        ts=ts,
        dur=narrow(dur),
        track=track,
        cat=cat,
        name=name,
        link=link,
        bound=bound,
        rounded=bool((inexact & (ts >= EXACT_BELOW_NS) & (phase != ord("M"))).any()),
        tracks=list(tracks),
        cats=list(cats),
        names=list(names),
        odd_links=odd_links,
        metadata=metadata,
        bind_ids=_bind_ids(events),
    )


def _numbered(
    values: Iterable[object], numbers: dict[Any, int], kind: type[np.integer[Any]] = np.int32
) -> NDArray[Any]:
    return np.fromiter(map(numbers.__getitem__, values), kind)


def _bind_ids(events: list[Event]) -> dict[int, bytes]:
    """The `bind_id` of the few slices that say themselves which flow they are part of."""
    texts = [event.bind_id for event in events]
    if texts.count(ABSENT) == len(texts):
        return {}
    return {i: bytes(text) for i, text in enumerate(texts) if text is not ABSENT}


_INSTANTS = b"iIR"
_NAMES = ("process_name", "thread_name")


def _metadata(events: list[Event], phase: NDArray[np.uint8], file: str) -> dict[int, Scalar]:
    """What metadata events say; names that are empty lose their phase: Perfetto drops them."""
    found: dict[int, Scalar] = {}
    for i in np.flatnonzero(phase == ord("M")).tolist():
        event, args = events[i], events[i].args
        said = None
        if isinstance(args, Args):
            raw = args.sort_index if args.name is ABSENT else args.name
            said = None if raw is ABSENT else msgspec.json.decode(raw)
            if event.name in _NAMES and args.name is not ABSENT:
                if isinstance(said, int | float):
                    raise Malformed(f"{file}: a {event.name} is {said}, not text.")
                if not said or not isinstance(said, str):
                    phase[i] = 0
                    continue
        found[i] = said if isinstance(said, str | int) else None
    return found


_ARROWS = b"stf"
_SPANS = b"bne"
_FLOW_ID = re.compile(rb'-?\d.*|".*"', re.DOTALL)
_ASYNC_ID = re.compile(rb'-?\d+|".*', re.DOTALL)


def _unplaceable(events: list[Event], phase: NDArray[np.uint8], link: Ints) -> list[int]:
    """What Perfetto drops wherever it stands: no phase, or no usable id for an arrow or a span.

    Ids are integers or text. Flow events whose id is text or a number of any kind can get an id
    that Perfetto reads: see `flow_groups`.

    Args:
        events: a run of events.
        phase: the codes of their phases.
        link: their ids; of those that are plain numbers it is known already.
    """
    arrows = indices_of(phase, _ARROWS)
    odd = [i for i in arrows.tolist() if events[i].id is ABSENT]
    odd += arrows[link[arrows] < 0].tolist()
    spans = indices_of(phase, _SPANS).tolist()
    return [
        *np.flatnonzero(phase == 0).tolist(),
        *[i for i in odd if not _FLOW_ID.fullmatch(events[i].id)],
        *[i for i in spans if events[i].id2 is ABSENT and not _ASYNC_ID.fullmatch(events[i].id)],
    ]


_BOUND: dict[object, int] = {"e": ord("e"), "p": ord("p"), "g": ord("g")}
_MAY_BE_BOUND = b"stfiIR"


def _bound(events: list[Event], phase: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What each flow event and each instant is bound to: see Trace.bound."""
    bound = np.zeros(len(events), np.uint8)
    where = indices_of(phase, _MAY_BE_BOUND)
    said = (events[i].s if events[i].bp is None else events[i].bp for i in where.tolist())
    bound[where] = [_BOUND.get(value, 0) for value in said]
    return bound
