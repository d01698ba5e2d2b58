"""Write the process that holds every matched collective, and the flows between its ranks."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.chrome.sanitize import encoded
from tp_tools.chrome.timestamps import microseconds
from tp_tools.formatting import short_span
from tp_tools.merging.json_fragment import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator


PROCESS = "collectives (all ranks)"
PID = 1
FIRST_TID = 2  # a thread whose id is its process's is drawn first, whatever its name
CAT = "collective"
PART = "collective_part"
"""Category of the slices within one of CAT: the waiting for the last rank, and the wire."""

LINK = "collective"
"""Category and name of flows between ranks."""


class RankKernel(Struct, frozen=True):
    """One rank's kernel of a matched collective, as the merged trace shows it.

    Attributes:
        rank: number of the rank in the job.
        pid, tid: its track in the merged trace.
        ts, end: ns in the merged trace.
        arrival: time when the rank arrived, ns; after `ts` if the kernel started under PDL.
        is_written: whether the merged trace holds the kernel's slice.
    """

    rank: int
    pid: int
    tid: int
    ts: int
    end: int
    arrival: int
    is_written: bool


class Collective(Struct, frozen=True):
    """A matched collective.

    Attributes:
        number: its number in the job.
        group: name of its track, which is that of its process group.
        kind: "all_reduce", ...
        nbytes: bytes that a rank sends or receives, the larger; None if unknown.
        dtype: element type; "" if unknown.
        seq: its sequence number in its process group; None if unknown.
        expected: number of ranks in its process group; None if unknown.
        matched_by: "comms_id", "seq" or "order".
        confidence: "certain", "tested" or "uncertain".
        kernels: one for each rank that recorded it.
    """

    number: int
    group: str
    kind: str
    nbytes: int | None
    dtype: str
    seq: int | None
    expected: int | None
    matched_by: str
    confidence: str
    kernels: list[RankKernel]

    @property
    def first(self) -> RankKernel:
        """The kernel of the rank that arrives first."""
        return min(self.kernels, key=lambda kernel: (kernel.arrival, kernel.rank))

    @property
    def last_arrival(self) -> int:
        """Time when the last rank arrives, ns in the merged trace."""
        return max(kernel.arrival for kernel in self.kernels)

    @property
    def straggler(self) -> int | None:
        """The rank that arrives last; None where several arrive together then."""
        last = [it.rank for it in self.kernels if it.arrival == self.last_arrival]
        return last[0] if len(last) == 1 else None

    @property
    def name(self) -> str:
        """What it was, how long it took, and who was last: "all_reduce, 19.7 ms, last: rank 4"."""
        name = f"{self.kind}, {short_span(self.end - self.first.arrival)}"
        if self.straggler is None:
            return name
        doubt = " (uncertain)" if self.confidence == "uncertain" else ""
        return f"{name}, last: rank {self.straggler}{doubt}"

    @property
    def end(self) -> int:
        """Time when the last rank leaves, ns in the merged trace."""
        return max(kernel.end for kernel in self.kernels)


def events(
    collectives: list[Collective], first_flow: int, *, links: bool
) -> Iterator[tuple[bytes, int]]:
    """Write the events of the collectives.

    Args:
        collectives: the matched collectives inside the window.
        first_flow: the first flow id that no rank uses.
        links: whether to write flows between the ranks.

    Yields:
        Text of events, each followed by a comma, and the number of flows in it.
    """
    if not collectives:
        return
    yield metadata("process_name", PID, PID, {"name": PROCESS}), 0
    yield metadata("process_sort_index", PID, PID, {"sort_index": 0}), 0
    tid = FIRST_TID
    for group in sorted({collective.group for collective in collectives}, key=_natural):
        members = [collective for collective in collectives if collective.group == group]
        lanes = list(_lanes(members))
        for lane in range(max(lanes) + 1):
            name = group if not lane else f"{group} ({lane + 1})"
            yield metadata("thread_name", PID, tid + lane, {"name": name}), 0
            yield metadata("thread_sort_index", PID, tid + lane, {"sort_index": tid + lane}), 0
        for collective, lane in zip(_in_order(members), lanes, strict=True):
            yield _slice(collective, tid + lane), 0
        tid += max(lanes) + 1
    if links:
        for number, collective in enumerate(collectives):
            flow_events = list(_flow_events(collective, first_flow + number))
            if len(flow_events) > 1:
                yield b"".join(flow_events), len(flow_events) - 1


def _natural(name: str) -> tuple[int, str]:
    """Return a sort key that puts group 10 after group 9."""
    return len(name), name


def _in_order(collectives: list[Collective]) -> list[Collective]:
    """Sort collectives by start, the longest first."""
    return sorted(collectives, key=lambda one: (one.first.arrival, -one.end, one.number))


def _lanes(collectives: list[Collective]) -> Iterator[int]:
    """Give each collective the lowest lane on which no other one is open.

    One that nests in another would cross the waiting or the wire of that, and be dropped.

    Yields:
        The lane of each, in the order of `_in_order`; 0 for the track of the group itself.
    """
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    for one in _in_order(collectives):
        while busy and busy[0][0] <= one.first.arrival:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (one.end, lane))
        yield lane


def _slice(collective: Collective, tid: int) -> bytes:
    """Write the slice of a collective, and in it the waiting and the wire; each with a comma."""
    first, last, end = collective.first, collective.last_arrival, collective.end
    straggler = collective.straggler
    args: dict[str, object] = {
        "kind": collective.kind,
        "bytes": collective.nbytes,
        "dtype": collective.dtype or None,
        "skew_us": (last - first.arrival) / 1000,
        "straggler_rank": straggler,
        "first_rank": first.rank,
        "ranks": len(collective.kernels),
        "ranks_expected": collective.expected,
        "seq": collective.seq,
        "matched_by": collective.matched_by,
        "confidence": collective.confidence,
        "tpt_collective": collective.number,
    }
    known = {key: value for key, value in args.items() if value is not None}
    slices = [_event(CAT, collective.name, tid, (first.arrival, end), known)]
    if first.arrival < last < end:
        waiting = "waiting" if straggler is None else f"waiting for rank {straggler}"
        slices.append(_event(PART, waiting, tid, (first.arrival, last)))
        slices.append(_event(PART, "on the wire", tid, (last, end)))
    return b"".join(slices)


def _event(
    cat: str,
    name: str,
    tid: int,
    span: tuple[int, int],
    args: dict[str, object] | None = None,
) -> bytes:
    """Write a slice from the first to the second time of `span`, ns, and a comma."""
    ts, end = span
    return b'{"ph":"X","cat":"%b","name":%b,"pid":%d,"tid":%d,"ts":%b,"dur":%b%b},\n' % (
        cat.encode(),
        encoded(name),
        PID,
        tid,
        microseconds(ts),
        microseconds(end - ts),
        b"" if args is None else b',"args":' + encoded(args),
    )


def _flow_events(collective: Collective, number: int) -> Iterator[bytes]:
    """Write a flow from the first arrival to each of the others.

    At equal times `s` has to stand before `f`.
    """
    written = [kernel for kernel in collective.kernels if kernel.is_written]
    for i, kernel in enumerate(sorted(written, key=lambda kernel: (kernel.ts, kernel.rank))):
        yield b'{"ph":"%b","id":%d,"cat":"%b","name":"%b","pid":%d,"tid":%d,"ts":%b},\n' % (
            b'f","bp":"e' if i else b"s",
            number,
            LINK.encode(),
            LINK.encode(),
            kernel.pid,
            kernel.tid,
            microseconds(kernel.ts),
        )
