"""Write one rank's fragment of the merged trace, in a worker, once all clocks are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct

from tp_tools.files.gzip_parts import deflate, store
from tp_tools.merging import json_fragment
from tp_tools.merging.arrivals import arrivals
from tp_tools.merging.json_events import FIRST_FLOW_ID, Match
from tp_tools.merging.place_rank import place_stored
from tp_tools.merging.read_rank import load_rank
from tp_tools.trace.model import is_phase
from tp_tools.trace.renaming import is_renamed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tp_tools.files.gzip_parts import Deflated
    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.merging.selection import Selection
    from tp_tools.trace import Slices
    from tp_tools.trace.model import Ints

Form = Literal["json", "pftrace"]


class RankMatches(Struct, frozen=True):
    """The collectives of a rank that are matched with those of other ranks.

    Attributes:
        events: int (n,), event number of each kernel.
        numbers: int (n,), number of each kernel's collective in the job.
        links: whether flows join the ranks of a collective.
        is_first: bool (n,), whether the flow of the collective begins at this rank.
    """

    events: Ints
    numbers: Ints
    links: bool
    is_first: NDArray[np.bool_]

    def by_event(self, *, on_slices: bool) -> dict[int, Match]:
        """Map each event to its match.

        Args:
            on_slices: whether slices carry the flow ids, as in a .pftrace; in JSON flow events do.
        """
        columns = (self.events.tolist(), self.numbers.tolist(), self.is_first.tolist())
        return {
            event: Match(
                number, FIRST_FLOW_ID + number if self.links and on_slices else None, first
            )
            for event, number, first in zip(*columns, strict=True)
        }


class RankFragment(Struct, frozen=True):
    """A rank as it was written, with its n matched collectives in the order of `RankMatches`.

    Attributes:
        block: the text or packets of the rank, in the file where they were written; None if it
            has none.
        events, slices, flows: number of each.
        short_names: number of kernels that got a short name.
        track: int64 (n, 2), pid and tid of each matched collective.
        ts, end: int64 (n,), ns in the merged trace.
        arrival: int64 (n,), when the rank arrived, which under PDL is after the start.
        is_written: int64 (n,), 1 where the kernel itself was written, 0 where it was left out.
    """

    block: Path | Deflated | None
    events: int
    slices: int
    flows: int
    short_names: int
    track: Ints
    ts: Ints
    end: Ints
    arrival: Ints
    is_written: Ints


def write(  # noqa: PLR0917  all are needed
    spool: Path,
    fragment: Path,
    placement: RankPlacement,
    selection: Selection,
    matches: RankMatches,
    form: Form,
    *,
    packed: bool,
) -> RankFragment:
    """Write a rank's fragment of the merged trace; in JSON, events with commas between them.

    Args:
        spool: the temporary file that holds the rank between reading and writing.
        fragment: the temporary file that gets the rank's fragment of the merged trace.
        placement: its ids, name and clock in the merged trace.
        selection: the events to write.
        matches: its matched collectives.
        form: the format of the output.
        packed: whether to compress the fragment.

    Raises:
        InputError: the file changed since it was read, or the rank has too many ids.
    """
    stored = load_rank(spool)
    rank = place_stored(stored, placement, selection)
    matched = matches.by_event(on_slices=form == "pftrace")
    if form == "pftrace":
        from tp_tools.merging import pftrace_fragment  # noqa: PLC0415  0.02 s, for this form alone

        blocks = pftrace_fragment.fragment(stored.source, rank, placement, matched)
    else:
        blocks = json_fragment.without_last_comma(
            json_fragment.fragment(stored.source, rank, placement, matched)
        )
    block = (deflate if packed else store)(blocks, fragment)
    return _written(block, rank, stored.table, matches.events)


def _flows_on_slices(rank: PlacedRank) -> int:
    """Count the flows that slices carry by `bind_id`, without flow events."""
    return sum(bool(rank.keep[a] and rank.keep[b]) for a, b in rank.plan.flows.arrows)


def _written(
    block: Path | Deflated | None, rank: PlacedRank, table: Slices, events: Ints
) -> RankFragment:
    """Describe the written rank; `events` are its matched collectives."""
    trace, keep = rank.trace, rank.keep
    tracks = [rank.track_of(event) for event in events.tolist()]
    return RankFragment(
        block=block,
        events=int(keep.sum()),
        slices=int(keep[table.event].sum()),
        flows=int((keep & is_phase(trace, "f")).sum()) + _flows_on_slices(rank),
        short_names=int((keep & is_renamed(trace, rank.plan.short_names)).sum()),
        track=np.array(tracks, np.int64).reshape(-1, 2),
        ts=trace.ts[events],
        end=trace.ts[events] + trace.dur[events],
        arrival=arrivals(trace, events),
        is_written=keep[events].astype(np.int64),
    )
