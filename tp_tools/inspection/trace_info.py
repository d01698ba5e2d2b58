"""Describe a trace: its header, the counts of its events, its defects."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools import engine
from tp_tools.chrome import batch_pool, read, reading_jobs
from tp_tools.chrome.file_damage import damage
from tp_tools.chrome.metadata import metadata
from tp_tools.chrome.reread import external_ids
from tp_tools.inspection import kernel_kinds
from tp_tools.inspection.contents import contents
from tp_tools.inspection.inventory import Kernels, inventory
from tp_tools.merging import rank_names
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions, load_trace
from tp_tools.querying.trace_loader import is_chrome_json
from tp_tools.repair.defects import defects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.chrome import TraceMetadata
    from tp_tools.chrome.file_damage import FileDamage
    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source
    from tp_tools.inspection.inventory import Inventory
    from tp_tools.progress import Reporter
    from tp_tools.repair.defects import Defects
    from tp_tools.trace import Trace

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

NO_LOSSES: Mapping[str, int] = {}

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class TraceInfo:
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

    def as_object(self) -> dict[str, Any]:
        """Return the description for JSON: times and durations in ns, None for unknown facts."""
        counts = asdict(self.inventory)
        del counts["kernels"]  # thousands of names, which `tp-tools query kernels` lists
        return {
            "file": self.file,
            "named": self.file_labels,
            "bytes": self.bytes,
            "text_bytes": self.text_bytes,
            "about": _public(self.metadata) if self.metadata is not None else None,
            "start_utc": self.start_utc(),
            **counts,
            "collectives": [asdict(kernels) for kernels in self.collectives()],
            "defects": self.defects.as_object() if self.defects is not None else None,
            "lost": dict(self.losses),
            "damage": self.damage.as_object() if self.damage is not None else None,
        }


def describe(source: Source, how: LoadOptions, reporter: Reporter = SILENT) -> TraceInfo:
    """Describe a trace.

    Chrome JSON is read into columns. Any other format is loaded into TraceProcessor, which takes
    longer.

    Args:
        source: the file.
        how: options of loading, where that is needed.
        reporter: receives the stages of the work, notes and warnings.

    Raises:
        InputError: the file is not a trace, or is damaged.
        EngineError: TraceProcessor failed.
    """
    if not is_chrome_json(source):
        with load_trace(source, how, reporter) as tp:
            return of_loaded(source, tp, reporter)
    with (
        batch_pool(source, reading_jobs()) as pool,
        reporter.stage(f"reading {source.name}", source.size()) as stage,
    ):
        trace = read(source, stage, pool)
    damage(trace, source).tell(source.name, reporter)
    return of_read(source, trace, reporter)


def of_read(source: Source, trace: Trace, reporter: Reporter = SILENT) -> TraceInfo:
    """Describe a trace of Chrome JSON.

    Args:
        source: the file.
        trace: what was read from it.
        reporter: receives the stages of the work.
    """
    with reporter.stage("counting"):
        counts = inventory(trace)
        text_bytes, header = trace.text_size(), metadata(trace)
    with reporter.stage("looking for defects"):
        found = defects(trace, partial(external_ids, source, trace))
    info = _info(source, counts, text_bytes=text_bytes, header=header, defects=found)
    return replace(info, damage=damage(trace, source))


def of_loaded(source: Source, tp: Processor, reporter: Reporter = SILENT) -> TraceInfo:
    """Describe a trace of another format than Chrome JSON.

    Args:
        source: the file.
        tp: a TraceProcessor that holds all of it.
        reporter: receives the stage of the work.
    """
    with reporter.stage("asking SQL what is in it"):
        return _info(source, contents(tp), losses=engine.losses(tp))


def _info(
    source: Source,
    counts: Inventory,
    *,
    text_bytes: int | None = None,
    header: TraceMetadata | None = None,
    defects: Defects | None = None,
    losses: Mapping[str, int] = NO_LOSSES,
) -> TraceInfo:
    """Put a description together."""
    return TraceInfo(
        file=source.name,
        file_labels=_file_labels(source, header),
        bytes=source.size(),
        text_bytes=text_bytes,
        metadata=header,
        inventory=counts,
        collective_kinds=kernel_kinds.collectives(kernels.name for kernels in counts.kernels),
        defects=defects,
        losses=losses,
    )


def _public(header: TraceMetadata) -> dict[str, Any]:
    """Select the metadata for JSON: no name of a machine or a group, which may be private."""
    return {key: value for key, value in asdict(header).items() if key in _TOLD}


def _file_labels(source: Source, header: TraceMetadata | None) -> dict[str, int]:
    """Parse rank and parallel axes from the name of the file: {"RANK": 3, "TP": 3}.

    An index above the rank is the size of the axis, and left out: "tp8" in the name of rank 0;
    names of SGLang and vLLM hold no sizes.
    """
    name = rank_names.parse_file_name(Path(source.name).name)
    rank = header.rank if header is not None and header.rank is not None else name.rank
    labels = {
        axis: index
        for axis, index in name.labels.items()
        if name.is_structured or rank is None or index <= rank
    }
    return labels if name.rank is None else {"RANK": name.rank, **labels}
