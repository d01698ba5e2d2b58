"""Build the columns of a batch of events, with texts numbered within the batch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct

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
"""Name of instants of a process or of all processes that have none; Perfetto shows none either."""

Text = str | None


class Columns(Struct, frozen=True):
    """The columns of a batch; row i is its i-th event. `Trace` describes the other attributes.

    Attributes:
        length: bytes of the text of the batch, separators included.
        phase, ts, dur, bound, rounded: as in `Trace`.
        track, cat, name: index into `tracks`, `cats`, `names` of the batch.
        link: the id if it is a plain number; NO_ID for no id; -2 - i for id i of `text_ids`.
        tracks, cats, names: distinct values, in the order of their first events.
        text_ids: JSON text of the ids that are not plain numbers.
        metadata, bind_ids: by index of the event in the batch.
        ends_with_args: indices of events in the batch.
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
    text_ids: list[bytes]
    metadata: dict[int, Scalar]
    bind_ids: dict[int, bytes]
    ends_with_args: list[int]

    def __len__(self) -> int:
        return len(self.phase)


class _Codes(dict[Any, int]):
    """Numbers values in the order of their first lookup."""

    def __missing__(self, key: object) -> int:
        self[key] = code = len(self)
        return code


class _Phases(dict[Any, int]):
    """Maps a phase to the code of its first byte, as Perfetto does; 0 for no phase."""

    def __missing__(self, key: object) -> int:
        self[key] = code = key.encode()[0] if isinstance(key, str) and key else 0
        return code


def columns_of(batch: BatchText[Event], first: int, file: str) -> Columns:
    """Build the columns of a batch.

    Args:
        batch: the events and their text.
        first: the number of the first event in the file, for messages.
        file: the name of the file, for messages.

    Returns:
        The columns, each of shape (events,).

    Raises:
        InputError: a time does not fit 64 bits.
        Malformed: Perfetto would stop at an event or misread it.
    """
    events = batch.events
    phases, tracks, cats, names = _Phases(), _Codes(), _Codes(), _Codes()
    phase = _numbered([e.ph for e in events], phases, np.uint8)
    ts, dur, inexact = Times(file).of_batch(events, phase, first)
    metadata = _metadata(events, phase, file)
    link, text_ids = ids_of_events(events)
    ts[_dropped_events(events, phase, link)] = UNTIMED
    bound = _bound(events, phase)
    track = _numbered(zip([e.pid for e in events], [e.tid for e in events], strict=True), tracks)
    cat = _numbered([e.cat for e in events], cats)
    name = _numbered([e.name for e in events], names)
    _check_texts((*phases, *cats, *names), file)
    _name_shown_instants(name, names, phase, bound)
    return Columns(
        length=len(batch.text),
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
        text_ids=text_ids,
        metadata=metadata,
        bind_ids=_bind_ids(events),
        ends_with_args=_ends_with_args(events, phase),
    )


def _check_texts(values: Iterable[object], file: str) -> None:
    """Raise Malformed for a phase, category or name that is no text."""
    for value in values:
        if not isinstance(value, str | None):
            raise Malformed(f"{file}: {value} stands where a text should.")


def _name_shown_instants(
    name: NDArray[np.int32], names: _Codes, phase: NDArray[np.uint8], bound: NDArray[Any]
) -> None:
    """Set the name of instants that Perfetto shows without a name, in place."""
    is_nameless = is_in(name, [names.get(None, -1), names.get("", -1)])
    is_shown_nameless = is_nameless & (bound != 0) & is_in(phase, _INSTANTS)
    if is_shown_nameless.any():
        name[is_shown_nameless] = names[NOTHING]


def _numbered(
    values: Iterable[object], numbers: dict[Any, int], kind: type[np.integer[Any]] = np.int32
) -> NDArray[Any]:
    return np.fromiter(map(numbers.__getitem__, values), kind)


def _bind_ids(events: list[Event]) -> dict[int, bytes]:
    """Return the `bind_id` by index, of the few slices that name their flow themselves."""
    texts = [event.bind_id for event in events]
    if texts.count(ABSENT) == len(texts):
        return {}
    return {i: bytes(text) for i, text in enumerate(texts) if text is not ABSENT}


def _ends_with_args(events: list[Event], phase: NDArray[np.uint8]) -> list[int]:
    """Return the indices of the E events that have args."""
    ends = np.flatnonzero(phase == ord("E"))
    return [i for i in ends.tolist() if events[i].args is not None]


_INSTANTS = b"iIR"
_NAMES = ("process_name", "thread_name")


def _metadata(events: list[Event], phase: NDArray[np.uint8], file: str) -> dict[int, Scalar]:
    """Read the values of metadata events; clear the phase of empty names, which Perfetto drops."""
    values: dict[int, Scalar] = {}
    for i in np.flatnonzero(phase == ord("M")).tolist():
        event, args = events[i], events[i].args
        value = None
        if isinstance(args, Args):
            raw = args.sort_index if args.name is ABSENT else args.name
            value = None if raw is ABSENT else msgspec.json.decode(raw)
            if event.name in _NAMES and args.name is not ABSENT:
                if isinstance(value, int | float):
                    raise Malformed(f"{file}: a {event.name} is {value}, not text.")
                if not value or not isinstance(value, str):
                    phase[i] = 0
                    continue
        values[i] = value if isinstance(value, str | int) else None
    return values


_FLOWS = b"stf"
_ASYNC = b"bne"
_FLOW_ID = re.compile(rb'-?\d.*|".*"', re.DOTALL)
_ASYNC_ID = re.compile(rb'-?\d+|".*', re.DOTALL)


def _dropped_events(events: list[Event], phase: NDArray[np.uint8], link: Ints) -> list[int]:
    """Find events that Perfetto drops: without a phase, or flow or async events without usable id.

    Ids are integers or text. A flow event whose id is text or any number can get an id that
    Perfetto reads: see `flow_groups`.

    Args:
        events: the events of a batch.
        phase: the codes of their phases.
        link: the id of each event; below 0 if it is not a plain number.

    Returns:
        Indices of the events; one may occur twice.
    """
    flows = indices_of(phase, _FLOWS)
    not_plain = [i for i in flows.tolist() if events[i].id is ABSENT]
    not_plain += flows[link[flows] < 0].tolist()
    async_events = indices_of(phase, _ASYNC).tolist()
    return [
        *np.flatnonzero(phase == 0).tolist(),
        *[i for i in not_plain if not _FLOW_ID.fullmatch(events[i].id)],
        *[
            i
            for i in async_events
            if not _ASYNC_ID.fullmatch(events[i].id) and not _is_id2(events[i].id2)
        ],
    ]


def _is_id2(text: msgspec.Raw) -> bool:
    """Tell whether an `id2` is an object with an id in it: {"local": "0x1"}."""
    value = msgspec.json.decode(text) if bytes(text)[:1] == b"{" else {}
    ids = [value.get(key) for key in ("local", "global")]
    return any(isinstance(it, int | str) and not isinstance(it, bool) for it in ids)


_BOUND: dict[object, int] = {"e": ord("e"), "p": ord("p"), "g": ord("g")}
_BINDABLE = b"stfiIR"


def _bound(events: list[Event], phase: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the binding of each flow event and the scope of each instant: see Trace.bound."""
    bound = np.zeros(len(events), np.uint8)
    chosen = indices_of(phase, _BINDABLE)
    values = (events[i].s if events[i].bp is None else events[i].bp for i in chosen.tolist())
    bound[chosen] = [_BOUND.get(value, 0) for value in values]
    return bound
