"""A trace as a file that the Perfetto UI can read, and that shows all of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools import engine
from tp_tools.chrome.parallel_reader import batch_pool, reading_jobs
from tp_tools.engine.unread import refuse_unknown
from tp_tools.errors import InputError, OutputError
from tp_tools.files import output
from tp_tools.progress import silent
from tp_tools.querying.trace_loader import is_chrome_json
from tp_tools.repair import analysis
from tp_tools.repair.overlaps import OverlapOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tp_tools.files.source import Source
    from tp_tools.progress import Progress
    from tp_tools.repair.analysis import Analysis

_ZSTD = b"\x28\xb5\x2f\xfd"
_START = 1 << 20
_SUFFIXES = (".gz", ".zst", ".json", ".pftrace", ".perfetto-trace")


@dataclass(frozen=True)
class ViewFile:
    """What the UI is given.

    Attributes:
        path: the file: the trace itself where it is sound, else a repaired or repacked copy.
        name: what the UI calls it.
        examined: the trace, and what was repaired; None if it was not looked into.
    """

    path: Path
    name: str
    examined: Analysis | None


@dataclass(frozen=True)
class ViewOptions:
    """How a trace is made viewable.

    Attributes:
        folder: where a copy goes if there has to be one.
        raw: take Chrome JSON as it is, too.
        engine: the TraceProcessor that decides about overlaps; None for the default.
        say: gets lines about things that take seconds.
        progress: shows what is done.
    """

    folder: Path
    raw: bool = False
    engine: str | None = None
    say: Callable[[str], None] = lambda _: None
    progress: Progress = silent


def prepare_view(source: Source, how: ViewOptions) -> ViewFile:
    """The trace, repaired if it needs that.

    Raises:
        InputError: the file is no trace, or cannot be used.
        EngineError: TraceProcessor could not answer.
        OutputError: there is no room for the copy.
    """
    if not is_chrome_json(source):
        _check_is_trace(source)
    elif not how.raw:
        return _repaired(source, how)
    return _as_it_is(source, how, None)


def _repaired(source: Source, how: ViewOptions) -> ViewFile:
    """A repaired copy, or the trace itself if it is sound."""
    options = OverlapOptions(engine=how.engine, say=how.say)
    with batch_pool(source, reading_jobs()) as pool:
        examined = analysis.analyze(source, options, how.progress, pool)
        if not examined.is_sound():
            copy = how.folder / f"{_stem(source)}.fixed.json.gz"
            with how.progress(f"repairing {source.name}", source.size()) as seen:
                blocks = analysis.rewrite(source, examined, seen, pool=pool, packed=True)
                _write(copy, blocks, packed=True)
            return ViewFile(copy, copy.name, examined)
    return _as_it_is(source, how, examined)


def _as_it_is(source: Source, how: ViewOptions, examined: Analysis | None) -> ViewFile:
    """The trace itself, repacked where the UI cannot read how it is packed."""
    if not _is_zstd(source):
        return ViewFile(source.path.absolute(), _name(source), examined)
    copy = how.folder / f"{_name(source).removesuffix('.zst')}.gz"
    with how.progress(f"repacking {source.name}", source.size()) as seen:
        _write(copy, source.blocks(seen))
    return ViewFile(copy, copy.name, examined)


def _check_is_trace(source: Source) -> None:
    """Shows its beginning to TraceProcessor, which knows some twenty formats by it.

    Raises:
        InputError: it knows none.
    """
    with source.path.open("rb") as file:
        start = file.read(_START)
    if _is_zstd(source):
        start = next(source.blocks())
    try:
        engine.load([start], source=source.name, engine="embedded", allow_loss=True).close()
    except InputError as error:
        refuse_unknown(source.name, error)  # the beginning alone may well be called broken


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
    """Whether it is packed as TraceProcessor reads since v58 only."""
    with source.path.open("rb") as file:
        return file.read(len(_ZSTD)) == _ZSTD


def _name(source: Source) -> str:
    return "stdin" if source.name == "-" else Path(source.name).name


def _stem(source: Source) -> str:
    name = _name(source)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name
