"""Write a rank of a merged trace as packets of a `.pftrace`, by the writer of `tp-tools fix`.

The writer reads the rank's own file again; times, ids, names and flows are those of the merge. It
shows moved slices as lanes of one track, and draws flows between ranks as `bind_id` of slices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec.structs import replace

from tp_tools.chrome import read
from tp_tools.columns import distinct
from tp_tools.files.text_source import TextSource
from tp_tools.merging import json_fragment
from tp_tools.merging.bind_ids import BindIds
from tp_tools.merging.placement import RANK_IDS
from tp_tools.merging.rank_tracks import number
from tp_tools.repair.ids import plan_of_ids
from tp_tools.trace.model import is_phase
from tp_tools.trace.slices import slices
from tp_tools.trace.tracks import default_name
from tp_tools.writing import PftraceOptions
from tp_tools.writing.pftrace.merged import FlowOfSlice, MergedRank
from tp_tools.writing.pftrace.writer import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.files import Source
    from tp_tools.merging.json_events import Match
    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace import Trace


def fragment(
    source: Source,
    placed: PlacedRank,
    placement: RankPlacement,
    matched: Mapping[int, Match],
) -> Iterator[bytes]:
    """Write the packets of a rank, block by block.

    Args:
        source: the file that the rank was read from; it is read again.
        placed: the rank in the merged trace.
        placement: its ids and its clock.
        matched: the match of each kernel of a matched collective, by event.

    Raises:
        InputError: the file changed since it was read.
    """
    trace = _as_shown(placed)
    flows = {
        event: FlowOfSlice(match.flow, match.is_first)
        for event, match in matched.items()
        if match.flow is not None
    }
    merged = MergedRank(
        names=_PlacedNames(trace, placed),
        members={"baseTimeNanoseconds": msgspec.Raw(b"%d" % placement.start_ns)},
        notes={event: match.note() for event, match in matched.items()},
        flows=flows,
        bind_id=BindIds(placement.rank).of,
    )
    options = PftraceOptions(
        number=placement.position, first_place=1 + placement.position * RANK_IDS
    )
    yield from rewrite(
        source,
        trace,
        slices(trace),
        placed.plan,
        options=options,
        keep=placed.keep,
        merged=merged,
    )


def _as_shown(placed: PlacedRank) -> Trace:
    """Return the rank's columns with the ids of its tracks, and instants of its own process."""
    trace, ids_of = placed.trace, placed.plan.ids
    is_global = is_phase(trace, "iI") & (trace.bound == ord("g")) & (trace.ts >= 0)
    return replace(
        trace,
        tracks=list(zip(ids_of.pids, ids_of.tids, strict=True)),
        bound=np.where(is_global, np.uint8(ord("p")), trace.bound),
    )


class _PlacedNames:
    """The names of a rank's tracks in the merged trace."""

    def __init__(self, trace: Trace, placed: PlacedRank) -> None:
        """Take the columns as shown, and the names."""
        self._trace, self._ids = trace, placed.plan.ids
        self._in_use: list[int] = distinct(trace.track[placed.keep]).tolist()
        self._processes = {it.pid: it for it in placed.processes}
        self._threads = {(it.pid, it.tid): it.name for it in placed.threads}

    def in_use(self) -> list[int]:
        """List the tracks with events that are written."""
        return self._in_use

    def process(self, tracks: list[int]) -> str:
        """Return the name of the process of these tracks."""
        return self._processes[self._pid(tracks[0])].name

    def thread(self, track: int) -> str:
        """Return the name of the thread of a track."""
        name = self._threads.get((self._pid(track), number(self._ids.tids[track])))
        return name or default_name(self._trace, track)

    def order(self, tracks: list[int]) -> tuple[int, int]:
        """Return a sort key of the process of these tracks."""
        return self._processes[self._pid(tracks[0])].sort_index, tracks[0]

    def _pid(self, track: int) -> int:
        return number(self._ids.pids[track])


def packets(
    blocks: Iterable[bytes],
    start_ns: int,
    options: PftraceOptions,
    members: Mapping[str, object],
) -> Iterator[bytes]:
    """Write events that the merge adds as packets.

    Args:
        blocks: text of the events, each followed by a comma.
        start_ns: time that their timestamps count from, ns since the epoch.
        options: their position among the fragments of the output.
        members: other members of the outermost object.
    """
    head = {"baseTimeNanoseconds": start_ns, **members}
    events = b"".join(json_fragment.without_last_comma(blocks))
    text = msgspec.json.encode(head)[:-1] + b',"traceEvents":[' + events + b"]}"
    source = TextSource.of(text, "the collectives")
    trace = read(source)
    yield from rewrite(source, trace, slices(trace), plan_of_ids(trace), options=options)
