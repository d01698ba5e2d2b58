"""List the matched collectives: per rank for writing, and as `Collective` objects for output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.collectives import UNKNOWN
from tp_tools.alignment.match import members
from tp_tools.alignment.rank_rows import rows_by_rank
from tp_tools.merging.collective_tracks import Collective, RankKernel
from tp_tools.merging.write_rank import RankMatches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.alignment import Alignment, Collectives
    from tp_tools.merging.preparation import MergePlan
    from tp_tools.merging.selection import Selection
    from tp_tools.merging.write_rank import RankFragment
    from tp_tools.trace.model import Ints


def matches_of_rank(
    alignment: Alignment, tables: Sequence[Collectives], selection: Selection, *, links: bool
) -> list[RankMatches]:
    """List the matched collectives of each rank.

    Args:
        alignment: the common clock and the matches.
        tables: the collectives of each rank.
        selection: the window: a flow begins at the first rank whose kernel lies inside.
        links: whether flows join the ranks of a collective.

    Returns:
        One entry per rank, with the rank's matched collectives in the order of its table.
    """
    pool, match = alignment.pool, alignment.matches.of
    begin, end = (_on_common_clock(alignment, times) for times in (pool.ts, pool.end))
    outside = np.zeros(len(pool), np.bool_)
    if selection.start_ns is not None:
        outside |= end <= selection.start_ns
    if selection.end_ns is not None:
        outside |= begin >= selection.end_ns
    is_first = np.zeros(len(pool), np.bool_)
    order = np.lexsort((pool.rank, begin, outside, match))
    order = order[match[order] >= 0]
    is_first[order[np.flatnonzero(np.diff(match[order], prepend=-1))]] = True
    result, matched = [], _matched_rows(alignment)
    for rank, table in enumerate(tables):
        rows = matched.get(rank, _NO_ROWS)
        result.append(RankMatches(table.event[pool.row[rows]], match[rows], links, is_first[rows]))
    return result


def _on_common_clock(alignment: Alignment, times: Ints) -> Ints:
    """Convert times of the pool from the clocks of the ranks to the common clock.

    Args:
        alignment: the clock of each rank.
        times: int64 ns (rows of the pool,).
    """
    result = times.copy()
    for rank, of_rank in rows_by_rank(alignment.pool.rank).items():
        result[of_rank] = alignment.ranks[rank].clock.common(times[of_rank])
    return result


_NO_ROWS = np.empty(0, np.int64)


def _matched_rows(alignment: Alignment) -> dict[int, Ints]:
    """Return the rows of the pool that are matched, of each rank that has some."""
    rows = np.flatnonzero(alignment.matches.of >= 0)
    return {rank: rows[places] for rank, places in rows_by_rank(alignment.pool.rank[rows]).items()}


def collectives(
    alignment: Alignment,
    tables: Sequence[Collectives],
    numbers: Sequence[int],
    written: Sequence[RankFragment],
) -> list[Collective]:
    """List every matched collective with the kernels of its ranks, by number.

    Args:
        alignment: the matches.
        tables: the collectives of each rank.
        numbers: the number of each rank in the job.
        written: the tracks and times of each rank's matched collectives, in the order of
            `matches_of_rank`.
    """
    pool, matches = alignment.pool, alignment.matches
    index = np.zeros(len(pool), np.int64)
    for rows in _matched_rows(alignment).values():
        index[rows] = np.arange(len(rows))
    unnamed = _unnamed_groups(alignment, tables, numbers)
    result = []
    for number, rows in enumerate(members(matches)):
        kernels = [
            _kernel(written[rank], i, numbers[rank])
            for rank, i in zip(pool.rank[rows].tolist(), index[rows].tolist(), strict=True)
        ]
        first = int(rows[0])
        table, row = tables[int(pool.rank[first])], int(pool.row[first])
        result.append(
            Collective(
                number=number,
                group=_track_name(table, row) or unnamed[int(pool.rank[first])],
                kind=table.kind[row],
                nbytes=_known(table.nbytes[row]),
                dtype=table.dtype[row],
                seq=_known(table.seq[row]),
                expected=_known(table.size[row]),
                matched_by=matches.method[number],
                confidence=matches.confidence[number],
                kernels=kernels,
            )
        )
    return result


def _kernel(written: RankFragment, index: int, rank: int) -> RankKernel:
    """Return the kernel of a rank that was written as its `index`-th matched collective."""
    pid, tid = written.track[index].tolist()
    return RankKernel(
        rank,
        pid,
        tid,
        ts=int(written.ts[index]),
        end=int(written.end[index]),
        arrival=int(written.arrival[index]),
        is_written=bool(written.is_written[index]),
    )


def _known(value: np.int64) -> int | None:
    """Return the value as an int; None for UNKNOWN."""
    return None if value == UNKNOWN else int(value)


def _track_name(table: Collectives, row: int) -> str:
    """Name the track of a named group, for example "group 3 tp [0, 1, 2, 3]"; else ""."""
    if not table.group[row]:
        return ""
    description = table.description[row]
    words = [f"group {table.group[row]}", "" if description == "undefined" else description]
    return " ".join(word for word in (*words, table.members[row]) if word)


def _unnamed_groups(
    alignment: Alignment, tables: Sequence[Collectives], numbers: Sequence[int]
) -> list[str]:
    """Name the track of collectives without a group name by the ranks that share them.

    Ranks are connected where they share a match without a group name; a track holds one connected
    component.

    Returns:
        One name per rank, for example "ranks 0-3, 8".
    """
    pool, match = alignment.pool, alignment.matches.of
    component = np.arange(len(tables))
    has_no_group = np.array(
        [
            not tables[r].group[i]
            for r, i in zip(pool.rank.tolist(), pool.row.tolist(), strict=True)
        ],
        np.bool_,
    )
    chosen = has_no_group & (match >= 0)
    while chosen.any():
        lowest = np.full(int(match.max()) + 1, len(tables))
        np.minimum.at(lowest, match[chosen], component[pool.rank[chosen]])
        merged = component.copy()
        np.minimum.at(merged, pool.rank[chosen], lowest[match[chosen]])
        if (merged == component).all():
            break
        component = merged
    names = {}
    for first in np.unique(component).tolist():
        ranks = [numbers[r] for r in np.flatnonzero(component == first).tolist()]
        names[first] = f"ranks {_ranges(ranks)}"
    return [names[first] for first in component.tolist()]


def _ranges(numbers: list[int]) -> str:
    """Write numbers as ranges, for example "0-3, 8"."""
    ordered = sorted(numbers)
    starts = [n for i, n in enumerate(ordered) if not i or n != ordered[i - 1] + 1]
    ends = [n for i, n in enumerate(ordered) if i + 1 == len(ordered) or ordered[i + 1] != n + 1]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def shown_collectives(
    plan: MergePlan, written: list[RankFragment], selection: Selection
) -> list[Collective]:
    """List every matched collective that touches the window, once all ranks are written."""
    tables = [summary.collectives for summary in plan.summaries]
    numbers = [rank.rank for rank in plan.ranks]
    matched = collectives(plan.alignment, tables, numbers, written)
    return [one for one in matched if _is_inside(one, selection, plan.start_ns)]


def _is_inside(collective: Collective, selection: Selection, start_ns: int) -> bool:
    """Tell whether a collective touches the window of the selection."""
    first, end = collective.first.arrival + start_ns, collective.end + start_ns
    begun = selection.end_ns is None or first < selection.end_ns
    return begun and (selection.start_ns is None or end > selection.start_ns)
