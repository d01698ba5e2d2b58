"""Build the section on memory: what PyTorch's allocators held over time, and at the peak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tp_tools.formatting import plural, size
from tp_tools.reporting.line_plots import Points, plot_over_time
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

MAX_ROWS = 20
_UNKNOWN = "allocations on a GPU were not recorded (profile_memory)"
MAX_POINTS = 800
"""Most points of a line; of events in between the one with the most memory is drawn."""

Event: TypeAlias = "tuple[int, int, int]"
"""When, ns; allocated and reserved afterwards, bytes."""

_PARTS = {"live": "allocated in the profile", "before": "allocated before the profile"}


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without figures where no memory of a GPU was recorded."""
    if not data.results["memory"].rows:
        return Section("memory", "Memory", _UNKNOWN)
    keys = ("device_type", "rank", "device", "part", "bytes", "blocks", "block_bytes", "cpu_op")
    more = ("python_line", "reserved_bytes", "unfreed", "unexplained")
    found = [row[1:] for row in data.rows("memory", *keys, *more) if row[0] != "CPU"]
    if not found:
        return Section("memory", "Memory", _UNKNOWN)
    text = (
        "What PyTorch's allocators held, as the profiler recorded each allocation and free. What "
        "libraries and other programs take themselves is not in it."
    )
    figures = [_timeline_figure(data, labels, found), _live_figure(labels, found)]
    return Section("memory", "Memory", text, figures)


def _timeline_figure(data: ReportData, labels: Labels, found: list[Any]) -> Figure:
    events: dict[tuple[int | None, int], list[Event]] = {}
    keys = ("device_type", "rank", "device", "ts", "allocated_bytes", "reserved_bytes")
    for kind, rank, device, *event in data.rows("memory_timeline", *keys):
        if kind != "CPU":
            events.setdefault((rank, device), []).append(tuple(event))
    first_ns = min(event[0] for own in events.values() for event in own)
    lines = [
        _line(labels.gpu(*device), first_ns, _thinned(own, MAX_POINTS))
        for device, own in events.items()
    ]
    columns = [
        Column("label", "GPU", "text"),
        Column("bytes", "allocated at the peak", "bytes"),
        Column("reserved_bytes", "most reserved", "bytes"),
        Column("unfreed", "allocations never freed"),
        Column("unexplained", "jumps without an event"),
    ]
    rows = [
        (labels.gpu(rank, device), count, reserved, unfreed, unexplained)
        for rank, device, part, count, *_, reserved, unfreed, unexplained in found
        if part == "all"
    ]
    return Figure(
        "memory-over-time",
        "Memory over time",
        "Allocated memory of each GPU, from the first event of any; the distance to what is "
        "reserved is what the allocator keeps for later, or cannot use.",
        queries=("memory_timeline", "memory"),
        plot=plot_over_time(lines),
        table=Table(columns, rows),
    )


def _line(name: str, first_ns: int, events: Sequence[Event]) -> Points:
    """Draw what is allocated, in GB over ms."""
    return Points(
        name,
        [(event[0] - first_ns) / 1e6 for event in events],
        [event[1] / 1e9 for event in events],
        [
            f"{name}\n{duration(ts - first_ns)}: {size(allocated)} of {size(reserved)} reserved"
            for ts, allocated, reserved in events
        ],
    )


def _thinned(events: list[Event], most: int) -> list[Event]:
    """Keep at most so many events: of each run of them the first one with the most memory."""
    run = -(-len(events) // most)
    runs = (events[start : start + run] for start in range(0, len(events), run))
    return [max(own, key=lambda event: event[1]) for own in runs]


def _live_figure(labels: Labels, found: list[Any]) -> Figure:
    columns = [
        Column("label", "GPU", "text"),
        Column("part", "which", "text"),
        Column("bytes", "together", "bytes"),
        Column("blocks", "blocks"),
        Column("block_bytes", "of each", "bytes"),
        Column("cpu_op", "op", "text"),
        Column("python_line", "Python", "text"),
    ]
    live = [
        (labels.gpu(rank, device), _PARTS[part], *rest[:5])
        for rank, device, part, *rest in found
        if part in _PARTS and rest[0]
    ]
    live.sort(key=lambda row: -row[2])
    rows, omitted = live[:MAX_ROWS], len(live) - MAX_ROWS
    return Figure(
        "memory-live",
        "Live at the peak",
        "Blocks that were allocated when most was, by the op and the line that allocated them.",
        queries=("memory",),
        table=Table(columns, rows, f"And {plural(omitted, 'row')} more." if omitted > 0 else ""),
    )
