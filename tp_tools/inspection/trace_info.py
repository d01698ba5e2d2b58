"""Describe a trace: count its events, read its header, look for its defects."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools import engine
from tp_tools.chrome import batch_pool, read, reading_jobs
from tp_tools.chrome.file_damage import damage
from tp_tools.chrome.metadata import metadata
from tp_tools.chrome.reread import external_ids
from tp_tools.inspection import kernel_kinds
from tp_tools.inspection.contents import contents
from tp_tools.inspection.facts import TraceInfo
from tp_tools.inspection.inventory import inventory
from tp_tools.merging import rank_names
from tp_tools.merging.hosts import host_of
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions, load_trace
from tp_tools.querying.trace_loader import is_chrome_json
from tp_tools.repair.defects import defects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.chrome import TraceMetadata
    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source
    from tp_tools.inspection.inventory import Inventory
    from tp_tools.progress import Reporter
    from tp_tools.repair.defects import Defects
    from tp_tools.trace import Trace

NO_LOSSES: Mapping[str, int] = {}


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
    host = host_of(source.name, trace, header)
    return replace(info, damage=damage(trace, source), host=host)


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
