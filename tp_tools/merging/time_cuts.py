"""Find the moments at which a job can be cut: no rank is in a collective, and no match is divided.

What comes of it are segments of time. Each holds matched collectives, and all that decides how a
query takes the collectives of a rank: of a rank that uses several streams for them, several.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from tp_tools.merging.matched import on_common_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.alignment import Collectives
    from tp_tools.merging.preparation import MergePlan
    from tp_tools.trace.model import Ints


class _Segment(Struct):
    """What a segment holds so far.

    Attributes:
        streams: the streams of collectives, by rank.
        has_match: whether a collective of it is matched.
    """

    streams: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    has_match: bool = False

    def is_whole(self, several: set[int]) -> bool:
        """Tell whether it may stand alone; `several` are the ranks that use several streams."""
        return self.has_match and all(
            len(streams) > 1 or rank not in several for rank, streams in self.streams.items()
        )


def time_cuts(plan: MergePlan) -> list[int]:
    """Return the moments at which a job can be cut, ascending, ns since the epoch.

    A moment is the start of a collective, on the common clock: what begins then is behind the cut.

    Args:
        plan: the ranks, read and aligned.
    """
    alignment = plan.alignment
    pool, match = alignment.pool, alignment.matches.of
    begin, end = (on_common_clock(alignment, times) for times in (pool.ts, pool.end))
    last = end.copy()  # of all kernels of its match
    matched = match >= 0
    if not matched.any():
        return []
    latest = np.full(int(match.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(latest, match[matched], end[matched])
    last[matched] = latest[match[matched]]
    streams = _streams([it.collectives for it in plan.summaries], pool.rank, pool.row)
    used = defaultdict[int, set[int]](set)
    for rank, stream in zip(pool.rank.tolist(), streams.tolist(), strict=True):
        used[rank].add(stream)
    several = {rank for rank, of_rank in used.items() if len(of_rank) > 1}
    order = np.argsort(begin, kind="stable")
    columns = (it[order].tolist() for it in (begin, last, pool.rank, streams, matched))
    cuts, segment, open_until = list[int](), _Segment(), None
    for ts, until, rank, stream, has_match in zip(*columns, strict=True):
        if open_until is not None and ts >= open_until and segment.is_whole(several):
            cuts.append(ts)
            segment = _Segment()
        segment.streams[rank].add(stream)
        segment.has_match |= has_match
        open_until = until if open_until is None else max(until, open_until)
    if cuts and not segment.is_whole(several):
        cuts.pop()
    return cuts


def _streams(tables: Sequence[Collectives], ranks: Ints, rows: Ints) -> Ints:
    """Return the stream of each collective of a pool."""
    found = np.zeros(len(ranks), np.int64)
    for rank, table in enumerate(tables):
        of_rank = ranks == rank
        found[of_rank] = table.stream[rows[of_rank]]
    return found
