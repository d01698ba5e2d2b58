"""Name the devices of a trace whose work the library does not know."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeAlias

from tp_tools import library
from tp_tools.engine import run_file
from tp_tools.querying.trace_loader import LoadOptions, load_trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source

GPU_WORK = library.check("gpu_work")
QUERY = library.check("unknown_devices")

Devices: TypeAlias = "tuple[tuple[str, int], ...]"
"""Name of each device, or of a category of its events, and the number of its events."""


def unknown_devices(source: Source, tp: Processor, engine: str | None) -> Devices:
    """Count the events of devices that the library does not know; none beside GPU work.

    Args:
        source: the trace, which is loaded whole if `tp` has no GPU work and is partial.
        tp: the trace, with its GPU work at least.
        engine: the TraceProcessor.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor failed.
    """
    if run_file(tp, GPU_WORK).rows != [(0,)]:
        return ()
    whole = load_trace(source, LoadOptions(engine)) if tp.is_partial else nullcontext(tp)
    with whole as all_events:
        return tuple((device, events) for device, events in run_file(all_events, QUERY).rows)


def described(devices: Iterable[tuple[str, int]]) -> str:
    """Say what there is in place of GPU work: "no GPU work, but events of ...: 2 x mtia_..."."""
    counts = ", ".join(f"{events:,} x {device}" for device, events in devices)
    return (
        f"no GPU work, but events of a device that the library does not know: {counts}. "
        "`tp-tools query contents` counts all events."
    )
