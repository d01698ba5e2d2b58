"""Which flow events belong together, and the ids under which Perfetto reads them so.

Perfetto (v52 to v58) ties `s`, `t` and `f` together by (id, category, name). It reads text as a
hexadecimal number, and has no place for ids that are decimals or words. It knows no ranks, so in a
file into which ranks were merged one id joins slices of several. And an id that is used again goes
on from where it first began. Flow events that it would tie together wrongly, or not at all, get
ids of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tp_tools.columns import is_in
from tp_tools.trace.model import UNTIMED, is_phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace.model import EventIds, Ints, Scalar, Trace

NO_ID = -1
LAUNCH_CATS = frozenset({"ac2g", "async_cpu_to_gpu", "async_gpu", "async", "hipflow"})
"""Categories of launch flows as Kineto has called them since 2020."""

_INTEGER = re.compile(rb"-?\d+")
_DECIMAL = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_DIGITS = re.compile(rb'"\s*\d+\s*"')
_HEXADECIMAL = re.compile(rb'"\s*([+-]?(?:0[xX])?[0-9a-fA-F]+)"')
_ID_BITS = 64
_LABEL = re.compile(r"\s*(\[[^\]]*\]|(?i:rank)[ _:-]*\d+)")
_HIGHEST_START = 1 << 48


@dataclass(frozen=True)
class FlowGroups:
    """Flow events and the groups that they form.

    Attributes:
        event: numbers of the flow events that have a time, ascending.
        group: the group of each, from 0.
        correlation: index into Trace.links that a correlation equal to the id of each has.
        is_launch: by group: whether its category is one of launches.
        ids: the new id of each flow event that gets one.
    """

    event: Ints
    group: Ints
    correlation: Ints
    is_launch: NDArray[np.bool_]
    ids: dict[int, int]


def flow_groups(trace: Trace) -> FlowGroups:
    """The flow events of a trace by what the profiler tied together.

    Args:
        trace: the trace.
    """
    event = np.flatnonzero(is_phase(trace, "stf") & (trace.ts != UNTIMED)).astype(np.int64)
    link = trace.link[event].astype(np.int64)
    read = read_codes(trace.links, link)
    is_plain = not (link >= len(trace.links.plain)).any()
    meant = read if is_plain else _meant_codes(trace.links, link)
    cats, names = trace.cat[event].astype(np.int64), trace.name[event].astype(np.int64)
    label = rank_labels(trace.tracks)
    shown = _numbered(read, cats, names)
    group = _numbered(meant, cats, names, label[trace.track[event]]) if label.any() else None
    if group is None:
        group = shown if meant is read else _numbered(meant, cats, names)
    group = _by_use(trace, event, group)
    is_launch = np.zeros(int(group.max(initial=-1)) + 1, np.bool_)
    launch_cats = [code for code, cat in enumerate(trace.cats) if cat in LAUNCH_CATS]
    is_launch[group[is_in(trace.cat[event], launch_cats)]] = True
    first_odd = len(trace.links.plain)
    correlation = np.where(meant < len(trace.links), meant, meant - len(trace.links) + first_odd)
    new = _new_ids(trace.links, event, group, shown, read)
    return FlowGroups(event, group, correlation, is_launch, new)


def rank_labels(tracks: list[tuple[Scalar, Scalar]]) -> Ints:
    """A number for the rank that the pid of each track names, 0 for none.

    SGLang's merged traces have pids such as "[TP00] 1000" and "[TP01-DP00] 1000".
    """
    labels: dict[str, int] = {"": 0}
    found = (_LABEL.match(pid) if isinstance(pid, str) else None for pid, _ in tracks)
    texts = ["" if match is None else match[1] for match in found]
    return np.array([labels.setdefault(text, len(labels)) for text in texts], np.int64)


def read_id(text: bytes) -> int | None:
    """The id that Perfetto reads from this JSON text; None if it reads none."""
    if _INTEGER.fullmatch(text):
        value = int(text)
    elif match := _HEXADECIMAL.fullmatch(text):
        value = int(match[1], 16)
    else:
        return None
    return value if value.bit_length() <= _ID_BITS else None


def read_codes(links: EventIds, used: Ints) -> Ints:
    """The id of each flow event as Perfetto reads it: equal for equal ones, NO_ID for none.

    Args:
        links: the ids of the trace.
        used: the link of each flow event.
    """
    values = [read_id(bytes(text)) for text in links.odd]
    codes: Ints = _codes(links, values)[used]
    return codes


def _meant_codes(links: EventIds, used: Ints) -> Ints:
    """The same for what the ids stand for."""
    decimal = len(links.plain) > 0
    values = [_meant(bytes(text), decimal=decimal) for text in links.odd]
    codes: Ints = _codes(links, values)[used]
    return codes


def _codes(links: EventIds, values: list[Any]) -> Ints:
    """By link a number, equal for equal ids; behind them NO_ID, for NO_LINK.

    Args:
        links: the ids of the trace.
        values: what those are that are no plain numbers; None for no id.
    """
    first_odd, count = len(links.plain), len(links)
    codes: Ints = np.append(np.arange(count, dtype=np.int64), NO_ID)
    if values:
        known: dict[object, int] = {number: i for i, number in enumerate(links.plain.tolist())}
        codes[first_odd:count] = [
            NO_ID if value is None else known.setdefault(value, count + i)
            for i, value in enumerate(values)
        ]
    return codes


def _meant(text: bytes, *, decimal: bool) -> object:
    """What an id stands for, equal for ids that are written differently.

    Args:
        text: JSON text.
        decimal: whether digits in text are a decimal number: the trace has ids that are numbers.
    """
    if decimal and _DIGITS.fullmatch(text):
        return int(text.strip(b'"'))
    value = read_id(text)
    if value is not None:
        return value
    if _DECIMAL.fullmatch(text):
        number = Decimal(text.decode())
        return int(number) if number == number.to_integral_value() else number
    return text


def _numbered(*columns: Ints) -> Ints:
    """A number for each different row of some columns of numbers from -1 on."""
    key = columns[0].astype(np.int64)
    for column in columns[1:]:
        span = int(column.max(initial=0)) + 2
        if int(key.max(initial=0)) + 2 >= (1 << 62) // span:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * span + column
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _by_use(trace: Trace, event: Ints, group: Ints) -> Ints:
    """The groups, with those of an id that is used again told apart."""
    begins = trace.phase[event] == ord("s")
    again = np.flatnonzero(np.bincount(group[begins], minlength=1) > 1)
    if not len(again):
        return group
    found, fresh = group.copy(), int(group.max()) + 1
    chosen = np.flatnonzero(is_in(group, again.tolist()))
    order = chosen[np.lexsort((event[chosen], trace.ts[event[chosen]], group[chosen]))]
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        use = _uses(bytes(trace.phase[event[members]].tolist()))
        later = use > 0
        found[members[later]] = fresh + use[later] - 1
        fresh += int(use.max())
    return found


def _uses(phases: bytes) -> Ints:
    """Which use of an id each of its flow events belongs to, from 0; they are in order of time.

    As many ends as beginnings belong to each other in their order. Else each end belongs to the
    beginning before it; where two beginnings follow each other, nothing is known.
    """
    marks = np.frombuffer(phases, np.uint8)
    begins = marks == ord("s")
    if not (marks == ord("t")).any() and begins.sum() * 2 == len(marks):
        in_turn: Ints = np.where(begins, np.cumsum(begins), np.cumsum(~begins)) - 1
        return in_turn
    if any(two == (ord("s"), ord("s")) for two in pairwise(phases)):
        return np.zeros(len(marks), np.int64)
    latest: Ints = np.maximum(np.cumsum(begins) - 1, 0)
    return latest


def _new_ids(links: EventIds, event: Ints, group: Ints, shown: Ints, read: Ints) -> dict[int, int]:
    """New ids for the flow events that Perfetto would not tie together as they are meant.

    Args:
        links: the ids of the trace.
        event: the flow events.
        group: what is meant to be together.
        shown: what Perfetto takes to be together.
        read: what it reads of their ids; NO_ID for none.
    """
    if group is shown and not (read == NO_ID).any():
        return {}
    pairs = np.unique(np.column_stack([group, shown]), axis=0)
    of_group = np.bincount(pairs[:, 0])
    keeps = np.zeros(len(of_group), np.bool_)
    # the first group of those that share an id keeps it
    first = np.unique(pairs[:, 1], return_index=True)[1]
    keeps[pairs[first, 0]] = True
    keeps &= of_group == 1
    keeps[group[read == NO_ID]] = False
    changes = np.flatnonzero(~keeps[group])
    free = _free(links)
    ids = {number: next(free) for number in np.unique(group[changes]).tolist()}
    its_ids = [ids[number] for number in group[changes].tolist()]
    return dict(zip(event[changes].tolist(), its_ids, strict=True))


def _free(links: EventIds) -> Iterator[int]:
    """Ids that no flow has."""
    taken = [value for text in links.odd if (value := read_id(bytes(text))) is not None]
    taken += links.plain[links.plain < _HIGHEST_START][-1:].tolist()
    low = [value for value in taken if value < _HIGHEST_START]
    used = set(taken)
    return (number for number in count(max(low, default=0) + 1) if number not in used)
