"""A trace read by several processes: one unpacks and cuts it, all of them decode runs.

A run is cut off where it most likely ends. The cut is good if every run before it decodes as whole
events, so when all runs are there, the cuts are proved as if one process had read the file. If
anything is amiss or has to be mended, or a run ends in a list of objects behind the events, nothing
is made of the runs: one process reads the trace, mends it, or says what is wrong.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tp_tools.chrome.batch_columns import columns_of
from tp_tools.chrome.batches import BatchText, last_batch, likely_cut
from tp_tools.chrome.envelope import read_head, read_tail
from tp_tools.chrome.refused import check_accepted
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.sanitize_numbers import holds_long
from tp_tools.chrome.schema import DECODER
from tp_tools.chrome.stream import TextStream, lead_of
from tp_tools.chrome.trace_builder import TraceBuilder
from tp_tools.errors import InputError
from tp_tools.processes.pool import ALONE, open_pool, usual_jobs
from tp_tools.processes.worker import TextCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.chrome.batch_columns import Columns
    from tp_tools.files.source import Source
    from tp_tools.processes.pool import Pool
    from tp_tools.processes.worker import Call
    from tp_tools.trace.model import Head, Tail


WORTH_IT = {".gz": 2 << 20, ".zst": 2 << 20}
"""Bytes of a file, by suffix, from which a second process saves more time than it takes."""

WORTH_IT_PLAIN = 24 << 20

MOST_READERS = 4
"""Processes that read a trace, at most: one unpacks and cuts for all, and more save no time."""


def reading_jobs() -> int:
    """Number of processes that read a trace, by default: one per core, up to `MOST_READERS`."""
    return min(usual_jobs(), MOST_READERS)


@contextmanager
def batch_pool(source: Source, jobs: int) -> Iterator[Pool]:
    """A pool for the batches of a trace, while the block runs.

    Args:
        source: the trace; this process reads a small one alone.
        jobs: number of processes, with this one.
    """
    least = WORTH_IT.get(source.path.suffix, WORTH_IT_PLAIN)
    if jobs == 1 or source.size() < least:
        yield ALONE
        return
    with open_pool(jobs - 1) as pool:
        yield pool


@dataclass(frozen=True)
class Ending:
    """What is known of a trace behind its last run.

    Attributes:
        head, tail: the text around the events.
        repairs: what was mended in the text.
    """

    head: Head
    tail: Tail
    repairs: Counter[str]


def read_batch(text: bytes, *, is_first: bool = False) -> Columns | None:
    """What a run says; None if anything in it is amiss.

    Args:
        text: of the run, with the separator before it.
        is_first: whether no event stands before it.
    """
    if not (_is_plain(text) or _is_sound(text)):
        return None
    lead = 0 if is_first else lead_of(text)
    try:
        events = DECODER.decode(b"".join((b"[", memoryview(text)[lead:], b"]")))
        check_accepted(text, "")
        return columns_of(BatchText(text, events), 0, "")
    except (InputError, msgspec.DecodeError, RecursionError):
        return None  # who reads the whole trace says what it is


def _is_plain(text: bytes) -> bool:
    """Whether nothing can be wrong in the text of some events but that they are no JSON."""
    return text.isascii() and b"\\" not in text and not holds_long(text)


def _is_sound(text: bytes) -> bool:
    """Whether nothing in a text has to be mended; what is no JSON is found otherwise."""
    return b"".join(sanitized((text,), Counter(), words=False)) == text


def read_together(
    source: Source, pool: Pool, seen: Callable[[int], None]
) -> tuple[TraceBuilder, Ending] | None:
    """All runs of a trace, and what stands around them; None if it must be read by one process.

    Args:
        source: the file; gets the marks of having been read.
        pool: processes that decode.
        seen: told bytes read from disk, as they are.
    """
    feed, collected = TextStream(source.blocks(seen), source.name), TraceBuilder()
    try:
        head = read_head(feed)
        with closing(pool.map_ordered(_calls(feed))) as runs:
            for run in runs:
                if run is None:
                    return None
                collected.add(run)
        last = last_batch(feed, DECODER)
        tail = read_tail(feed, head)
        if tail.lost or not all(map(_is_sound, (head.text, last.text, tail.text))):
            return None
        collected.add(columns_of(last, 0, source.name))
    except (InputError, RecursionError):
        return None
    return collected, Ending(head, tail, Counter())


def _calls(feed: TextStream) -> Iterator[Call[Columns | None]]:
    """Reads each run but the last one."""
    while (cut := likely_cut(feed)) is not None:
        is_first = not feed.separated
        text = feed.take(cut)
        feed.separated = True
        yield TextCall(partial(read_batch, is_first=is_first), text)
