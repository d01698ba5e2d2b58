"""Hold the description of a trace, and write it as text, as HTML or as an object for JSON."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from tp_tools import notebook
from tp_tools.formatting import middle, percent, plural, size, span
from tp_tools.inspection.inventory import Kernels
from tp_tools.repair.summary import REPAIRS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.chrome import TraceMetadata
    from tp_tools.chrome.file_damage import FileDamage
    from tp_tools.chrome.metadata import Gpu
    from tp_tools.inspection.inventory import Inventory, Stream
    from tp_tools.repair.defects import Defects

_LABEL_WIDTH = 10
_NAME_WIDTH = 48
_MAX_STREAMS = 24
_DAY_NS = 86_400 * 10**9

_EPOCH_FROM_NS = 10**18
"""Times from here on count from 1970 where the trace has no base time: the year 2001."""

_TOLD = (
    "rank",
    "world_size",
    "backend",
    "process_groups",
    "gpus",
    "versions",
    "options",
    "base_ns",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class TraceInfo(Struct, frozen=True):
    """The description of a trace.

    Attributes:
        file: name of the file as its user gave it.
        file_labels: rank and parallel axes in the name of the file: {"RANK": 3, "TP": 3}.
        bytes: size on disk.
        text_bytes: size decompressed; None if it is not Chrome JSON.
        metadata: of the header; None if it is not Chrome JSON.
        inventory: counts of events, streams, steps and kernels.
        collective_kinds: kind of collective, by name of the kernel.
        defects: the defects that `fix` repairs; None if it is not Chrome JSON.
        losses: counts of lost events by TraceProcessor's name for the loss; empty for Chrome JSON.
        damage: of the text of the file; None if it is not Chrome JSON.
        host: name of the machine; "" if it is not known.
    """

    file: str
    file_labels: dict[str, int]
    bytes: int
    text_bytes: int | None
    metadata: TraceMetadata | None
    inventory: Inventory
    collective_kinds: Mapping[str, str]
    defects: Defects | None
    losses: Mapping[str, int]
    damage: FileDamage | None = None
    host: str = ""

    def collectives(self) -> list[Kernels]:
        """Sum the kernels of each kind of collective, most time first."""
        count, time = Counter[str](), Counter[str]()
        for kernels in self.inventory.kernels:
            kind = self.collective_kinds.get(kernels.name)
            if kind is not None:
                count[kind] += kernels.count
                time[kind] += kernels.dur_ns
        return [Kernels(kind, count[kind], total) for kind, total in time.most_common()]

    def start_utc(self) -> str | None:
        """Return the time of the first event: "2023-11-14 22:13:20.123 UTC".

        Returns:
            The time in UTC to the millisecond; None if neither a base time nor the times say it.
        """
        start = self.inventory.start_ns
        base = self.metadata.base_ns if self.metadata is not None else None
        if start is None or (base is None and start < _EPOCH_FROM_NS):
            return None
        try:
            moment = _EPOCH + timedelta(microseconds=((base or 0) + start) // 1000)
        except OverflowError:
            return None
        return moment.isoformat(" ", "milliseconds").replace("+00:00", " UTC")

    def _repr_html_(self) -> str:
        """Return the description as tables, for notebooks."""
        return html(self)

    def as_object(self) -> dict[str, Any]:
        """Return the description for JSON: times and durations in ns, None for unknown facts."""
        counts = to_builtins(self.inventory)
        del counts["kernels"]  # thousands of names, which `tp-tools query kernels` lists
        return {
            "file": self.file,
            "named": self.file_labels,
            "bytes": self.bytes,
            "text_bytes": self.text_bytes,
            "host": self.host or None,
            "about": _public(self.metadata) if self.metadata is not None else None,
            "start_utc": self.start_utc(),
            **counts,
            "collectives": [to_builtins(kernels) for kernels in self.collectives()],
            "defects": self.defects.as_object() if self.defects is not None else None,
            "lost": dict(self.losses),
            "damage": self.damage.as_object() if self.damage is not None else None,
        }


class TraceInfos(list[TraceInfo]):
    """The descriptions of several traces, in their order."""

    def _repr_html_(self) -> str:
        """Return one description below the other, for notebooks."""
        return "".join(map(html, self))


def lines(info: TraceInfo) -> Iterator[str]:
    """Write facts, categories, streams, collectives and defects of a trace."""
    yield _title(info)
    for label, value in facts(info):
        yield f"  {label:<{_LABEL_WIDTH}} {value}"
    for rows in _tables(info):
        yield ""
        yield from _table(rows)
    yield ""
    yield from _verdict(info)


def html(info: TraceInfo) -> str:
    """Write the same as tables, for notebooks."""
    tables = [notebook.table(("", ""), facts(info))]
    tables += [notebook.table(heads, rows, measures=True) for heads, *rows in _tables(info)]
    verdict = "".join(map(notebook.paragraph, _verdict(info)))
    return notebook.paragraph(_title(info)) + "".join(tables) + verdict


def _title(info: TraceInfo) -> str:
    text = f", {size(info.text_bytes)} of text" if info.text_bytes else ""
    return f"{info.file}: {size(info.bytes)}{text}"


def _tables(info: TraceInfo) -> Iterator[Iterator[tuple[str, ...]]]:
    """Yield tables of categories, streams and collectives, as rows whose first holds headings."""
    yield _categories(info.inventory)
    if info.inventory.streams:
        yield _streams(info.inventory)
    if info.collectives():
        yield _collectives(info)


def facts(info: TraceInfo) -> Iterator[tuple[str, str]]:
    """List label and value of each known fact: job, GPUs, versions, span, steps, events."""
    counts = info.inventory
    if info.metadata is not None:
        yield from _header_facts(info.metadata)
    if info.host:
        yield "Host", info.host
    if info.file_labels:
        yield "By name", " ".join(f"{axis}{index}" for axis, index in info.file_labels.items())
    if counts.merged:
        yield "Ranks", f"{len(counts.merged)} merged: {_first_and_last(counts.merged)}"
    if counts.start_ns is not None and counts.end_ns is not None:
        start = info.start_utc()
        suffix = f" from {start}" if start else ""
        yield "Span", span(counts.end_ns - counts.start_ns) + suffix
    if counts.steps is not None:
        steps = counts.steps
        numbers = f"#{steps.first}" + (f" to #{steps.last}" if steps.last > steps.first else "")
        mean = span(steps.dur_ns // steps.count)
        yield "Steps", f"{steps.count:,}, ProfilerStep{numbers}, {mean} on average"
    phases = ", ".join(f"{count:,} {phase or 'none'}" for phase, count in counts.phases.items())
    yield "Events", f"{counts.events:,}: {phases}" if counts.events else "none"


def _header_facts(header: TraceMetadata) -> Iterator[tuple[str, str]]:
    parts = [
        f"rank {header.rank}" if header.rank is not None else "",
        f"of {header.world_size:,}" if header.world_size is not None else "",
    ]
    rank = " ".join(filter(None, parts))
    groups = plural(header.process_groups, "process group") if header.process_groups else ""
    if job := ", ".join(filter(None, (rank, header.backend, groups))):
        yield "Job", job
    kinds = Counter(_gpu(gpu) for gpu in header.gpus)
    if kinds:
        yield "GPUs", ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    if header.versions:
        yield (
            "Versions",
            ", ".join(f"{name} {version}" for name, version in header.versions.items()),
        )
    if header.options:
        yield "Recorded", ", ".join(header.options)


def _gpu(gpu: Gpu) -> str:
    properties = [
        size(gpu.memory_bytes) if gpu.memory_bytes else "",
        f"{gpu.processors} multiprocessors" if gpu.processors else "",
    ]
    details = ", ".join(filter(None, properties))
    return (gpu.name or "GPU without a name") + (f" ({details})" if details else "")


def _first_and_last(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _categories(counts: Inventory) -> Iterator[tuple[str, ...]]:
    yield "category", "events", "slices", "time"
    for category in counts.categories:
        time = span(category.dur_ns) if category.slices else ""
        name = middle(category.name, _NAME_WIDTH) or "(none)"
        yield name, f"{category.events:,}", f"{category.slices:,}", time


def _streams(counts: Inventory) -> Iterator[tuple[str, ...]]:
    yield "row", "kernels, copies", "busy", "of the span"
    duration = (counts.end_ns or 0) - (counts.start_ns or 0)
    for stream in counts.streams[:_MAX_STREAMS]:
        share = percent(stream.busy_ns / duration) if duration else ""
        yield _stream_name(stream), f"{stream.work:,}", span(stream.busy_ns), share
    if len(counts.streams) > _MAX_STREAMS:
        yield f"and {len(counts.streams) - _MAX_STREAMS} more", "", "", ""


def _collectives(info: TraceInfo) -> Iterator[tuple[str, ...]]:
    yield "collective", "kernels", "time"
    for kind in info.collectives():
        yield kind.name, f"{kind.count:,}", span(kind.dur_ns)


def _stream_name(stream: Stream) -> str:
    process = middle(stream.process or "", _NAME_WIDTH - 16)
    device = "" if "GPU" in process else f"GPU {stream.pid}"
    return " ".join(filter(None, (process, device, stream.name)))


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Write an indented table: the first column aligned left, the others right."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *others in cells:
        right = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield "  " + "  ".join([first.ljust(widths[0]), *right]).rstrip()


def _verdict(info: TraceInfo) -> Iterator[str]:
    if info.losses:
        yield "TraceProcessor lost data on loading:"
        yield from (f"  {count:,} x {name}" for name, count in info.losses.items())
    if info.defects is None:
        return
    if info.defects.is_sound():
        yield "Nothing to repair."
        return
    if info.defects.hopeless:
        yield f"`tp-tools fix` cannot repair it: {info.defects.hopeless}"
    else:
        yield "To repair with `tp-tools fix`:"
    yield from (f"  {line}" for line in _defects(info.defects))


def _defects(defects: Defects) -> Iterator[str]:
    if defects.overlapping:
        yield plural(defects.overlapping, "overlapping slice")
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


def _public(header: TraceMetadata) -> dict[str, Any]:
    """Select the metadata for JSON: no name of a group, which may be private."""
    return {key: value for key, value in to_builtins(header).items() if key in _TOLD}
