"""Find the moments at which a job can be cut: no rank is in a collective, and no match is divided.

What comes of it are segments of time. Each holds matched collectives whole, and of a rank that uses
several streams for collectives, several: that decides which compute counts as beside them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.collectives import UNKNOWN
from tp_tools.alignment.rank_rows import rows_by_rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.merging.preparation import MergePlan
    from tp_tools.trace.model import Ints


def time_cuts(plan: MergePlan) -> list[int]:
    """Return the moments at which a job can be cut, ascending, ns since the epoch.

    A moment is the start of a collective, on the common clock: what begins then is behind the cut.

    Args:
        plan: the ranks, read and aligned.
    """
    begin, last, ranks, streams, match = map(np.concatenate, zip(*_columns(plan), strict=True))
    matched = match != UNKNOWN
    if not matched.any():
        return []
    latest = np.full(int(match.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(latest, match[matched], last[matched])
    last[matched] = latest[match[matched]]
    used = defaultdict[int, set[int]](set)
    for rank, stream in zip(ranks.tolist(), streams.tolist(), strict=True):
        used[rank].add(stream)
    several = {rank for rank, of_rank in used.items() if len(of_rank) > 1}
    order = np.argsort(begin, kind="stable")
    columns = (it[order].tolist() for it in (begin, last, ranks, streams))
    cuts, open_until = list[int](), None
    segment = defaultdict[int, set[int]](set)
    for ts, until, rank, stream in zip(*columns, strict=True):
        if open_until is not None and ts >= open_until and _is_whole(segment, several):
            cuts.append(ts)
            segment.clear()
        segment[rank].add(stream)
        open_until = until if open_until is None else max(until, open_until)
    if cuts and not _is_whole(segment, several):
        cuts.pop()
    return cuts


def _columns(plan: MergePlan) -> Iterator[tuple[Ints, Ints, Ints, Ints, Ints]]:
    """Yield start, end, rank, stream and match of the collectives of each rank, messages too.

    Times are those of the common clock, ranks are indices; the match is UNKNOWN where there is
    none.
    """
    alignment = plan.alignment
    pool, matches = alignment.pool, alignment.matches.of
    in_pool = rows_by_rank(pool.rank)
    for rank, summary in enumerate(plan.summaries):
        table, clock = summary.collectives, alignment.ranks[rank].clock
        match = np.full(len(table.ts), UNKNOWN)
        if rank in in_pool:
            match[pool.row[in_pool[rank]]] = matches[in_pool[rank]]
        of_rank = np.full(len(table.ts), rank)
        yield clock.common(table.ts), clock.common(table.end), of_rank, table.stream, match


def _is_whole(segment: dict[int, set[int]], several: set[int]) -> bool:
    """Tell whether a segment may stand alone.

    Args:
        segment: the streams of its collectives, by rank.
        several: the ranks that use several streams for collectives.
    """
    return all(len(streams) > 1 or rank not in several for rank, streams in segment.items())
