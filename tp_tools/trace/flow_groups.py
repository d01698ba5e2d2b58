"""Group flow events into flows, and choose ids under which Perfetto reads the same flows.

Perfetto (v52 to v58) joins `s`, `t` and `f` by (id, category, name). It reads text as a hexadecimal
number and drops ids that are decimals or words. It ignores ranks, so that in a file of merged ranks
one id joins slices of several ranks. A reused id continues the first flow with this id. Flow events
that Perfetto would join wrongly or not at all get new ids.
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from tp_tools.columns import blocks, distinct, is_in, ranked, rows_where, take
from tp_tools.trace.model import UNTIMED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from tp_tools.columns import Empty
    from tp_tools.trace.model import EventIds, Ints, Scalar, Trace

NO_ID = -1
LAUNCH_CATS = frozenset({"ac2g", "async_cpu_to_gpu", "async_gpu", "async", "hipflow"})
"""Categories that Kineto has given launch flows since 2020."""

_INTEGER = re.compile(rb"-?\d+")
_DECIMAL = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_DIGITS = re.compile(rb'"\s*\d{1,40}\s*"')
_HEXADECIMAL = re.compile(rb'"\s*([+-]?(?:0[xX])?[0-9a-fA-F]+)"')
_ID_BITS = 64
_RANK_LABEL = re.compile(r"\s*(\[[^\]]*\]|(?i:rank)[ _:-]*\d+)")
_HIGHEST_START = 1 << 48
_MOST_NARROW = 1 << 29  # ids of a trace whose codes, and those of as many new ids, are int32


class FlowGroups(Struct, frozen=True):
    """Flow events and the groups that they form.

    Attributes:
        event: int32 (flow events,), numbers of the flow events with a time, ascending.
        group: int32 (flow events,), the group of each flow event, from 0.
        correlation: int32 (flow events,), the index into Trace.links of a correlation that equals
            the id of each flow event.
        is_launch: whether the category of each group is one of launches, shape (groups,).
        ids: new id by number of the flow event, for events that get one.
    """

    event: Ints
    group: Ints
    correlation: Ints
    is_launch: NDArray[np.bool_]
    ids: dict[int, int]


def flow_groups(trace: Trace, left_out: Collection[int] = ()) -> FlowGroups:
    """Group the flow events of a trace as the profiler joined them.

    Args:
        trace: the trace.
        left_out: numbers of flow events that are not written.

    Returns:
        The groups, and the new ids that make Perfetto read the same groups.
    """
    empty = trace.scratch.empty
    event = rows_where(
        len(trace),
        lambda block: is_in(trace.phase[block], b"stf") & (trace.ts[block] != UNTIMED),
        empty,
    )
    if left_out:
        event = event[~is_in(event, left_out)]
    link = take(trace.link, event, empty)
    perfetto_ids = read_codes(trace.links, link, empty)
    is_plain = not (link >= len(trace.links.plain)).any()
    profiler_ids = perfetto_ids if is_plain else _profiler_codes(trace.links, link, empty)
    del link
    cats, names = take(trace.cat, event, empty), take(trace.name, event, empty)
    label = rank_labels(trace.tracks)
    shown = _numbered(empty, perfetto_ids, cats, names)
    if label.any():
        group = _numbered(empty, profiler_ids, cats, names, label[trace.track[event]])
    else:
        group = shown if is_plain else _numbered(empty, profiler_ids, cats, names)
    del cats, names
    group = _split_reused(trace, event, group)
    is_launch = np.zeros(int(group.max(initial=-1)) + 1, np.bool_)
    launch_cats = [code for code, cat in enumerate(trace.cats) if cat in LAUNCH_CATS]
    for block in blocks(len(event)):
        is_launch[group[block][is_in(trace.cat[event[block]], launch_cats)]] = True
    correlation = profiler_ids
    if not is_plain:
        more = len(trace.links) - len(trace.links.plain)
        correlation = np.where(
            profiler_ids < len(trace.links), profiler_ids, profiler_ids - more
        ).astype(np.int32)
    starts = np.bincount(group[trace.phase[event] == ord("s")], minlength=len(is_launch))
    new_ids = _new_ids(trace.links, event, group, shown, perfetto_ids)
    if (
        starts > 1
    ).any():  # which of them an end belongs to is unknown: better no arrow than new ones
        unclear = is_in(group, np.flatnonzero(starts > 1).tolist())
        new_ids = {key: new_ids[key] for key in new_ids.keys() - set(event[unclear].tolist())}
    return FlowGroups(event, group, correlation, is_launch, new_ids)


def rank_labels(tracks: list[tuple[Scalar, Scalar]]) -> Ints:
    """Number the ranks that pids name.

    Merged traces of SGLang have pids such as "[TP00] 1000" and "[TP01-DP00] 1000".

    Args:
        tracks: (pid, tid) of each track.

    Returns:
        A number by track, equal for equal ranks; 0 for a pid that names no rank.
    """
    labels: dict[str, int] = {"": 0}
    matches = (_RANK_LABEL.match(pid) if isinstance(pid, str) else None for pid, _ in tracks)
    texts = ["" if match is None else match[1] for match in matches]
    return np.array([labels.setdefault(text, len(labels)) for text in texts], np.int64)


def read_id(text: bytes) -> int | None:
    """Return the id that Perfetto reads from a JSON text; None if it reads none."""
    if _INTEGER.fullmatch(text):
        value = int(text)
    elif match := _HEXADECIMAL.fullmatch(text):
        value = int(match[1], 16)
    else:
        return None
    return value if value.bit_length() <= _ID_BITS else None


def read_codes(links: EventIds, used: Ints, empty: Empty = np.empty) -> Ints:
    """Number the ids of flow events as Perfetto reads them.

    Args:
        links: the ids of the trace.
        used: the link of each flow event.
        empty: makes the column of the result.

    Returns:
        A number by flow event, equal for equal ids; NO_ID if Perfetto reads none.
    """
    values = [read_id(bytes(text)) for text in links.odd]
    return take(_codes(links, values, empty), used, empty)


def _profiler_codes(links: EventIds, used: Ints, empty: Empty) -> Ints:
    """Number the ids of flow events as the profiler meant them; arguments as in `read_codes`."""
    decimal = len(links.plain) > 0
    values = [_profiler_id(bytes(text), decimal=decimal) for text in links.odd]
    return take(_codes(links, values, empty), used, empty)


def _codes(links: EventIds, values: list[Any], empty: Empty) -> Ints:
    """Number the ids of a trace.

    Args:
        links: the ids of the trace.
        values: the values of the ids that are not plain numbers; None for no id.
        empty: makes the column of the result.

    Returns:
        A number by link, equal for equal ids; the last one is NO_ID, for link -1.
    """
    first_text, count = len(links.plain), len(links)
    dtype = np.int32 if count < _MOST_NARROW else np.int64
    codes: Ints = empty(count + 1, dtype)
    for block in blocks(count):
        codes[block] = np.arange(block.start, block.stop)
    codes[count] = NO_ID
    if values:
        known: dict[object, int] = {number: i for i, number in enumerate(links.plain.tolist())}
        codes[first_text:count] = [
            NO_ID if value is None else known.setdefault(value, count + i)
            for i, value in enumerate(values)
        ]
    return codes


def _profiler_id(text: bytes, *, decimal: bool) -> object:
    """Return the value of an id, equal for ids that are written differently.

    Args:
        text: the JSON text of the id.
        decimal: whether digits in quotes are decimal; so if the trace has ids that are numbers.
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


def _numbered(empty: Empty, *columns: Ints) -> NDArray[np.int32]:
    """Number the distinct rows of columns of numbers from -1 on, in their order."""
    number = ranked(columns[-1], empty)
    for column in columns[-2::-1]:
        both, count = empty(len(column), np.int64), int(number.max(initial=0)) + 1
        for block in blocks(len(column)):
            both[block] = column[block].astype(np.int64) * count + number[block]
        number = ranked(both, empty)
    return number


def _split_reused(trace: Trace, event: Ints, group: Ints) -> Ints:
    """Split the groups of an id that several flows use one after the other."""
    begins = trace.phase[event] == ord("s")
    again = np.flatnonzero(np.bincount(group[begins], minlength=1) > 1)
    if not len(again):
        return group
    result, fresh = group.copy(), int(group.max()) + 1
    chosen = np.flatnonzero(is_in(group, again.tolist()))
    order = chosen[np.lexsort((event[chosen], trace.ts[event[chosen]], group[chosen]))]
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        use = _uses(bytes(trace.phase[event[members]].tolist()))
        later = use > 0
        result[members[later]] = fresh + use[later] - 1
        fresh += int(use.max())
    return result


def _uses(phases: bytes) -> Ints:
    """Number the uses of an id.

    If there are as many ends as starts, the n-th end belongs to the n-th start. Else each end
    belongs to the start before it; if two starts follow each other, all events are one use.

    Args:
        phases: the phases of the flow events with this id, in order of time.

    Returns:
        The use of each flow event, from 0.
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
    """Choose new ids for the flow events that Perfetto would not join as the profiler did.

    Args:
        links: the ids of the trace.
        event: the flow events.
        group: the flow of each event.
        shown: the flow of each event as Perfetto joins them.
        read: the id of each event as Perfetto reads it; NO_ID for none.

    Returns:
        New id by number of the event.
    """
    if group is shown and not (read == NO_ID).any():
        return {}
    pairs = np.unique(np.column_stack([group, shown]), axis=0)
    of_group = np.bincount(pairs[:, 0])
    keeps = np.zeros(len(of_group), np.bool_)
    # the first of the groups that share an id keeps it
    first = np.unique(pairs[:, 1], return_index=True)[1]
    keeps[pairs[first, 0]] = True
    keeps &= of_group == 1
    keeps[group[read == NO_ID]] = False
    changes = np.flatnonzero(~keeps[group])
    free = _free_ids(links)
    ids = {number: next(free) for number in distinct(group[changes]).tolist()}
    event_ids = [ids[number] for number in group[changes].tolist()]
    return dict(zip(event[changes].tolist(), event_ids, strict=True))


def _free_ids(links: EventIds) -> Iterator[int]:
    """Yield ids that no flow has."""
    taken = [value for text in links.odd if (value := read_id(bytes(text))) is not None]
    taken += links.plain[links.plain < _HIGHEST_START][-1:].tolist()
    low = [value for value in taken if value < _HIGHEST_START]
    used = set(taken)
    return (number for number in count(max(low, default=0) + 1) if number not in used)
