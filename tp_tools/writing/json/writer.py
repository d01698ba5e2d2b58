"""Carry out a plan on Chrome JSON: rewrite the events it names, copy all other bytes."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from tp_tools.chrome import reread
from tp_tools.chrome.sanitize import encoded
from tp_tools.files import gzip_parts
from tp_tools.processes.pool import ALONE
from tp_tools.processes.worker import TextCall
from tp_tools.progress import SILENT
from tp_tools.writing.json.apply import write_batch
from tp_tools.writing.json.base_time import rebased
from tp_tools.writing.json.edits import PlanEdits
from tp_tools.writing.json.few_args import FewArgs
from tp_tools.writing.json.strict import check_events, check_object, checks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.files import Source
    from tp_tools.files.gzip_parts import GzipPart
    from tp_tools.processes import Pool
    from tp_tools.processes.worker import Call
    from tp_tools.progress import Reporter
    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Batch, Scalar


def rewrite(
    source: Source,
    trace: Trace,
    plan: Plan,
    reporter: Reporter = SILENT,
    *,
    keep: NDArray[np.bool_] | None = None,
    args: Iterable[str] | None = None,
    pool: Pool = ALONE,
    packed: bool = False,
) -> Iterator[bytes]:
    """Write the repaired trace as Chrome JSON, block by block.

    Args:
        source: the file that `trace` was read from; it is read again.
        trace: its columns.
        plan: the repairs.
        reporter: receives the number of bytes read from disk.
        keep: bool (events,), the events to write; None for all.
        args: names of the args to write; None for all.
        pool: processes that write together.
        packed: whether to compress as gzip; any number of processes gives the same bytes.

    Raises:
        InputError: the file changed since it was read, or its base time is no integer.
        VerificationError: Perfetto would refuse a text that is new.
    """
    edits, few_args = PlanEdits(trace, plan, keep), None if args is None else FewArgs(args)
    parts = _parts(source, edits, reporter, pool, few_args, packed=packed)
    with checks_of(source.name):
        yield from gzip_parts.gzip(parts) if packed else gzip_parts.text(parts)


def _parts(
    source: Source,
    edits: PlanEdits,
    reporter: Reporter,
    pool: Pool,
    few_args: FewArgs | None,
    *,
    packed: bool,
) -> Iterator[GzipPart]:
    """Write head, batches, new metadata events and tail, each compressed if `packed`."""
    trace, plan = edits.trace, edits.plan
    shift = plan.retimed.shift_ns if plan.retimed else plan.rebase_ns
    head, tail = rebased(trace.head.text, trace.tail.text, shift)
    if shift:
        check_object(head + tail)
    yield head
    calls = _calls(reread.batch_texts(source, trace, reporter), edits, few_args, packed=packed)
    with closing(pool.map_ordered(calls)) as batches:
        for batch in batches:
            if batch is None:
                raise reread.file_changed(source)
            yield batch
    added = b",\n".join(_metadata(plan))
    check_events([added] if added else [])
    if added:
        yield (b",\n" if any(map(edits.keeps_any, trace.batches)) else b"") + added
    yield tail


def _calls(
    texts: Iterable[tuple[Batch, bytes]],
    edits: PlanEdits,
    few_args: FewArgs | None,
    *,
    packed: bool,
) -> Iterator[Call[GzipPart | None]]:
    """Make a call of `write_batch` for each batch that keeps an event."""
    is_first = True
    for batch, text in texts:
        if batch.count and not edits.keeps_any(batch):
            continue
        call = partial(
            write_batch,
            edits=edits.of_batch(batch),
            few_args=few_args,
            is_first=is_first,
            packed=packed,
        )
        yield TextCall(call, text)
        is_first = is_first and not batch.count


def metadata_count(plan: Plan) -> int:
    """Count the metadata events that are added behind the recorded events."""
    return sum(1 for _ in _metadata(plan))


def _metadata(plan: Plan) -> Iterator[bytes]:
    """Write names of new tracks, and of tracks whose text id was their only name."""
    for lane in plan.lanes.values():
        yield _metadata_event("thread_name", lane.pid, lane.tid, {"name": lane.name})
        if lane.sort_index is not None:
            index = {"sort_index": lane.sort_index}
            yield _metadata_event("thread_sort_index", lane.pid, lane.tid, index)
    for key, pid, tid, name in plan.names:
        yield _metadata_event(key, pid, tid, {"name": name})


def _metadata_event(key: str, pid: Scalar, tid: Scalar, args: Mapping[str, Scalar]) -> bytes:
    """Write one metadata event."""
    return b'{"name": %b, "ph": "M", "pid": %b, "tid": %b, "args": %b}' % (
        encoded(key),
        encoded(pid),
        encoded(tid),
        encoded(args),
    )
