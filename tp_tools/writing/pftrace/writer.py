"""A repaired trace as a stream of TrackEvent packets.

All that columns say is written before the text is read again: clock, names, tracks, every END.
Then, run by run, the BEGINs and INSTANTs with their args. Packets are sorted by their reader.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from tp_tools.chrome import reread
from tp_tools.writing.pftrace import header, wire
from tp_tools.writing.pftrace.batches import BatchPackets
from tp_tools.writing.pftrace.compressed import compressed
from tp_tools.writing.pftrace.deferred import DeferredPackets
from tp_tools.writing.pftrace.layout import lay_out
from tp_tools.writing.pftrace.options import PftraceOptions
from tp_tools.writing.pftrace.packets import Packets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.files.source import Source
    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices
    from tp_tools.writing.pftrace.layout import Layout

ALONE = PftraceOptions()
"""A trace that has the file to itself."""


def rewrite(
    source: Source,
    trace: Trace,
    table: Slices,
    plan: Plan,
    *,
    options: PftraceOptions = ALONE,
    seen: Callable[[int], None] = lambda _: None,
    keep: NDArray[np.bool_] | None = None,
) -> Iterator[bytes]:
    """The repaired trace as `.pftrace`, block by block; each block holds whole packets.

    Args:
        source: the file that `trace` was read from; it is read again.
        trace: its columns.
        table: its slices, with recorded ends.
        plan: what to change.
        part: where it stands among other traces of the file, and how it is to look.
        seen: told bytes read from disk, as they are.
        keep: which events are wanted, one flag per event; None is all of them.

    Raises:
        InputError: the file changed meanwhile, or its base time cannot be moved.
    """
    blocks = _blocks(source, lay_out(trace, table, plan, options, keep), seen)
    return compressed(blocks) if options.compressed else blocks


def _blocks(source: Source, shot: Layout, seen: Callable[[int], None]) -> Iterator[bytes]:
    trace, part, tracks = shot.trace, shot.part, shot.tracks
    members = header.fields(trace, shot.plan.rebase_ns)
    base = header.base_time(members, shot.first_ns)
    yield from header.opening(trace, part, shot.first_ns, base)
    yield tracks.drained(part)
    packets = Packets(shot)
    yield from packets.ends()
    with closing(DeferredPackets()) as late:
        runs = BatchPackets(shot, packets, late)
        for number, (span, text) in enumerate(reread.batch_texts(source, trace, seen)):
            yield from runs.packets(number, span, text, source)
        yield from late.in_order()
    runs.loose.describe_stacks()
    uuid = tracks.new(name=wire.text(2, header.HEADER_NAME))
    yield tracks.drained(part)
    yield header.closing(part, uuid, shot.first_ns, members, runs.metadata)
