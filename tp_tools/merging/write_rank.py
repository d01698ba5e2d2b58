"""A rank's part of the merged trace, written in a worker once all clocks are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tp_tools.files.gzip_parts import deflate, store
from tp_tools.merging import json_fragment
from tp_tools.merging.json_events import FIRST_ARROW, Match
from tp_tools.merging.place_rank import place_rank
from tp_tools.merging.read_rank import load_rank
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tp_tools.files.gzip_parts import Deflated
    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.merging.selection import Selection
    from tp_tools.trace.model import Ints
    from tp_tools.trace.slices import Slices

Form = Literal["json", "pftrace"]


@dataclass(frozen=True)
class Files:
    """The files of a rank.

    Attributes:
        trace: what was recorded.
        spool: where it is kept between reading and writing.
        part: its part of the merged trace.
    """

    trace: str
    spool: Path
    part: Path


@dataclass(frozen=True)
class Matched:
    """The collectives of a rank that are matched with those of others.

    Attributes:
        event: their events.
        number: the numbers of the collectives.
        links: whether arrows join the ranks.
        is_first: whether the arrow begins at this rank.
    """

    event: Ints
    number: Ints
    links: bool
    is_first: NDArray[np.bool_]

    def by_event(self, *, carried: bool) -> dict[int, Match]:
        """By event what it is a part of; `carried` says whether events carry arrows themselves."""
        columns = (self.event.tolist(), self.number.tolist(), self.is_first.tolist())
        return {
            event: Match(number, FIRST_ARROW + number if self.links and carried else None, first)
            for event, number, first in zip(*columns, strict=True)
        }


@dataclass(frozen=True)
class RankFragment:
    """A rank as it was written.

    Attributes:
        part: its part of the merged trace; None if it is empty.
        events, slices, flows: how many it has.
        row: pid and tid of each matched collective, (n, 2).
        ts, end: of each, ns in the merged trace.
        shown: whether it was written.
    """

    part: Path | Deflated | None
    events: int
    slices: int
    flows: int
    row: Ints
    ts: Ints
    end: Ints
    shown: Ints


def write(
    files: Files,
    where: RankPlacement,
    wanted: Selection,
    matched: Matched,
    form: Form,
    *,
    packed: bool,
) -> RankFragment:
    """Writes a rank's part of the merged trace; of JSON, events with commas between them.

    Args:
        files: where it lies, and where its part goes.
        where: its place in the merged trace.
        wanted: which events.
        matched: its matched collectives.
        form: what the output is.
        packed: whether the part is compressed.

    Raises:
        InputError: the file changed meanwhile, or the rank has too many ids.
    """
    source, trace, edits, table = load_rank(files.spool)
    rank = place_rank(trace, edits, table, where, wanted)
    events = matched.by_event(carried=form == "pftrace")
    if form == "pftrace":
        from tp_tools.merging import pftrace_fragment  # noqa: PLC0415  0.02 s, for this form alone

        between = files.part.with_suffix(".json")
        blocks = pftrace_fragment.fragment(source, rank, where, events, between)
    else:
        blocks = json_fragment.without_last_comma(
            json_fragment.fragment(source, rank, where, events)
        )
    part = (deflate if packed else store)(blocks, files.part)
    return _written(part, rank, table, matched.event)


def _tied(rank: PlacedRank) -> int:
    """How many arrows slices carry themselves."""
    return sum(bool(rank.keep[a] and rank.keep[b]) for a, b in rank.plan.flows.arrows)


def _written(
    part: Path | Deflated | None, rank: PlacedRank, table: Slices, events: Ints
) -> RankFragment:
    trace, keep = rank.trace, rank.keep
    rows = [rank.row_of(event) for event in events.tolist()]
    return RankFragment(
        part=part,
        events=int(keep.sum()),
        slices=int(keep[table.event].sum()),
        flows=int((keep & is_phase(trace, "f")).sum()) + _tied(rank),
        row=np.array(rows, np.int64).reshape(-1, 2),
        ts=trace.ts[events],
        end=trace.ts[events] + trace.dur[events],
        shown=keep[events].astype(np.int64),
    )
