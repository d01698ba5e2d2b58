"""Make a file of a trace that the Perfetto UI reads and shows completely."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools import engine
from tp_tools.chrome import batch_pool, reading_jobs
from tp_tools.chrome.metadata import metadata
from tp_tools.engine.packets import PACKET, Packets
from tp_tools.engine.unread import refuse_unknown
from tp_tools.errors import InputError, OutputError
from tp_tools.files import output
from tp_tools.files.foreign import is_database
from tp_tools.progress import SILENT
from tp_tools.querying.trace_loader import is_chrome_json
from tp_tools.repair import OverlapOptions, analyze, rewrite
from tp_tools.repair.analysis import with_gpu_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.files import Source
    from tp_tools.progress import Reporter
    from tp_tools.repair import Analysis

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_START_BYTES = 1 << 20
"""Bytes at the beginning of a file that are shown to TraceProcessor to recognize its format."""

_SUFFIXES = (".gz", ".zst", ".json", ".pftrace", ".perfetto-trace", ".sqlite")


class ViewFile(Struct, frozen=True):
    """The file for the UI.

    Attributes:
        path: the trace itself if it needs no repair, else a repaired or recompressed copy.
        name: title of the trace in the UI.
        analysis: the trace and its repair; None if it was not analyzed.
    """

    path: Path
    name: str
    analysis: Analysis | None


class ViewOptions(Struct, frozen=True):
    """Options of `prepare_view`.

    Attributes:
        folder: folder for a copy, if one is needed.
        raw: whether to show Chrome JSON without repair.
        engine: name of the TraceProcessor that finds overlaps; None for the default.
    """

    folder: Path
    raw: bool = False
    engine: str | None = None


def prepare_view(source: Source, options: ViewOptions, reporter: Reporter = SILENT) -> ViewFile:
    """Make a file that the UI reads: the trace itself, or a repaired or recompressed copy.

    Args:
        source: the trace.
        options: how to make the file.
        reporter: receives the stages of the work, and notes.

    Raises:
        InputError: the file is not a trace, or is damaged.
        EngineError: TraceProcessor failed.
        OutputError: the disk is too full for the copy.
    """
    if not is_chrome_json(source):
        _check_is_trace(source, reporter)
    elif not options.raw:
        return _repair(source, options, reporter)
    return _without_repair(source, options, None, reporter)


def _repair(source: Source, options: ViewOptions, reporter: Reporter) -> ViewFile:
    """Write a repaired copy, or return the trace itself if it needs no repair."""
    overlap_options = OverlapOptions(engine=options.engine)
    with batch_pool(source, reading_jobs()) as pool:
        result = with_gpu_names(analyze(source, overlap_options, reporter, pool))
        for line in metadata(result.trace).notes:
            reporter.note(f"{source.name}: {line}")
        if not result.is_sound():
            copy = options.folder / f"{_stem(source)}.fixed.json.gz"
            with reporter.stage(f"repairing {source.name}", source.size()) as stage:
                blocks = rewrite(source, result, stage, pool=pool, packed=True)
                _write(copy, blocks, packed=True)
            return ViewFile(copy, copy.name, result)
    return _without_repair(source, options, result, reporter)


def _without_repair(
    source: Source, options: ViewOptions, analysis: Analysis | None, reporter: Reporter
) -> ViewFile:
    """Return the trace itself, or a copy if it is zstd or an export, which the UI does not read."""
    if _is_zstd(source):
        copy = options.folder / f"{_name(source).removesuffix('.zst')}.gz"
    elif is_database(source):
        copy = options.folder / f"{_stem(source)}.json.gz"
    else:
        return ViewFile(source.path.absolute(), _name(source), analysis)
    with reporter.stage(f"repacking {source.name}", source.size()) as stage:
        _write(copy, source.blocks(stage))
    return ViewFile(copy, copy.name, analysis)


def _check_is_trace(source: Source, reporter: Reporter) -> None:
    """Let TraceProcessor recognize the format, one of some twenty, by the beginning of the file.

    Raises:
        InputError: TraceProcessor does not know the format.
    """
    start = next(source.blocks() if _is_zstd(source) else source.raw(), b"")[:_START_BYTES]
    try:
        engine.load([start], source=source.name, engine="embedded", allow_loss=True).close()
    except InputError as error:
        refuse_unknown(source.name, error)  # other errors are due to the missing end
    if start[:1] == bytes([PACKET]):
        packets = Packets()
        deque(packets.watched(source.blocks()), maxlen=0)
        packets.tell(source.name, reporter)


def _write(copy: Path, blocks: Iterable[bytes], *, packed: bool = False) -> None:
    try:
        with output.written(str(copy), blocks, packed=packed):
            pass
    except OutputError as error:
        raise OutputError(
            f"{error} It is a temporary copy: name a folder with more room with --tmp, "
            "or give --raw."
        ) from error


def _is_zstd(source: Source) -> bool:
    """Check for zstd, which TraceProcessor reads since v58 only."""
    return next(source.raw(), b"").startswith(_ZSTD_MAGIC)


def _name(source: Source) -> str:
    return "stdin" if source.name == "-" else Path(source.name).name


def _stem(source: Source) -> str:
    name = _name(source)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name
