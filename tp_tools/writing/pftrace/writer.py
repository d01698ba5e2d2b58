"""Write a repaired trace as a stream of TrackEvent packets.

Everything that columns tell is written before the text is read again: clock, names, tracks, all
ENDs. Then follow, batch by batch, the BEGINs and INSTANTs with their args. TraceProcessor sorts
the packets by time. Source of the format: perfetto, protos/perfetto/trace (v52.0 to v58.2).
"""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

from tp_tools.chrome import reread
from tp_tools.processes.pool import ALONE as THIS_PROCESS
from tp_tools.progress import SILENT
from tp_tools.writing.pftrace import header, wire
from tp_tools.writing.pftrace.batches import BatchPackets
from tp_tools.writing.pftrace.compression import LEAST, compressed
from tp_tools.writing.pftrace.layout import lay_out
from tp_tools.writing.pftrace.options import PftraceOptions
from tp_tools.writing.pftrace.ordering import DeferredPackets

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.files import Source
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.writing.pftrace.compression import Block
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.merged import MergedRank

ALONE = PftraceOptions()
"""Options of a trace that is the only one of its file."""


def rewrite(
    source: Source,
    trace: Trace,
    table: Slices,
    plan: Plan,
    *,
    options: PftraceOptions = ALONE,
    reporter: Reporter = SILENT,
    keep: NDArray[np.bool_] | None = None,
    merged: MergedRank | None = None,
    pool: Pool = THIS_PROCESS,
    least: int = LEAST,
) -> Iterator[bytes]:
    """Write the repaired trace as `.pftrace`; any number of processes gives the same bytes.

    Args:
        source: the file that `trace` was read from; it is read again.
        trace: its columns.
        table: its slices, with recorded ends.
        plan: the changes.
        options: place of the trace among the traces of the file, and how to show lanes.
        reporter: receives the number of bytes read from disk.
        keep: bool (events,), the events to write; None for all of them.
        merged: what differs where the trace is one rank of a merged trace.
        pool: processes that encode batches together.
        least: bytes of packets from which a block is compressed by itself.

    Returns:
        Blocks of whole packets.

    Raises:
        InputError: the file changed since it was read, or its base time cannot be moved.
    """
    layout = lay_out(trace, table, plan, options, keep=keep, merged=merged)
    if options.compressed:
        return compressed(_blocks(source, layout, reporter, pool, least), least)
    return _packets(_blocks(source, layout, reporter, pool, None))


def _blocks(
    source: Source, layout: Layout, reporter: Reporter, pool: Pool, least: int | None
) -> Iterator[Block]:
    """Yield blocks of packets; workers compress those of `least` bytes, unless it is None.

    Alone, `compressed` does so in a thread.
    """
    trace, options, tracks = layout.trace, layout.options, layout.tracks
    merged = layout.merged
    members = header.fields(trace, layout.plan.rebase_ns) if merged is None else merged.members
    base = header.base_time(members, layout.first_ns)
    yield from header.opening(trace, options, layout.first_ns, base)
    yield tracks.drained(options)
    with closing(DeferredPackets()) as deferred:
        batches = BatchPackets(layout, deferred, source.name, least if pool.size > 1 else None)
        texts = reread.batch_texts(source, trace, reporter)
        with closing(pool.map_ordered(chain(batches.ends(), batches.begins(texts)))) as made:
            yield from made
        yield from deferred.in_order()
    batches.other_events.describe_async_tracks()
    uuid = tracks.new(name=wire.text(2, header.HEADER_NAME))
    yield tracks.drained(options)
    yield header.closing(options, uuid, layout.first_ns, members, batches.metadata)


def _packets(blocks: Iterator[Block]) -> Iterator[bytes]:
    """Yield blocks of which none is compressed."""
    for block in blocks:
        assert isinstance(block, bytes)
        yield block
