"""Read a Chrome JSON trace, as a stream, into columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.batch_columns import columns_of
from tp_tools.chrome.batches import BatchText, split_text
from tp_tools.chrome.damage import Losses
from tp_tools.chrome.parallel_reader import Ending, read_together
from tp_tools.chrome.refused import check_accepted
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.schema import DECODER
from tp_tools.chrome.stream import SPACE, Malformed
from tp_tools.chrome.trace_builder import TraceBuilder
from tp_tools.columns import blocks
from tp_tools.errors import InputError
from tp_tools.files.read_ahead import read_ahead
from tp_tools.processes.pool import ALONE
from tp_tools.progress import SILENT
from tp_tools.trace.model import UNTIMED, Head, Tail, is_phase
from tp_tools.trace.points import with_points

if TYPE_CHECKING:
    from tp_tools.files import Source
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.trace import Trace
    from tp_tools.trace.model import TextDamage

_DAY_NS = 86_400 * 10**9
_NEVER = (1 << 63) - 1


def read(source: Source, reporter: Reporter = SILENT, pool: Pool = ALONE) -> Trace:
    """Read a trace as a stream; read it again if its text needs more thorough repairs.

    Args:
        source: the file.
        reporter: receives the number of bytes read from disk, block by block.
        pool: processes that read a large trace together.

    Returns:
        The columns of its events, and the text around them.

    Raises:
        InputError: the file is not a Chrome JSON trace, or nothing in it can be salvaged.
    """
    if pool.size > 1:
        together = read_together(source, pool, reporter)
        if together is not None:
            return _trace(source, *together)
        reporter = SILENT  # its bytes are counted
    try:
        return _read(source, reporter, words=False)
    except Malformed:
        return _read_carefully(source)


def _read_carefully(source: Source) -> Trace:
    """Read with words sanitized, else with all tokens sanitized, else without damaged text."""
    try:
        return _read(source, SILENT)
    except Malformed:
        pass
    try:
        return _read(source, SILENT, thorough=True)
    except Malformed as error:
        refusal = error
    losses = Losses()
    try:
        trace = _read(source, SILENT, losses=losses)
    except InputError:
        raise refusal from None
    if not (is_phase(trace, "M") | (trace.ts != UNTIMED)).any():
        raise refusal
    return trace


def _read(
    source: Source,
    reporter: Reporter,
    *,
    thorough: bool = False,
    words: bool = True,
    losses: Losses | None = None,
) -> Trace:
    """Read the whole file; with `losses`, leave damaged text out and record it there."""
    repairs: Counter[str] = Counter() if losses is None else losses.repairs
    builder = TraceBuilder(source.sizes)
    head, tail = Head(b""), Tail(b"")
    blocks = read_ahead(source.blocks(reporter))
    if losses is not None:
        from tp_tools.chrome.salvage import salvaged  # noqa: PLC0415  only for damaged text

        blocks = salvaged(blocks, losses)
    text = sanitized(blocks, repairs, thorough=thorough, words=words, name=source.name)
    for part in split_text(text, DECODER, source.name, source.sizes.batch):
        if isinstance(part, BatchText):
            check_accepted(part.text, part.events, source.name, thorough=thorough)
            builder.add(columns_of(part, builder.count, source.name))
        elif isinstance(part, Head):
            head = part
        else:
            tail = part
    ending = Ending(head, tail, repairs)
    damage = None if losses is None else losses.first
    return _trace(source, builder, ending, thorough=thorough, damage=damage)


def _trace(
    source: Source,
    builder: TraceBuilder,
    ending: Ending,
    *,
    thorough: bool = False,
    damage: list[TextDamage] | None = None,
) -> Trace:
    """Build the trace and count damage at its end.

    Raises:
        InputError: the trace is an array without events.
    """
    head, tail, repairs = ending.head, ending.tail, ending.repairs
    if tail.cut_short or source.truncated:
        repairs["truncated_tail"] += 1
    elif tail.lost:
        repairs["trailing_text"] += 1
    trace = builder.trace(head, tail, repairs, thorough=thorough, damage=damage)
    _leave_out_unfilled(trace)
    if (
        head.text.lstrip(SPACE)[:1] == b"["
        and not (is_phase(trace, "M") | (trace.ts != UNTIMED)).any()
    ):
        raise InputError(
            f"{source.name}: holds no events. Was the profiler stopped before it recorded?"
        )
    return with_points(trace)


def _leave_out_unfilled(trace: Trace) -> None:
    """Mark events at time 0 as untimed if all other events are later than one day.

    A profiler leaves time 0 in a record that it never filled in. No trace lasts from 1970 until
    now, nor from the epoch of Kineto until days later.
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
