"""Write a repaired trace as a stream of TrackEvent packets.

Everything that columns tell is written before the text is read again: clock, names, tracks, all
ENDs. Then follow, batch by batch, the BEGINs and INSTANTs with their args. TraceProcessor sorts
the packets by time. Source of the format: perfetto, protos/perfetto/trace (v52.0 to v58.2).
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from isal import isal_zlib

from tp_tools.chrome import reread
from tp_tools.progress import SILENT
from tp_tools.writing.pftrace import header, wire
from tp_tools.writing.pftrace.batches import BatchPackets
from tp_tools.writing.pftrace.layout import lay_out
from tp_tools.writing.pftrace.options import PftraceOptions
from tp_tools.writing.pftrace.ordering import DeferredPackets
from tp_tools.writing.pftrace.packets import Packets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.files import Source
    from tp_tools.progress import Reporter
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.merged import MergedRank

ALONE = PftraceOptions()
"""Options of a trace that is the only one of its file."""

_COMPRESSED_SIZE = 1 << 20  # bytes of packets compressed together, at least
_LEVEL = 1  # isal's levels are 0 to 3


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
) -> Iterator[bytes]:
    """Write the repaired trace as `.pftrace`.

    Args:
        source: the file that `trace` was read from; it is read again.
        trace: its columns.
        table: its slices, with recorded ends.
        plan: the changes.
        options: place of the trace among the traces of the file, and how to show lanes.
        reporter: receives the number of bytes read from disk.
        keep: bool (events,), the events to write; None for all of them.
        merged: what differs where the trace is one rank of a merged trace.

    Returns:
        Blocks of whole packets.

    Raises:
        InputError: the file changed since it was read, or its base time cannot be moved.
    """
    blocks = _blocks(
        source, lay_out(trace, table, plan, options, keep=keep, merged=merged), reporter
    )
    return _compress(blocks) if options.compressed else blocks


def _blocks(source: Source, layout: Layout, reporter: Reporter) -> Iterator[bytes]:
    """Yield blocks of packets, uncompressed."""
    trace, options, tracks = layout.trace, layout.options, layout.tracks
    merged = layout.merged
    members = header.fields(trace, layout.plan.rebase_ns) if merged is None else merged.members
    base = header.base_time(members, layout.first_ns)
    yield from header.opening(trace, options, layout.first_ns, base)
    yield tracks.drained(options)
    packets = Packets(layout)
    yield from packets.ends()
    with closing(DeferredPackets()) as deferred:
        batches = BatchPackets(layout, packets, deferred)
        for number, (batch, text) in enumerate(reread.batch_texts(source, trace, reporter)):
            yield from batches.packets(number, batch, text, source)
        yield from deferred.in_order()
    batches.other_events.describe_async_tracks()
    uuid = tracks.new(name=wire.text(2, header.HEADER_NAME))
    yield tracks.drained(options)
    yield header.closing(options, uuid, layout.first_ns, members, batches.metadata)


def _compress(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Put packets into compressed ones, in a thread, while this one makes the next packets.

    Field: TracePacket.compressed_packets, zlib (v52 to v58).

    Args:
        blocks: blocks of whole packets.
    """
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[bytes]] = deque()
        for group in _join_small(blocks):
            waiting.append(thread.submit(_compressed_packet, group))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _join_small(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Group blocks so that each group but the last has at least _COMPRESSED_SIZE bytes."""
    group: list[bytes] = []
    size = 0
    for block in blocks:
        group.append(block)
        size += len(block)
        if size >= _COMPRESSED_SIZE:
            yield group
            group, size = [], 0
    if size:
        yield group


def _compressed_packet(blocks: list[bytes]) -> bytes:
    return wire.message(1, wire.message(50, isal_zlib.compress(b"".join(blocks), _LEVEL)))
