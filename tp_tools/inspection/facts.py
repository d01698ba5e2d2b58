"""What is in a trace, as lines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.formatting import (
    middle,
    percent,
    plural,
    size,
    span,
)
from tp_tools.repair.summary import REPAIRS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tp_tools.inspection.about import About, Gpu
    from tp_tools.inspection.inventory import Inventory, Stream
    from tp_tools.inspection.trace_info import TraceInfo
    from tp_tools.repair.defects import Defects

_LABEL = 10
_WIDEST_NAME = 48
_MOST_STREAMS = 24
_DAY_NS = 86_400 * 10**9


def lines(seen: TraceInfo) -> Iterator[str]:
    """For people."""
    text = f", {size(seen.text_bytes)} of text" if seen.text_bytes else ""
    yield f"{seen.file}: {size(seen.bytes)}{text}"
    for label, value in facts(seen):
        yield f"  {label:<{_LABEL}} {value}"
    yield ""
    yield from _indented(_categories(seen.inventory))
    if seen.inventory.streams:
        yield ""
        yield from _indented(_streams(seen.inventory))
    found = seen.collectives()
    if found:
        yield ""
        rows = [(it.name, f"{it.count:,}", span(it.dur_ns)) for it in found]
        yield from _indented([("collective", "kernels", "time"), *rows])
    yield ""
    yield from _judgement(seen)


def facts(seen: TraceInfo) -> Iterator[tuple[str, str]]:
    """What it is, each with its label: job, GPUs, versions, span, steps, events."""
    it = seen.inventory
    if seen.about is not None:
        yield from _said(seen.about)
    if seen.named:
        yield "By name", " ".join(f"{axis}{at}" for axis, at in seen.named.items())
    if it.merged:
        yield "Ranks", f"{len(it.merged)} merged: {_first_and_last(it.merged)}"
    if it.start_ns is not None and it.end_ns is not None:
        began = seen.start_utc()
        at = f" from {began}" if began else ""
        yield "Span", span(it.end_ns - it.start_ns) + at
    if it.steps is not None:
        numbers = f"#{it.steps.first}" + (
            f" to #{it.steps.last}" if it.steps.last > it.steps.first else ""
        )
        mean = span(it.steps.dur_ns // it.steps.count)
        yield "Steps", f"{it.steps.count:,}, ProfilerStep{numbers}, {mean} on average"
    phases = ", ".join(f"{count:,} {phase or 'none'}" for phase, count in it.phases.items())
    yield "Events", f"{it.events:,}: {phases}" if it.events else "none"


def _said(about: About) -> Iterator[tuple[str, str]]:
    job = [
        f"rank {about.rank}" if about.rank is not None else "",
        f"of {about.world_size:,}" if about.world_size is not None else "",
    ]
    rank = " ".join(filter(None, job))
    groups = plural(about.process_groups, "process group") if about.process_groups else ""
    if said := ", ".join(filter(None, (rank, about.backend, groups))):
        yield "Job", said
    kinds = Counter(_gpu(gpu) for gpu in about.gpus)
    if kinds:
        yield "GPUs", ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    if about.versions:
        yield "Versions", ", ".join(f"{name} {said}" for name, said in about.versions.items())
    if about.options:
        yield "Recorded", ", ".join(about.options)


def _gpu(gpu: Gpu) -> str:
    more = [
        size(gpu.memory_bytes) if gpu.memory_bytes else "",
        f"{gpu.processors} multiprocessors" if gpu.processors else "",
    ]
    inside = ", ".join(filter(None, more))
    return (gpu.name or "GPU without a name") + (f" ({inside})" if inside else "")


def _first_and_last(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _categories(it: Inventory) -> Iterator[tuple[str, ...]]:
    yield "category", "events", "slices", "time"
    for category in it.categories:
        time = span(category.dur_ns) if category.slices else ""
        name = middle(category.name, _WIDEST_NAME) or "(none)"
        yield name, f"{category.events:,}", f"{category.slices:,}", time


def _streams(it: Inventory) -> Iterator[tuple[str, ...]]:
    yield "row", "kernels, copies", "busy", "of the span"
    whole = (it.end_ns or 0) - (it.start_ns or 0)
    for stream in it.streams[:_MOST_STREAMS]:
        share = percent(stream.busy_ns / whole) if whole else ""
        yield _row(stream), f"{stream.work:,}", span(stream.busy_ns), share
    if len(it.streams) > _MOST_STREAMS:
        yield f"and {len(it.streams) - _MOST_STREAMS} more", "", "", ""


def _row(stream: Stream) -> str:
    process = middle(stream.process or "", _WIDEST_NAME - 16)
    device = "" if "GPU" in process else f"GPU {stream.pid}"
    return " ".join(filter(None, (process, device, stream.name)))


def _indented(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table: the first column to the left, the others to the right."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *rest in table:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  " + "  ".join([first.ljust(widths[0]), *cells]).rstrip()


def _judgement(seen: TraceInfo) -> Iterator[str]:
    if seen.lost:
        yield "TraceProcessor lost data on loading:"
        yield from (f"  {count:,} x {name}" for name, count in seen.lost.items())
    if seen.defects is None:
        return
    if seen.defects.is_sound():
        yield "Nothing to repair."
        return
    if seen.defects.hopeless:
        yield f"`tp-tools fix` cannot repair it: {seen.defects.hopeless}"
    else:
        yield "To repair with `tp-tools fix`:"
    yield from (f"  {line}" for line in _wrong(seen.defects))


def _wrong(defects: Defects) -> Iterator[str]:
    if defects.overlapping:
        yield f"{plural(defects.overlapping, 'slice')} without room on their row"
    hidden = defects.hidden
    if hidden.kernels:
        yield (
            f"{plural(hidden.kernels, 'kernel')} that Perfetto v51-56 hides, "
            f"{span(hidden.kernel_ns)}, {percent(hidden.share)} of kernel time"
        )
    if others := hidden.slices - hidden.kernels:
        yield f"{plural(others, 'other slice' if hidden.kernels else 'slice')} that it hides"
    if defects.rebase_ns:
        yield f"times that Perfetto rounds: rebased by {defects.rebase_ns // _DAY_NS:,} days"
    for kind, count in defects.mended.items():
        yield REPAIRS.get(kind, kind) + (f" ({count:,})" if count > 1 else "")
