"""The matched collectives as they are shown: what each is, and which row of the merge it is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.collectives import UNKNOWN
from tp_tools.alignment.match import members
from tp_tools.merging.collective_tracks import Collective, Part
from tp_tools.merging.write_rank import Matched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.alignment.alignment import Alignment
    from tp_tools.alignment.collectives import Collectives
    from tp_tools.merging.selection import Selection
    from tp_tools.merging.write_rank import RankFragment
    from tp_tools.trace.model import Ints


def matches_of_rank(
    alignment: Alignment, tables: Sequence[Collectives], selection: Selection, *, links: bool
) -> list[Matched]:
    """By rank: its collectives that are matched with those of others.

    Args:
        alignment: the matches.
        tables: by rank.
        selection: which events are wanted: an arrow begins at the first rank that is inside.
        links: whether arrows join the ranks.
    """
    pool, of = alignment.pool, alignment.matches.of
    begin, end = (_common(alignment, times) for times in (pool.ts, pool.end))
    outside = np.zeros(len(pool), np.bool_)
    if selection.start_ns is not None:
        outside |= end <= selection.start_ns
    if selection.end_ns is not None:
        outside |= begin >= selection.end_ns
    first = np.zeros(len(pool), np.bool_)
    order = np.lexsort((pool.rank, begin, outside, of))
    order = order[of[order] >= 0]
    first[order[np.flatnonzero(np.diff(of[order], prepend=-1))]] = True
    result = []
    for rank, table in enumerate(tables):
        rows = np.flatnonzero((pool.rank == rank) & (of >= 0))
        result.append(Matched(table.event[pool.row[rows]], of[rows], links, first[rows]))
    return result


def _common(alignment: Alignment, times: Ints) -> Ints:
    """Times of the pool on the common clock."""
    result = times.copy()
    for rank, aligned in enumerate(alignment.ranks):
        mine = alignment.pool.rank == rank
        result[mine] = aligned.clock.common(times[mine])
    return result


def collectives(
    alignment: Alignment,
    tables: Sequence[Collectives],
    numbers: Sequence[int],
    written: Sequence[RankFragment],
) -> list[Collective]:
    """Every matched collective with its parts, by number.

    Args:
        alignment: the matches.
        tables: by rank.
        numbers: by rank: what it is called in the job.
        written: by rank: where its matched collectives went, in the order of `matches_of_rank`.
    """
    pool, matches = alignment.pool, alignment.matches
    place = np.zeros(len(pool), np.int64)
    for rank in range(len(tables)):
        rows = np.flatnonzero((pool.rank == rank) & (matches.of >= 0))
        place[rows] = np.arange(len(rows))
    unnamed = _unnamed_groups(alignment, tables, numbers)
    result = []
    for number, rows in enumerate(members(matches)):
        parts = [
            _part(written[rank], at, numbers[rank])
            for rank, at in zip(pool.rank[rows].tolist(), place[rows].tolist(), strict=True)
        ]
        first = int(rows[0])
        table, row = tables[int(pool.rank[first])], int(pool.row[first])
        result.append(
            Collective(
                number=number,
                group=_title(table, row) or unnamed[int(pool.rank[first])],
                kind=table.kind[row],
                nbytes=_known(table.nbytes[row]),
                dtype=table.dtype[row],
                seq=_known(table.seq[row]),
                expected=_known(table.size[row]),
                matched_by=matches.method[number],
                confidence=matches.confidence[number],
                parts=parts,
            )
        )
    return result


def _part(written: RankFragment, at: int, rank: int) -> Part:
    pid, tid = written.row[at].tolist()
    ts, end = int(written.ts[at]), int(written.end[at])
    return Part(rank, pid, tid, ts, end, shown=bool(written.shown[at]))


def _known(value: np.int64) -> int | None:
    return None if value == UNKNOWN else int(value)


def _title(table: Collectives, row: int) -> str:
    """What the row of a named group is called: "group 3 tp [0, 1, 2, 3]"."""
    if not table.group[row]:
        return ""
    description = table.description[row]
    said = [f"group {table.group[row]}", "" if description == "undefined" else description]
    return " ".join(part for part in (*said, table.members[row]) if part)


def _unnamed_groups(
    alignment: Alignment, tables: Sequence[Collectives], numbers: Sequence[int]
) -> list[str]:
    """By rank, what a row is called whose collectives do not name their group: by its ranks."""
    pool, of = alignment.pool, alignment.matches.of
    lowest = np.arange(len(tables))
    nameless = np.array(
        [
            not tables[r].group[i]
            for r, i in zip(pool.rank.tolist(), pool.row.tolist(), strict=True)
        ],
        np.bool_,
    )
    chosen = nameless & (of >= 0)
    while chosen.any():
        least = np.full(int(of.max()) + 1, len(tables))
        np.minimum.at(least, of[chosen], lowest[pool.rank[chosen]])
        now = lowest.copy()
        np.minimum.at(now, pool.rank[chosen], least[of[chosen]])
        if (now == lowest).all():
            break
        lowest = now
    titles = {}
    for first in np.unique(lowest).tolist():
        titles[first] = (
            f"ranks {_spans([numbers[r] for r in np.flatnonzero(lowest == first).tolist()])}"
        )
    return [titles[first] for first in lowest.tolist()]


def _spans(numbers: list[int]) -> str:
    """Numbers as people write them: "0-3, 8"."""
    ordered = sorted(numbers)
    starts = [n for i, n in enumerate(ordered) if not i or n != ordered[i - 1] + 1]
    ends = [n for i, n in enumerate(ordered) if i + 1 == len(ordered) or ordered[i + 1] != n + 1]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
