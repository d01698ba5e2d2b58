"""Make the strip at the top of a page: what each GPU did over the whole profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools.formatting import percent
from tp_tools.reporting.gpu_time import NO_GPU, ON_THE_WIRE, wire_name
from tp_tools.reporting.model import Figure
from tp_tools.reporting.strip_cells import PARTS, Row, Strip, cells
from tp_tools.reporting.tables import duration
from tp_tools.reporting.windows import windows

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels
    from tp_tools.reporting.places import Places

QUERY = "gpu_timeline"


def figure(data: ReportData, labels: Labels, places: Places) -> Figure:
    """Build the figure; an empty one if nothing ran on a GPU."""
    title = "The whole profile"
    if not data.results[QUERY].rows:
        return Figure("strip", title, NO_GPU)
    keys = [key for key, _, _ in PARTS]
    found = list(data.rows(QUERY, "rank", "device", "window", "ts", "dur", *keys))
    count = windows(len(data.members))
    start_ns = min(row[3] for row in found)
    span_ns = max(row[3] + row[4] for row in found) - start_ns
    by_gpu: dict[tuple[int | None, int], list[tuple[Any, ...]]] = {}
    for rank, device, *window in found:
        by_gpu.setdefault((rank, device), []).append(tuple(window))
    parts = [(name.replace(ON_THE_WIRE, wire_name(data)), color) for _, name, color in PARTS]
    rows = []
    for gpu, own in by_gpu.items():
        origin = places.origin(*gpu)
        says = f"{labels.gpu(*gpu)}: {_says(own, [name for name, _ in parts])}"
        file, offset_ns = (origin.file, origin.offset_ns + start_ns) if origin else ("", 0)
        shares = cells(own, count, span_ns / count)
        rows.append(Row(labels.gpu(*gpu), says, file, offset_ns, shares))
    over = "A row per GPU, on one clock, over" if len(rows) > 1 else "What the GPU did over"
    used = [part for number, part in enumerate(parts, 3) if _total(by_gpu, number)]
    return Figure(
        "strip",
        title,
        f"{over} {duration(span_ns)}; each column of it is split like a bar. "
        "Drag over a part to see it larger. A click gives the command that opens the trace "
        "there.",
        queries=(QUERY,),
        command=f"tp-tools query {QUERY} TRACES --set windows={count}",
        strip=Strip(count, span_ns, parts, used, rows),
    )


def _total(by_gpu: dict[tuple[int | None, int], list[tuple[Any, ...]]], number: int) -> int:
    return sum(window[number] for own in by_gpu.values() for window in own)


def _says(own: list[tuple[Any, ...]], names: list[str]) -> str:
    """Write the parts of a GPU in words, for those who do not see the strip."""
    whole = sum(window[2] for window in own)
    sums = [sum(window[number] for window in own) for number in range(3, 3 + len(PARTS))]
    return ", ".join(
        f"{name} {percent(part_ns / whole)}"
        for name, part_ns in zip(names, sums, strict=True)
        if part_ns
    )
