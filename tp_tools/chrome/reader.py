"""Reads a trace once, as a stream, into columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.chrome.batch_columns import columns_of
from tp_tools.chrome.batches import BatchText, split_text
from tp_tools.chrome.parallel_reader import Ending, read_together
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.schema import DECODER
from tp_tools.chrome.stream import SPACE, Malformed
from tp_tools.chrome.trace_builder import TraceBuilder
from tp_tools.errors import InputError
from tp_tools.files.read_ahead import read_ahead
from tp_tools.processes.pool import ALONE
from tp_tools.trace.model import UNTIMED, Head, Tail, is_phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.files.source import Source
    from tp_tools.processes.pool import Pool
    from tp_tools.trace.model import Trace


def read(source: Source, seen: Callable[[int], None] = lambda _: None, pool: Pool = ALONE) -> Trace:
    """Reads a trace once, as a stream; again if its text has to be mended more thoroughly.

    Args:
        source: the file.
        seen: told bytes read from disk, as they are.
        pool: processes that read a large trace together.

    Raises:
        InputError: it is no Chrome JSON trace, or damaged before its end.
    """
    if pool.size > 1:
        together = read_together(source, pool, seen)
        if together is not None:
            return _trace(source, *together)
        seen = _not_again
    try:
        return _read(source, seen, words=False)
    except Malformed:
        return _read_carefully(source)


def _read_carefully(source: Source) -> Trace:
    try:
        return _read(source, _not_again)
    except Malformed:
        return _read(source, _not_again, thorough=True)


def _not_again(_size: int) -> None:
    """Bytes that were read before count no more."""


def _read(
    source: Source, seen: Callable[[int], None], *, thorough: bool = False, words: bool = True
) -> Trace:
    repairs: Counter[str] = Counter()
    collected = TraceBuilder()
    head, tail = Head(b""), Tail(b"")
    text = sanitized(read_ahead(source.blocks(seen)), repairs, thorough=thorough, words=words)
    for part in split_text(text, DECODER, source.name):
        if isinstance(part, BatchText):
            collected.add(columns_of(part, collected.count, source.name))
        elif isinstance(part, Head):
            head = part
        else:
            tail = part
    return _trace(source, collected, Ending(head, tail, repairs), thorough=thorough)


def _trace(
    source: Source, collected: TraceBuilder, ending: Ending, *, thorough: bool = False
) -> Trace:
    head, tail, repairs = ending.head, ending.tail, ending.repairs
    if tail.cut_short or source.truncated:
        repairs["truncated_tail"] += 1
    elif tail.lost:
        repairs["trailing_text"] += 1
    trace = collected.trace(head, tail, repairs, thorough=thorough)
    if (
        head.text.lstrip(SPACE)[:1] == b"["
        and not (is_phase(trace, "M") | (trace.ts != UNTIMED)).any()
    ):
        raise InputError(
            f"{source.name}: holds no events. Was the profiler stopped before it recorded?"
        )
    return trace
