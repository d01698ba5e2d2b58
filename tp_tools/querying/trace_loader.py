"""Opens a trace for questions: repaired, and with the events that the questions need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tp_tools import engine
from tp_tools.chrome.batches import split_text
from tp_tools.chrome.file_damage import damage
from tp_tools.chrome.schema import DECODER
from tp_tools.engine.unread import refuse_unknown
from tp_tools.errors import InputError
from tp_tools.files.source import BLOCK
from tp_tools.progress import BUILDING, silent
from tp_tools.repair import analysis
from tp_tools.repair.overlaps import OverlapOptions
from tp_tools.writing.json import writer as json_writer
from tp_tools.writing.select import select_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.engine.processor import Processor
    from tp_tools.files.source import Source
    from tp_tools.progress import Progress
    from tp_tools.trace.model import Trace

LARGE = 256 << 20
"""Bytes of JSON above which a query gets only the events that it needs. Below, everything is
loaded, so that ids of slices and tracks are those that the viewer shows for the repaired file."""

_ZIP = b"PK\x03\x04"
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")
_GECKO = re.compile(rb'\s*\{\s*"(?:meta|libs)"')
"""How the profiles of Firefox begin; TraceProcessor tells them from Chrome's JSON by that."""

_MARGIN = 2
"""Events that are wanted may be longer than others: kernels carry more args than Python frames."""


def _nothing(_: object) -> None:
    pass


@dataclass(frozen=True)
class LoadOptions:
    """How traces are opened.

    Attributes:
        engine: the TraceProcessor, as `engine.load` takes it; None for the default.
        raw: the file as it is, with what TraceProcessor makes of it.
        needs: what is loaded, as a query's header says; None for everything.
        needs_above: bytes of JSON up to which everything is loaded all the same.
        say: gets lines about things that take seconds.
        warn: gets lines about what was lost on loading.
        progress: shows what is done.
    """

    engine: str | None = None
    raw: bool = False
    needs: frozenset[str] | None = None
    needs_above: int = 0
    say: Callable[[str], None] = _nothing
    warn: Callable[[str], None] = _nothing
    progress: Progress = silent


def load_trace(source: Source, how: LoadOptions) -> Processor:
    """A TraceProcessor that holds the trace; to be closed after use.

    Chrome JSON is loaded as `tp-tools fix` would write it, so nothing of it is missing. Anything
    else that TraceProcessor reads is loaded as it is; what it loses of that is warned about.

    Args:
        source: the file.
        how: how it is opened.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor failed.
    """
    load = partial(engine.load, source=source.name, engine=how.engine, say=how.say)
    doing = f"loading {source.name}"
    if not is_chrome_json(source) or how.raw:
        with how.progress(doing, source.size(), BUILDING) as seen:
            try:
                with engine.doubted(partial(_refuse_damaged, source)):
                    tp = load(_as_it_is(source, seen), allow_loss=True)
            except InputError as error:
                refuse_unknown(source.name, error)
                raise
        if lost := _losses(tp):
            how.warn(f"{source.name}: TraceProcessor lost data on loading: {lost}.")
        return tp
    examined = analysis.analyze(
        source, OverlapOptions(engine=how.engine, say=how.say), how.progress
    )
    damage(examined.trace, source).tell(source.name, how.warn, how.say)
    keep = None
    if how.needs is not None and _bytes_of(examined.trace) > how.needs_above:
        keep = select_events(examined.trace, examined.table, how.needs)
    with how.progress(doing, source.size(), BUILDING) as seen:
        blocks = json_writer.rewrite(source, examined.trace, examined.plan, seen, keep=keep)
        tp = load(blocks, size=_size(examined.trace, keep))
    if lost := _losses(tp):
        how.warn(f"{source.name}: no slice is lost, but not all arrows or ends count: {lost}.")
    return tp


def _losses(tp: Processor) -> str:
    """What TraceProcessor lost on loading, by its own names."""
    return ", ".join(f"{count} x {name}" for name, count in engine.losses(tp).items())


def is_chrome_json(source: Source) -> bool:
    """Whether the file is what `tp-tools fix` repairs, by its first bytes.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    if _is_zip(source):
        return False
    start = next(source.blocks())
    return _JSON.match(start) is not None and _GECKO.match(start) is None


def _refuse_damaged(source: Source) -> None:
    """Reads Chrome JSON strictly: v52 is never done with metadata whose args are no JSON.

    Raises:
        InputError: it is damaged.
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
    """Whether it is an archive, which TraceProcessor opens and `Source` does not."""
    try:
        with source.path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False  # whoever reads it will say why


def _as_it_is(source: Source, seen: Callable[[int], None]) -> Iterator[bytes]:
    """The file, decompressed: TraceProcessor knows zstd since v58 only."""
    if not _is_zip(source):
        yield from source.blocks(seen)
        return
    with source.path.open("rb") as file:
        while block := file.read(BLOCK):
            seen(len(block))
            yield block


def _bytes_of(trace: Trace) -> int:
    return sum(span.length for span in trace.batches)


def _size(trace: Trace, keep: NDArray[np.bool_] | None) -> int:
    """Bytes of JSON that will be loaded, about, and rather too many."""
    total = _bytes_of(trace)
    if keep is None or not len(trace):
        return total
    return min(total, _MARGIN * total * int(keep.sum()) // len(trace))
