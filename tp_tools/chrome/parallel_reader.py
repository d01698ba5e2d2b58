"""Read a trace with several processes: one unpacks and cuts the text, all decode batches.

The text is cut at the likely end of each batch. A cut is right if every batch before it decodes as
whole events, so once all batches are decoded the cuts are proved as if one process had read the
file. If a batch does not decode or needs a repair, the result is dropped: one process reads the
trace again, repairs it or reports the error.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.chrome.batch_columns import columns_of
from tp_tools.chrome.batches import BatchText, last_batch, likely_cut
from tp_tools.chrome.envelope import read_head, read_tail
from tp_tools.chrome.refused import check_accepted
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.sanitize_numbers import holds_long
from tp_tools.chrome.schema import DECODER, UNDECODABLE
from tp_tools.chrome.stream import TextStream, lead_of
from tp_tools.chrome.trace_builder import TraceBuilder
from tp_tools.errors import InputError
from tp_tools.processes import open_pool
from tp_tools.processes.local import usual_jobs
from tp_tools.processes.pool import ALONE
from tp_tools.processes.worker import TextCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.chrome.batch_columns import Columns
    from tp_tools.files import Source
    from tp_tools.processes import Pool
    from tp_tools.processes.worker import Call
    from tp_tools.progress import Reporter
    from tp_tools.trace.model import Head, Tail


WORTH_IT = {".gz": 2 << 20, ".zst": 2 << 20}
"""Bytes of a file, by suffix, from which a second process saves more time than it takes."""

WORTH_IT_PLAIN = 24 << 20
"""The same for files that are not compressed."""

MOST_READERS = 4
"""Most processes that read a trace; more save no time, since one unpacks and cuts for all."""


def reading_jobs() -> int:
    """Return the default number of processes that read a trace: the cores, up to `MOST_READERS`."""
    return min(usual_jobs(), MOST_READERS)


@contextmanager
def batch_pool(source: Source, jobs: int, least: int | None = None) -> Iterator[Pool]:
    """Open a pool for the batches of a trace, while the block runs.

    Args:
        source: the trace; this process reads a small trace alone.
        jobs: number of processes, this one included.
        least: bytes of a file from which other processes help; None for `WORTH_IT` by its suffix.

    Yields:
        The pool; `ALONE` for a small trace.
    """
    if least is None:
        least = WORTH_IT.get(source.path.suffix, WORTH_IT_PLAIN)
    if jobs == 1 or source.size() < least:
        yield ALONE
        return
    with open_pool(jobs - 1) as pool:
        yield pool


class Ending(Struct, frozen=True):
    """The text around the batches of a trace.

    Attributes:
        head, tail: the text before and behind the events.
        repairs: counts of repairs of the text, by kind.
    """

    head: Head
    tail: Tail
    repairs: Counter[str]


def read_batch(text: bytes, *, is_first: bool = False) -> Columns | None:
    """Decode a batch.

    Args:
        text: the text of the batch, with the separator before it.
        is_first: whether no event precedes the batch.

    Returns:
        The columns of its events; None if the text needs a repair or does not decode.
    """
    if not (_is_plain(text) or _needs_no_repair(text)):
        return None
    lead = 0 if is_first else lead_of(text)
    try:
        events = DECODER.decode(b"".join((b"[", memoryview(text)[lead:], b"]")))
        check_accepted(text, events, "")
        return columns_of(BatchText(text, events), 0, "")
    except (InputError, *UNDECODABLE):
        return None  # one process reads the whole trace and reports the error


def _is_plain(text: bytes) -> bool:
    """Tell by quick checks whether a text needs no repair, though it may be invalid JSON."""
    return text.isascii() and b"\\" not in text and not holds_long(text)


def _needs_no_repair(text: bytes) -> bool:
    """Tell whether sanitizing leaves a text as it is, though it may be invalid JSON."""
    return b"".join(sanitized((text,), Counter(), words=False)) == text


def read_together(
    source: Source, pool: Pool, reporter: Reporter
) -> tuple[TraceBuilder, Ending] | None:
    """Read a trace with the processes of a pool.

    Args:
        source: the file; its attributes `stamp` and `truncated` are set by the reading.
        pool: processes that decode batches.
        reporter: receives the number of bytes read from disk, block by block.

    Returns:
        The columns of all batches and the text around them; None if one process must read it.
    """
    stream = TextStream(source.blocks(reporter), source.name, source.sizes.batch)
    builder = TraceBuilder(source.sizes)
    try:
        head = read_head(stream)
        with closing(pool.map_ordered(_calls(stream))) as batches:
            for batch in batches:
                if batch is None:
                    return None
                builder.add(batch)
        last = last_batch(stream, DECODER)
        tail = read_tail(stream, head)
        if tail.lost or not all(map(_needs_no_repair, (head.text, last.text, tail.text))):
            return None
        builder.add(columns_of(last, 0, source.name))
    except (InputError, RecursionError):
        return None
    return builder, Ending(head, tail, Counter())


def _calls(stream: TextStream) -> Iterator[Call[Columns | None]]:
    """Yield a call that decodes each batch but the last one."""
    while (cut := likely_cut(stream)) is not None:
        is_first = not stream.separated
        text = stream.take(cut)
        stream.separated = True
        yield TextCall(partial(read_batch, is_first=is_first), text)
