"""Read the numbers that rules judge from the rows of queries."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.formatting import percent, span
from tp_tools.trace.short_names import short_name, short_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tp_tools.engine import Rows
    from tp_tools.querying.unknown_devices import Devices
    from tp_tools.repair.summary import Hidden

Row = dict[str, Any]

PARTS = ("compute", "communication", "waiting", "copy", "cpu", "sync", "dependency", "unknown")
"""What a GPU's time is made of, as in `verdict`."""

IDLE = PARTS[4:]


class TraceFacts(Struct, frozen=True):
    """What is known of a trace beside its rows.

    Attributes:
        rank: its rank; None if unknown.
        world_size: ranks of its job; None if unknown.
        hidden: kernels that Perfetto v51 to v56 does not show; None if unknown.
        options: options of the profiler that it states: with_stack, record_shapes, ...
        is_aligned: whether its clock was set by collectives, or by a rank of the same machine.
        unknown_devices: devices that the library does not know, in place of GPU work.
    """

    rank: int | None
    world_size: int | None
    hidden: Hidden | None
    options: tuple[str, ...] = ()
    is_aligned: bool = True
    unknown_devices: Devices = ()


class Idle(Struct, frozen=True):
    """Idle time by some causes, over all GPUs.

    Attributes:
        ns: all of it, ns.
        rows: of `idle` that it is the sum of: one per cause and GPU.
        gaps: in how many gaps; a gap that has two of the causes counts twice.
        long_ns: of ns, in gaps with at least 1 ms of a cause, ns.
        top: the row of `idle` with most of it.
        longest: the row of `idle` whose longest gap is the longest.
    """

    ns: int
    rows: int
    gaps: int
    long_ns: int
    top: Row
    longest: Row


class Numbers:
    """The numbers of a trace, or of the ranks of a job."""

    def __init__(
        self,
        results: Mapping[str, Rows],
        traces: Iterable[TraceFacts],
        start_ns: int | None = None,
    ) -> None:
        """Keep the rows.

        Args:
            results: rows by name of the query, those of `collection.QUERIES`; `pipeline` where
                ranks send messages.
            traces: the facts of each trace.
            start_ns: start of the trace, ns; None if unknown.
        """
        self._results = results
        self.start_ns = start_ns
        self.traces = tuple(traces)

    def rows(self, query: str) -> list[Row]:
        """Return the rows of a query by column; none if it was not run."""
        if query not in self._results:
            return []
        result = self._results[query]
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    def top(self, query: str, column: str) -> Row | None:
        """Return the row with the largest value of a column; None without rows."""
        known = [row for row in self.rows(query) if row[column] is not None]
        return max(known, key=lambda row: row[column], default=None)

    @cached_property
    def devices(self) -> list[Row]:
        """The row of `verdict` for all the time of each GPU."""
        return [row for row in self.rows("verdict") if row["part"] == "all"]

    @property
    def gpu_ns(self) -> int:
        """Time of all GPUs, from the first to the last work of each, ns."""
        return sum(row["dur"] for row in self.devices)

    def part(self, name: str) -> int:
        """Return one of `PARTS`, ns over all GPUs."""
        return sum(row[f"{name}_ns"] for row in self.devices)

    @property
    def idle_ns(self) -> int:
        """Time in which GPUs ran nothing, ns."""
        return sum(map(self.part, IDLE))

    @property
    def bubble_ns(self) -> int:
        """Pipeline bubbles, at most the time of collectives that no compute hid, ns."""
        bubbles = [row["bubble_ns"] or 0 for row in self.rows("pipeline") if row["part"] == "all"]
        return min(sum(bubbles), self.part("communication") + self.part("waiting"))

    @property
    def wire_ns(self) -> int:
        """Communication that nothing hid and that waited for no rank, beside bubbles, ns."""
        return max(0, self.part("communication") - self.bubble_ns)

    @property
    def waiting_ns(self) -> int:
        """Waiting for a rank that nothing hid, beside bubbles, ns."""
        left = self.bubble_ns - self.part("communication")
        return self.part("waiting") - max(0, left)

    def of_whole(self, ns: int) -> str:
        """Write a part of the GPU time: 1.200 ms of 3.400 ms (35.3 %)."""
        return f"{span(ns)} of {span(self.gpu_ns)} ({percent(ns / self.gpu_ns)})"

    def idle(self, *causes: str) -> Idle | None:
        """Sum idle time by causes, as `idle` names them; None where there is none."""
        rows = [row for row in self.rows("idle") if row["cause"] in causes]
        if not rows:
            return None
        return Idle(
            ns=sum(row["idle_ns"] for row in rows),
            rows=len(rows),
            gaps=sum(row["gaps"] for row in rows),
            long_ns=sum(row["long_ns"] for row in rows),
            top=max(rows, key=lambda row: row["idle_ns"]),
            longest=max(rows, key=lambda row: row["longest_ns"]),
        )

    def is_job(self) -> bool:
        """Tell whether there are several ranks."""
        return len({row["rank"] for row in self.devices}) > 1

    def knows_waiting(self) -> bool:
        """Tell whether some rank shares collectives with others of the trace."""
        return any(row["waiting_percent"] is not None for row in self.devices)

    def unknown_devices(self) -> list[tuple[str, int]]:
        """Sum the events of devices that the library does not know, most first."""
        events = Counter[str]()
        for trace in self.traces:
            events.update(dict(trace.unknown_devices))
        return events.most_common()

    def missing_ranks(self) -> int:
        """Count the ranks of the job that are not here; 0 where nothing says."""
        sizes = [it.world_size for it in self.traces if it.world_size is not None]
        here = max(len(self.traces), len({row["rank"] for row in self.devices}))
        return max(max(sizes, default=0) - here, 0)

    def unaligned(self) -> int:
        """Count the ranks whose clock is taken as it is."""
        return sum(not it.is_aligned for it in self.traces)

    def profiler_options(self) -> str:
        """List the options that slowed the CPU of some rank: "with_stack, record_shapes"."""
        stated = {option for trace in self.traces for option in trace.options}
        seen = {option for row in self.devices for option in (row["profiler"] or "").split(", ")}
        return ", ".join(option for option in _SLOW_OPTIONS if option in stated | seen)

    def kernel(self, name: str) -> str:
        """Return the short name of a kernel or a copy."""
        return self._short_names.get(name) or short_name(name)

    @cached_property
    def _short_names(self) -> dict[str, str]:
        return short_names(row["name"] for row in self.rows("kernels"))


_SLOW_OPTIONS = ("with_stack", "record_shapes", "profile_memory")
