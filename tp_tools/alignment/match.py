"""Which collectives of different ranks are one collective.

By identity where the trace has one: Kineto's `Comms Id`, else the number within the process group.
Where it has none, as on custom all-reduces and replayed CUDA graphs, by order, tested against
time (`order`). Lost or cut off collectives never shift the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.clock import Readings
from tp_tools.alignment.collectives import MESSAGES, SYNCHRONISING, TESTABLE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tp_tools.alignment.collectives import Collectives
    from tp_tools.trace.model import Ints

COMMS_ID, SEQ, ORDER = "comms_id", "seq", "order"
CERTAIN, TESTED, UNCERTAIN = "certain", "tested", "uncertain"
"""By identity; by order, and the times leave no other way; by order, and another is possible."""

TOGETHER_NS = 50_000
"""Ends of one collective that lie further apart than this say nothing about clocks."""

ALONE = 1
_MESSAGES = sorted(MESSAGES)


@dataclass(frozen=True)
class Pool:
    """The collectives of all ranks in one table, rank by rank, in each by ts.

    Attributes:
        rank: index of the rank.
        row: its row in the rank's Collectives.
        key: equal where kind, bytes, and process group or stream are.
        identity: equal for parts of one collective; UNKNOWN without identity.
        by_comms_id: whether the identity is a Comms Id.
        synchronising: whether no rank leaves before the last one arrives.
        ts, end: ns since the epoch, on the rank's own clock.
    """

    rank: Ints
    row: Ints
    key: Ints
    identity: Ints
    by_comms_id: NDArray[np.bool_]
    synchronising: NDArray[np.bool_]
    ts: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.rank)


@dataclass(frozen=True)
class Matches:
    """The matched collectives.

    Attributes:
        of: by row of the pool: the number of its match, or -1.
        method: by match: COMMS_ID, SEQ or ORDER.
        confidence: by match: CERTAIN, TESTED or UNCERTAIN.
        apart_ns: by match that was tested by its windows alone: how far apart its ends lie.
    """

    of: Ints
    method: list[str]
    confidence: list[str]
    apart_ns: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.method)

    def readings(self, pool: Pool) -> Readings:
        """What the clocks can be fitted to: ends of the sure matches that synchronise."""
        sure = np.array([it != UNCERTAIN for it in self.confidence] + [False], np.bool_)
        sure[[match for match, apart in self.apart_ns.items() if apart > TOGETHER_NS]] = False
        chosen = pool.synchronising & sure[self.of] & (self.of >= 0)
        return Readings(pool.rank, self.of, pool.end).where(chosen)


def pool(ranks: Sequence[Collectives], replicas: Sequence[int]) -> Pool:
    """All collectives that have a partner somewhere, in one table; messages are none.

    Args:
        ranks: the tables.
        replicas: by rank: ranks of different replicas have process groups of their own.
    """
    chosen = [np.flatnonzero((it.size != ALONE) & ~np.isin(it.kind, _MESSAGES)) for it in ranks]
    keys, identities = _Codes(), _Codes()
    streams = _same_streams(ranks)
    key, identity, by_comms_id, synchronising = [], [], [], []
    for table, rows, replica in zip(ranks, chosen, replicas, strict=True):
        seen: Counter[object] = Counter()
        for i in rows.tolist():
            named, how = _identity(table, i, replica)
            seen[named] += how is not None
            # one operation may be several kernels: the n-th belongs to the n-th
            identity.append(UNKNOWN if how is None else identities[named, seen[named]])
            by_comms_id.append(how == COMMS_ID)
            key.append(keys[_key(table, i, replica, streams)])
            synchronising.append(table.kind[i] in (TESTABLE if how is None else SYNCHRONISING))
    return Pool(
        rank=_joined([np.full(len(rows), r) for r, rows in enumerate(chosen)]),
        row=_joined(chosen),
        key=np.array(key, np.int64),
        identity=np.array(identity, np.int64),
        by_comms_id=np.array(by_comms_id, np.bool_),
        synchronising=np.array(synchronising, np.bool_),
        ts=_joined([table.ts[rows] for table, rows in zip(ranks, chosen, strict=True)]),
        end=_joined([table.end[rows] for table, rows in zip(ranks, chosen, strict=True)]),
    )


class _Codes(dict[object, int]):
    """Numbers values in the order in which they are met."""

    def __missing__(self, key: object) -> int:
        self[key] = code = len(self)
        return code


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate([np.empty(0, np.int64), *parts])


def _identity(table: Collectives, i: int, replica: int) -> tuple[object, str | None]:
    """What names the i-th collective on every rank, and how; None if nothing does."""
    if table.comms_id[i]:
        return (COMMS_ID, replica, table.comms_id[i]), COMMS_ID
    if table.seq[i] != UNKNOWN and table.group[i]:
        group = (table.group[i], table.members[i])
        return (SEQ, replica, group, table.kind[i], int(table.seq[i])), SEQ
    return None, None


def _key(table: Collectives, i: int, replica: int, streams: dict[str, bool]) -> object:
    """What two collectives without identity must share to be one."""
    kind = table.kind[i]
    # what ranks send to all the others need not be as much
    nbytes = UNKNOWN if kind == "all_to_all" else int(table.nbytes[i])
    if table.group[i]:
        return replica, kind, nbytes, table.group[i], table.members[i]
    return replica, kind, nbytes, int(table.stream[i]) if streams.get(kind) else None


def _same_streams(ranks: Sequence[Collectives]) -> dict[str, bool]:
    """By kind: whether all ranks run it on the same streams, so that streams tell them apart."""
    used: dict[str, set[frozenset[int]]] = {}
    for table in ranks:
        mine: dict[str, set[int]] = {}
        for kind, stream in zip(table.kind, table.stream.tolist(), strict=True):
            mine.setdefault(kind, set()).add(stream)
        for kind, found in mine.items():
            used.setdefault(kind, set()).add(frozenset(found))
    return {kind: len(sets) == 1 for kind, sets in used.items()}


def matches_by_identity(table: Pool) -> Matches:
    """The matches of collectives that say which they are."""
    number = shared(table.identity, table.rank)
    comms = np.zeros(int(number.max(initial=-1)) + 1, np.bool_)
    comms[number[number >= 0]] = table.by_comms_id[number >= 0]
    return Matches(number, [COMMS_ID if it else SEQ for it in comms], [CERTAIN] * len(comms))


def shared(label: Ints, rank: Ints) -> Ints:
    """Labels of at least two ranks, numbered from 0 in the order of their first row; else -1."""
    pairs = np.unique(np.stack([label, rank]), axis=1)
    labels, ranks = np.unique(pairs[0], return_counts=True)
    kept = np.isin(label, labels[(labels >= 0) & (ranks > 1)])
    number = np.full(len(label), -1, np.int64)
    values, first, inverse = np.unique(label[kept], return_index=True, return_inverse=True)
    place = np.empty(len(values), np.int64)
    place[np.argsort(first)] = np.arange(len(values))
    number[kept] = place[inverse]
    return number


def concatenate_matches(table: Pool, parts: Sequence[Matches]) -> Matches:
    """Matches of different methods in one, numbered by when they begin."""
    of = np.full(len(table), -1, np.int64)
    method, confidence, apart = list[str](), list[str](), dict[int, int]()
    for part in parts:
        found = part.of >= 0
        of[found] = part.of[found] + len(method)
        apart |= {match + len(method): ns for match, ns in part.apart_ns.items()}
        method += part.method
        confidence += part.confidence
    return Matches(of, method, confidence, apart)


def members(matches: Matches) -> Iterator[Ints]:
    """The rows of the pool of each match, in the order of their numbers."""
    rows = np.flatnonzero(matches.of >= 0)
    order = rows[np.argsort(matches.of[rows], kind="stable")]
    yield from np.split(order, np.flatnonzero(np.diff(matches.of[order])) + 1) if len(rows) else []
