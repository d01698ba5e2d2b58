"""Build the section on the time of the GPUs: compute, communication, copies, idle; streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools.formatting import plural
from tp_tools.reporting.bars import stacked
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

_MOST_STREAMS = 64
_MOST_COPIES = 40
_ROUNDED_GBPS = 0.0006  # the query rounds to 3 decimals

_EXPOSED = ("wire_ns", "waiting_ns", "unsplit_ns")
NO_GPU = "nothing ran on a GPU"

ON_THE_WIRE = "on the wire"
WIRE_OR_MISSING = "on the wire, or waiting for ranks without a trace"
NOT_SPLIT = "waiting or on the wire"

SPLIT = (
    ("compute_alone_ns", "compute", "var(--compute)"),
    ("hidden_communication_ns", "compute that hides communication", "var(--hidden)"),
    ("wire_ns", f"exposed communication: {ON_THE_WIRE}", "var(--exposed)"),
    ("waiting_ns", "exposed communication: waiting for a rank", "var(--waiting)"),
    ("unsplit_ns", f"exposed communication: {NOT_SPLIT}", "var(--exposed)"),
    ("exposed_copy_ns", "copies alone", "var(--copies)"),
    ("idle_ns", "idle", "var(--idle)"),
)
"""The parts of a GPU's time: key, name and colour. Together they are the whole span."""


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without figures if nothing ran on a GPU."""
    title = "Where the GPU time went"
    gpus = _time_shares(data)
    if not gpus:
        return Section("time", title, NO_GPU)
    text = (
        "From its first to its last work, a GPU computes, communicates, copies or does nothing. "
        "The more of the bar is compute, the better the hardware is used."
    )
    figures = [_time_figure(gpus, data, labels), _streams_figure(data, labels)]
    if data.results["copies"].rows:
        figures.append(_copies_figure(data, labels))
    return Section("time", title, text, figures)


def _time_shares(data: ReportData) -> list[dict[str, Any]]:
    """Compute the parts of `SPLIT` in ns, a dictionary per GPU.

    Hidden communication runs while the GPU computes, so it is taken from compute. Waiting is that
    of `verdict`, which is on the common clock of the ranks; of a rank that shares no collective
    with another one of the traces it is not known.
    """
    waits = _waits(data)
    columns = (
        "rank",
        "device",
        "span_ns",
        "compute_ns",
        "communication_ns",
        "exposed_communication_ns",
        "exposed_copy_ns",
        "idle_ns",
        "busy_percent",
    )
    gpus = [dict(zip(columns, gpu, strict=True)) for gpu in data.rows("gpu_time", *columns)]
    for gpu in gpus:
        hidden = gpu["communication_ns"] - gpu["exposed_communication_ns"]
        gpu["hidden_communication_ns"] = hidden
        gpu["compute_alone_ns"] = gpu["compute_ns"] - hidden
        exposed, waiting = gpu["exposed_communication_ns"], waits.get((gpu["rank"], gpu["device"]))
        gpu["waiting_ns"] = min(waiting or 0, exposed)  # the clocks' drift is not that of one rank
        gpu["wire_ns"] = 0 if waiting is None else exposed - gpu["waiting_ns"]
        gpu["unsplit_ns"] = exposed if waiting is None else 0
    return gpus


def wire_name(data: ReportData) -> str:
    """Say what a collective does while no rank is known to be waited for."""
    return _wire(data) if _waits(data) else NOT_SPLIT


def _wire(data: ReportData) -> str:
    return WIRE_OR_MISSING if data.lacks_ranks() else ON_THE_WIRE


def _waits(data: ReportData) -> dict[tuple[int | None, int], int]:
    """Return the time that each GPU waited for another rank in ns, where it is known."""
    if "verdict" not in data.results:
        return {}
    columns = ("rank", "device", "waiting_ns", "waiting_percent", "part")
    return {
        (rank, device): waiting
        for rank, device, waiting, share, part in data.rows("verdict", *columns)
        if part == "all" and share is not None
    }


def _time_figure(gpus: list[dict[str, Any]], data: ReportData, labels: Labels) -> Figure:
    by_name = {labels.gpu(gpu["rank"], gpu["device"]): gpu for gpu in gpus}
    split = [
        (key, name.replace(ON_THE_WIRE, _wire(data)) if key == "wire_ns" else name, color)
        for key, name, color in SPLIT
    ]
    keys = [
        (key, name.removeprefix("exposed communication: "))
        for key, name, _ in split
        if key not in _EXPOSED or any(gpu[key] for gpu in gpus)
    ]
    columns = [
        Column("label", "GPU", "text"),
        *(Column(key, name, "ns") for key, name in keys),
        Column("exposed_communication_ns", "exposed in all", "ns"),
        Column("span_ns", "first to last work", "ns"),
        Column("busy_percent", "busy", "percent"),
    ]
    cells = [(name, *(gpu[column.key] for column in columns[1:])) for name, gpu in by_name.items()]
    unsplit = sum(gpu["unsplit_ns"] > 0 for gpu in gpus)
    return Figure(
        "gpu-time",
        "GPU time by what the GPU did",
        "A bar per GPU. Exposed communication is time in which the GPU only exchanged data with "
        "other GPUs and everything else waited: first for the last rank to come, then for the "
        "wire. Hidden communication ran behind compute and cost no time of its own. Idle is time "
        "in which nothing ran. Where two kernels run at once, their time counts once.",
        queries=("gpu_time", "verdict"),
        bars=stacked(split, by_name),
        table=Table(columns, cells, has_one_unit=True),
        notes=[_UNSPLIT.format(plural(unsplit, "GPU"))] if unsplit else (),
    )


_UNSPLIT = (
    "Of {} it is not known how much of the exposed communication was waiting for other ranks: that "
    "takes the traces of several ranks of one job."
)


def _streams_figure(data: ReportData, labels: Labels) -> Figure:
    keys = ("rank", "device", "stream", "events", "collectives", "busy_ns", "overlap_ns")
    rows = [
        (labels.gpu(rank, device), *rest) for rank, device, *rest in data.rows("streams", *keys)
    ]
    columns = [
        Column("label", "GPU", "text"),
        Column("stream", "stream", "number"),
        Column("events", "kernels and copies"),
        Column("collectives", "of them communication"),
        Column("busy_ns", "busy", "ns"),
        Column("overlap_ns", "while other streams were busy", "ns"),
    ]
    return Figure(
        "streams",
        "Streams",
        "A stream is a queue of the GPU: what is in one runs in order, what is in several may run "
        "at once.",
        queries=("streams",),
        table=Table(columns, rows[:_MOST_STREAMS], _omitted(len(rows), _MOST_STREAMS, "stream")),
    )


def _copies_figure(data: ReportData, labels: Labels) -> Figure:
    keys = ("rank", "name", "count", "bytes", "total_ns", "mean_gbps")
    rows = [
        (labels.rank(rank), name, count, size, time_ns, _speed(size, time_ns, mean))
        for rank, name, count, size, time_ns, mean in data.rows("copies", *keys)
    ]
    columns = [
        Column("label", "rank", "text"),
        Column("name", "copy", "name"),
        Column("count", "how many"),
        Column("bytes", "bytes", "bytes"),
        Column("total_ns", "time", "ns"),
        Column("mean_gbps", "speed", "gbps"),
    ]
    return Figure(
        "copies",
        "Copies and memsets",
        "HtoD goes from the CPU to the GPU, DtoH back, DtoD stays on the GPU. Pageable memory is "
        "slower to copy than pinned memory.",
        queries=("copies",),
        table=Table(
            columns, rows[:_MOST_COPIES], _omitted(len(rows), _MOST_COPIES, "kind of copy")
        ),
    )


def _speed(size: int | None, time_ns: int, mean_gbps: float | None) -> float | None:
    """Return the speed of copies with all its digits where all of them say how many bytes."""
    if not size or not time_ns or mean_gbps is None:
        return mean_gbps
    exact = size / time_ns
    return exact if abs(exact - mean_gbps) <= _ROUNDED_GBPS else mean_gbps


def _omitted(count: int, maximum: int, noun: str) -> str:
    omitted = count - maximum
    return f"And {plural(omitted, noun)} more, which the query lists." if omitted > 0 else ""
