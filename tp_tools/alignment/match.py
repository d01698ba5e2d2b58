"""Match the kernels of different ranks that are one collective.

The identity in the trace decides where there is one: Kineto's `Comms Id`, else the sequence number
within the process group. Custom all-reduces and replayed CUDA graphs have none: their order
decides, tested against time (`match_by_time`). Lost or cut off collectives never shift the others.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.alignment.clock import Readings
from tp_tools.alignment.collectives import MESSAGES, SYNCHRONISING, TESTABLE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tp_tools.alignment.collectives import Collectives
    from tp_tools.trace.model import Ints

COMMS_ID, SEQ, ORDER = "comms_id", "seq", "order"
CERTAIN, TESTED, UNCERTAIN = "certain", "tested", "uncertain"
"""Matched by identity; by order, where times exclude any other; by order, where they do not."""

ALONE = 1
_MESSAGES = sorted(MESSAGES)


class Pool(Struct, frozen=True):
    """The collectives of all ranks in one table, rank by rank, in each by ts.

    Columns:
        rank: int, index of the rank.
        row: int, row in the rank's Collectives.
        key: int64, equal where kind, bytes, and process group or stream are equal.
        identity: int64, equal for the kernels of one collective; UNKNOWN without identity.
        by_comms_id: bool, whether the identity is a Comms Id.
        synchronising: bool, whether no rank leaves before the last one arrives.
        ts, end: int64 ns since the epoch, on the rank's own clock.
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


class Matches(Struct, frozen=True):
    """The matched collectives.

    Attributes:
        of: int64 (rows of the pool,), number of the match, or -1.
        method: COMMS_ID, SEQ or ORDER, per match.
        confidence: CERTAIN, TESTED or UNCERTAIN, per match.
    """

    of: Ints
    method: list[str]
    confidence: list[str]

    def __len__(self) -> int:
        return len(self.method)

    def readable(self, pool: Pool) -> NDArray[np.bool_]:
        """Tell by row of the pool whether clocks may be fitted to its end.

        Sure matches that synchronise are.
        """
        sure = np.array([level != UNCERTAIN for level in self.confidence] + [False], np.bool_)
        readable: NDArray[np.bool_] = pool.synchronising & sure[self.of] & (self.of >= 0)
        return readable

    def readings(self, pool: Pool) -> Readings:
        """Return the ends to which clocks may be fitted."""
        return Readings(pool.rank, self.of, pool.end).where(self.readable(pool))


def pool(ranks: Sequence[Collectives], replicas: Sequence[int]) -> Pool:
    """Join the collectives of all ranks that may have a partner; messages between two have none.

    Args:
        ranks: the collectives of each rank.
        replicas: the replica of each rank; process groups of different replicas are different.
    """
    chosen = [
        np.flatnonzero((table.size != ALONE) & ~np.isin(table.kind, _MESSAGES)) for table in ranks
    ]
    keys, identities = _Codes(), _Codes()
    streams = _same_streams(ranks)
    key, identity, by_comms_id, synchronising = [], [], [], []
    for table, rows, replica in zip(ranks, chosen, replicas, strict=True):
        occurrences: Counter[object] = Counter()
        for i in rows.tolist():
            name, method = _identity(table, i, replica)
            occurrences[name] += method is not None
            # one operation may be several kernels: the n-th belongs to the n-th
            identity.append(UNKNOWN if method is None else identities[name, occurrences[name]])
            by_comms_id.append(method == COMMS_ID)
            key.append(keys[_key(table, i, replica, streams)])
            synchronising.append(table.kind[i] in (TESTABLE if method is None else SYNCHRONISING))
    return Pool(
        rank=_concatenate([np.full(len(rows), r) for r, rows in enumerate(chosen)]),
        row=_concatenate(chosen),
        key=np.array(key, np.int64),
        identity=np.array(identity, np.int64),
        by_comms_id=np.array(by_comms_id, np.bool_),
        synchronising=np.array(synchronising, np.bool_),
        ts=_concatenate([table.ts[rows] for table, rows in zip(ranks, chosen, strict=True)]),
        end=_concatenate([table.end[rows] for table, rows in zip(ranks, chosen, strict=True)]),
    )


class _Codes(dict[object, int]):
    """Numbers values in the order of their first look-up."""

    def __missing__(self, key: object) -> int:
        self[key] = code = len(self)
        return code


def _concatenate(columns: list[Ints]) -> Ints:
    """Concatenate columns, also none."""
    return np.concatenate([np.empty(0, np.int64), *columns])


def _identity(table: Collectives, i: int, replica: int) -> tuple[object, str | None]:
    """Return the identity of the i-th collective, equal on all its ranks, and its method.

    Returns:
        (identity, COMMS_ID or SEQ); (None, None) without identity.
    """
    if table.comms_id[i]:
        return (COMMS_ID, replica, table.comms_id[i]), COMMS_ID
    if table.seq[i] != UNKNOWN and table.group[i]:
        group = (table.group[i], table.members[i])
        return (SEQ, replica, group, table.kind[i], int(table.seq[i])), SEQ
    return None, None


def _key(table: Collectives, i: int, replica: int, streams: dict[str, bool]) -> object:
    """Return the key that two kernels without identity must share to be one collective."""
    kind = table.kind[i]
    # ranks may send different amounts in an all-to-all
    nbytes = UNKNOWN if kind == "all_to_all" else int(table.nbytes[i])
    if table.group[i]:
        return replica, kind, nbytes, table.group[i], table.members[i]
    return replica, kind, nbytes, int(table.stream[i]) if streams.get(kind) else None


def _same_streams(ranks: Sequence[Collectives]) -> dict[str, bool]:
    """Tell per kind whether all ranks run it on the same streams, so that streams may be keys."""
    used: dict[str, set[frozenset[int]]] = {}
    for table in ranks:
        streams: dict[str, set[int]] = {}
        for kind, stream in zip(table.kind, table.stream.tolist(), strict=True):
            streams.setdefault(kind, set()).add(stream)
        for kind, of_kind in streams.items():
            used.setdefault(kind, set()).add(frozenset(of_kind))
    return {kind: len(sets) == 1 for kind, sets in used.items()}


def matches_by_identity(table: Pool) -> Matches:
    """Match the collectives that have an identity."""
    number = shared(table.identity, table.rank)
    comms = np.zeros(int(number.max(initial=-1)) + 1, np.bool_)
    comms[number[number >= 0]] = table.by_comms_id[number >= 0]
    return Matches(
        number, [COMMS_ID if is_comms else SEQ for is_comms in comms], [CERTAIN] * len(comms)
    )


def shared(label: Ints, rank: Ints) -> Ints:
    """Number the labels that at least two ranks share, from 0 in the order of their first row.

    Args:
        label: int64 (n,), label of each row; negative for none.
        rank: int (n,), rank of each row.

    Returns:
        int64 (n,); -1 for labels that one rank has alone.
    """
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
    """Concatenate matches of different methods; those of the first keep their numbers."""
    of = np.full(len(table), -1, np.int64)
    method, confidence = list[str](), list[str]()
    for part in parts:
        matched = part.of >= 0
        of[matched] = part.of[matched] + len(method)
        method += part.method
        confidence += part.confidence
    return Matches(of, method, confidence)


def members(matches: Matches) -> Iterator[Ints]:
    """Yield the rows of the pool of each match, in the order of their numbers."""
    rows = np.flatnonzero(matches.of >= 0)
    order = rows[np.argsort(matches.of[rows], kind="stable")]
    yield from np.split(order, np.flatnonzero(np.diff(matches.of[order])) + 1) if len(rows) else []
