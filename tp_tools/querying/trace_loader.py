"""Load a trace into TraceProcessor: repaired, with the events that a query needs."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
from msgspec import Struct

from tp_tools import engine
from tp_tools.chrome.batches import split_text
from tp_tools.chrome.file_damage import damage
from tp_tools.chrome.metadata import metadata
from tp_tools.chrome.schema import DECODER
from tp_tools.engine.packets import Packets
from tp_tools.engine.stopping import PATIENCE_S
from tp_tools.engine.unread import refuse_unknown
from tp_tools.errors import InputError, TraceLossError
from tp_tools.progress import BUILDING, SILENT
from tp_tools.repair import OverlapOptions, analysis
from tp_tools.repair.viewer_ids import start_ns, viewer_ids
from tp_tools.writing import select_events
from tp_tools.writing.json import writer as json_writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source
    from tp_tools.progress import Reporter
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints

_ZIP = b"PK\x03\x04"
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")
_BEHIND_LOG = re.compile(rb'[^\x00-\x08\x0b\x0c\x0e-\x1f]{0,4096}?"traceEvents"\s*:\s*\[')
_GECKO = re.compile(rb'\s*\{\s*"(?:meta|libs)"')
"""Start of a Firefox profile, by which TraceProcessor tells it from Chrome JSON."""

_LONGER = 2
"""Selected events may be this many times longer than others: kernels have more args than frames."""


class LoadOptions(Struct, frozen=True):
    """Options of loading traces.

    Attributes:
        engine: the TraceProcessor, as `engine.load` takes it; None for the default.
        raw: whether to load the file as it is, without repair.
        needs: categories of Chrome JSON to load, as in a query's header; None for all. Ids number
            what is loaded; `Processor.slice_ids` and `track_ids` give those of the viewer.
        args: args of Chrome JSON to load; None for all. Categories have to be given, too.
        patience_s: seconds that an engine works on a raw file before the file is checked.
        captures: files or folders with traces of captured CUDA graphs, for `modules`.
        memory: most bytes of the embedded engine for a job; None for what it and the machine have.
        viewer_ids: whether somebody asks for `Processor.slice_ids` and `track_ids`.
    """

    engine: str | None = None
    raw: bool = False
    needs: frozenset[str] | None = None
    args: frozenset[str] | None = None
    patience_s: float = PATIENCE_S
    captures: tuple[str, ...] = ()
    memory: int | None = None
    viewer_ids: bool = True


class Planned(Protocol):
    """A trace whose repair is planned, such as an `Analysis`."""

    @property
    def trace(self) -> Trace:
        """The events as columns."""

    @property
    def table(self) -> Slices:
        """The slices, as recorded."""

    @property
    def plan(self) -> Plan:
        """The edits."""


def load_trace(source: Source, how: LoadOptions, reporter: Reporter = SILENT) -> Processor:
    """Load a trace; the caller closes the TraceProcessor.

    Chrome JSON is loaded as `tp-tools fix` would write it, so that no slice is missing. Any other
    format that TraceProcessor reads is loaded as it is, with a warning about lost data.

    Args:
        source: the file.
        how: options of loading.
        reporter: receives the stages of the work, notes, and warnings of data lost on loading.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor failed.
    """
    load = partial(engine.load, source=source.name, engine=how.engine, reporter=reporter)
    doing = f"loading {source.name}"
    if not is_chrome_json(source) or how.raw:
        packets = Packets()
        with reporter.stage(doing, source.size(), BUILDING) as stage:
            try:
                with engine.doubted(partial(_refuse_damaged, source), how.patience_s):
                    tp = load(packets.watched(_raw_blocks(source, stage)), allow_loss=True)
            except InputError as error:
                refuse_unknown(source.name, error)
                raise
        try:
            packets.tell(source.name, reporter)
        except InputError:
            tp.close()
            raise
        if lost := _losses(tp):
            reporter.warn(f"{source.name}: TraceProcessor lost data on loading: {lost}.")
        [(tp.start_ns,)] = engine.rows(tp, "SELECT start_ts FROM trace_bounds")
        return tp
    planned = analysis.plan_trace(source, OverlapOptions(engine=how.engine), reporter)
    return load_planned(source, planned, how, reporter)


def load_planned(
    source: Source, planned: Planned, how: LoadOptions, reporter: Reporter = SILENT
) -> Processor:
    """Load Chrome JSON whose repair is planned already; the caller closes the TraceProcessor.

    Args:
        source: the file.
        planned: its analysis, or what a merge stored of it.
        how: options of loading; `raw` is not looked at.
        reporter: receives the stages of the work, notes, and warnings of data lost on loading.

    Raises:
        EngineError: TraceProcessor failed.
    """
    damage(planned.trace, source).tell(source.name, reporter)
    keep = None
    if how.needs is not None:
        keep = select_events(planned.trace, planned.table, how.needs)
    few_args = None if keep is None else how.args
    with reporter.stage(f"loading {source.name}", source.size(), BUILDING) as stage:
        blocks = json_writer.rewrite(
            source, planned.trace, planned.plan, stage, keep=keep, args=few_args
        )
        tp = engine.load(
            blocks,
            source=source.name,
            engine=how.engine,
            reporter=reporter,
            size=_size(planned.trace, keep),
            allow_loss=True,  # of events that are no slices
        )
    try:
        _check_slices(tp, planned, keep)
    except TraceLossError:
        tp.close()
        raise
    tp.is_partial = keep is not None and not keep.all()
    stated = metadata(planned.trace)
    tp.gpu, tp.rank = stated.gpu_name, stated.rank
    tp.start_ns = start_ns(planned.trace, planned.plan)
    if keep is not None and how.viewer_ids:
        ids = viewer_ids(planned.trace, planned.plan, keep)
        tp.slice_ids = _if_as_many(ids.slices, tp, "SELECT COUNT(*) FROM slice")
        tp.track_ids = _if_as_many(ids.tracks, tp, "SELECT COUNT(*) FROM track")
    if lost := _losses(tp):
        reporter.warn(f"{source.name}: no slice is lost, but other events do not count: {lost}.")
    return tp


def _check_slices(tp: Processor, planned: Planned, keep: NDArray[np.bool_] | None) -> None:
    """Check that no slice is lost where TraceProcessor counts losses: an event may be no slice.

    Raises:
        TraceLossError: slices are lost.
    """
    lost = [name for name in engine.losses(tp) if not engine.harmless(name)]
    if not lost:
        return
    written = np.ones(len(planned.trace), np.bool_) if keep is None else keep
    slices = viewer_ids(planned.trace, planned.plan, written).slices
    is_whole = _if_as_many(slices, tp, "SELECT COUNT(*) FROM slice") is not None
    if not is_whole or any(map(engine.drops_slices, lost)):
        engine.check_whole(tp)


def _if_as_many(ids: Ints | None, tp: Processor, count_sql: str) -> Ints | None:
    """Return ids if there are as many as SQL counts, else None."""
    [(count,)] = engine.rows(tp, count_sql)
    return ids if ids is not None and len(ids) == count else None


def _losses(tp: Processor) -> str:
    """List what TraceProcessor lost on loading, by the names of its statistics."""
    return ", ".join(f"{count} x {name}" for name, count in engine.losses(tp).items())


def is_chrome_json(source: Source) -> bool:
    """Tell by its first bytes whether a file is Chrome JSON, which `tp-tools fix` repairs.

    Raises:
        InputError: the file cannot be read, or is empty.
    """
    if _is_zip(source):
        return False
    start = next(source.blocks())
    if not start.strip() or _BEHIND_LOG.match(start):
        return True
    return _JSON.match(start) is not None and _GECKO.match(start) is None


def _refuse_damaged(source: Source) -> None:
    """Read Chrome JSON strictly: Perfetto v52 never ends on metadata whose args are no JSON.

    Raises:
        InputError: the file is damaged.
    """
    if is_chrome_json(source):
        try:
            for _ in split_text(source.blocks(), DECODER, source.name):
                pass
        except InputError as error:
            raise InputError(
                f"{error} TraceProcessor is not done with it. Leave out --raw, or mend it with "
                "`tp-tools fix`."
            ) from error


def _is_zip(source: Source) -> bool:
    """Tell whether the file is a zip, which TraceProcessor opens and `Source` does not."""
    try:
        return next(source.raw(), b"").startswith(_ZIP)
    except InputError:
        return False  # reading it raises the error with its reason


def _raw_blocks(source: Source, reporter: Reporter) -> Iterator[bytes]:
    """Read the file, decompressed: TraceProcessor reads zstd since v58 only."""
    if not _is_zip(source):
        yield from source.blocks(reporter)
        return
    yield from source.raw(reporter)


def _text_size(trace: Trace) -> int:
    """Return the bytes of the events' JSON."""
    return sum(batch.length for batch in trace.batches)


def _size(trace: Trace, keep: NDArray[np.bool_] | None) -> int:
    """Estimate the bytes of JSON to load, rather too many."""
    total = _text_size(trace)
    if keep is None or not len(trace):
        return total
    return min(total, _LONGER * total * int(keep.sum()) // len(trace))
