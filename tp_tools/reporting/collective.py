"""Hold a collective of the job with the arrivals of its ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData

SURE = ("certain", "tested")
ALONE = "alone"
UNCERTAIN = "uncertain"


class Collective(Struct):
    """A collective, with the arrival of each rank.

    Attributes:
        number: its number among all collectives.
        kind, seq, group, confidence, step: as in the query `collectives_by_rank`.
        arrivals: time at which the rank arrived in ns, by rank.
        devices: its device then, by rank; None on the CPU.
    """

    number: int
    kind: str
    seq: int | None
    group: str | None
    confidence: str
    step: str | None
    arrivals: dict[int | None, int] = field(default_factory=dict)
    devices: dict[int | None, int | None] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """First arrival in ns."""
        return min(self.arrivals.values())

    @property
    def skew_us(self) -> float:
        """Time from the first to the last arrival in us."""
        return (max(self.arrivals.values()) - self.first) / 1e3

    @property
    def straggler(self) -> int | None:
        """The rank that arrived last; the lowest of several."""
        return max(self.arrivals, key=lambda rank: (self.arrivals[rank], -(rank or 0)))

    def lateness_us(self, rank: int | None) -> float | None:
        """Return the time from the first arrival to the rank's in us; None if it took no part."""
        return (self.arrivals[rank] - self.first) / 1e3 if rank in self.arrivals else None

    def title(self) -> str:
        """Describe the collective: "12: all_reduce, seq 7 (tested)"."""
        seq = "" if self.seq is None else f", seq {self.seq}"
        group = "" if self.group is None else f", group {self.group}"
        step = "" if self.step is None else f", {self.step}"
        return f"{self.number}: {self.kind}{seq}{group}{step} ({self.confidence})"


def collectives_of(data: ReportData) -> list[Collective]:
    """Collect the collectives, in the order of first arrivals."""
    by_number: dict[int, Collective] = {}
    columns = ("collective", "kind", "seq", "process_group", "confidence", "step")
    rows = data.rows("collectives_by_rank", *columns, "rank", "device", "arrival")
    for number, kind, seq, group, confidence, step, rank, device, arrival in rows:
        kind_of_all = "send_recv" if kind in ("send", "recv") else kind
        collective = by_number.setdefault(
            number, Collective(number, kind_of_all, seq, group, confidence, step)
        )
        if arrival >= collective.arrivals.get(rank, arrival):
            collective.arrivals[rank], collective.devices[rank] = arrival, device
    return sorted(by_number.values(), key=lambda collective: (collective.first, collective.number))
