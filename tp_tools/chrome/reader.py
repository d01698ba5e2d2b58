"""Reads a trace once, as a stream, into columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.batch_columns import columns_of
from tp_tools.chrome.batches import BatchText, split_text
from tp_tools.chrome.damage import Losses
from tp_tools.chrome.parallel_reader import Ending, read_together
from tp_tools.chrome.refused import check_accepted
from tp_tools.chrome.salvage import salvaged
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.schema import DECODER
from tp_tools.chrome.stream import SPACE, Malformed
from tp_tools.chrome.trace_builder import TraceBuilder
from tp_tools.columns import blocks
from tp_tools.errors import InputError
from tp_tools.files.read_ahead import read_ahead
from tp_tools.processes.pool import ALONE
from tp_tools.trace.model import UNTIMED, Head, Tail, is_phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.files.source import Source
    from tp_tools.processes.pool import Pool
    from tp_tools.trace.model import TextDamage, Trace

_DAY_NS = 86_400 * 10**9
_NEVER = (1 << 63) - 1


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
    """Reads with every token mended, and, if that is not enough, without what is damaged."""
    try:
        return _read(source, _not_again)
    except Malformed:
        pass
    try:
        return _read(source, _not_again, thorough=True)
    except Malformed as error:
        refusal = error
    losses = Losses()
    try:
        trace = _read(source, _not_again, losses=losses)
    except InputError:
        raise refusal from None
    if not (is_phase(trace, "M") | (trace.ts != UNTIMED)).any():
        raise refusal
    return trace


def _not_again(_size: int) -> None:
    """Bytes that were read before count no more."""


def _read(
    source: Source,
    seen: Callable[[int], None],
    *,
    thorough: bool = False,
    words: bool = True,
    losses: Losses | None = None,
) -> Trace:
    """Reads the whole file; with `losses`, which notes them, without what is damaged in it."""
    repairs: Counter[str] = Counter() if losses is None else losses.repairs
    collected = TraceBuilder()
    head, tail = Head(b""), Tail(b"")
    blocks = read_ahead(source.blocks(seen))
    if losses is not None:
        blocks = salvaged(blocks, losses)
    text = sanitized(blocks, repairs, thorough=thorough, words=words)
    for part in split_text(text, DECODER, source.name):
        if isinstance(part, BatchText):
            check_accepted(part.text, source.name, thorough=thorough)
            collected.add(columns_of(part, collected.count, source.name))
        elif isinstance(part, Head):
            head = part
        else:
            tail = part
    ending = Ending(head, tail, repairs)
    damage = None if losses is None else losses.first
    return _trace(source, collected, ending, thorough=thorough, damage=damage)


def _trace(
    source: Source,
    collected: TraceBuilder,
    ending: Ending,
    *,
    thorough: bool = False,
    damage: list[TextDamage] | None = None,
) -> Trace:
    head, tail, repairs = ending.head, ending.tail, ending.repairs
    if tail.cut_short or source.truncated:
        repairs["truncated_tail"] += 1
    elif tail.lost:
        repairs["trailing_text"] += 1
    trace = collected.trace(head, tail, repairs, thorough=thorough, damage=damage)
    _leave_out_unfilled(trace)
    if (
        head.text.lstrip(SPACE)[:1] == b"["
        and not (is_phase(trace, "M") | (trace.ts != UNTIMED)).any()
    ):
        raise InputError(
            f"{source.name}: holds no events. Was the profiler stopped before it recorded?"
        )
    return trace


def _leave_out_unfilled(trace: Trace) -> None:
    """Takes events at time 0, among others that are later than a day, for ones without a time.

    A profiler that never filled a record in leaves 0 there; no trace lasts from 1970 until now, or
    from the moment that Kineto counts from until days later.
    """
    zero, later = [], _NEVER
    for here in blocks(len(trace)):
        ts = trace.ts[here]
        timed = (ts != UNTIMED) & (trace.phase[here] != ord("M"))
        zero.append(np.flatnonzero(timed & (ts == 0)) + here.start)
        later = int(ts.min(where=timed & (ts != 0), initial=later))
    unfilled = np.concatenate([np.empty(0, np.int64), *zero])
    if len(unfilled) and _DAY_NS < later < _NEVER:
        trace.ts[unfilled] = UNTIMED
        trace.repairs["unfilled_times"] += len(unfilled)
