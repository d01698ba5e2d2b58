"""A plan carried out on Chrome JSON: events that it names are rewritten, all other bytes copied."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from tp_tools.chrome import reread
from tp_tools.chrome.sanitize import encoded
from tp_tools.files import gzip_parts
from tp_tools.processes.pool import ALONE
from tp_tools.processes.worker import TextCall
from tp_tools.writing.json.apply import write_batch
from tp_tools.writing.json.base_time import rebased
from tp_tools.writing.json.edits import PlanEdits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.files.gzip_parts import GzipPart
    from tp_tools.files.source import Source
    from tp_tools.processes.pool import Pool
    from tp_tools.processes.worker import Call
    from tp_tools.trace.model import Batch, Scalar, Trace
    from tp_tools.trace.plan import Plan


def rewrite(
    source: Source,
    trace: Trace,
    plan: Plan,
    seen: Callable[[int], None] = lambda _: None,
    *,
    keep: NDArray[np.bool_] | None = None,
    pool: Pool = ALONE,
    packed: bool = False,
) -> Iterator[bytes]:
    """The repaired trace as Chrome JSON, block by block.

    Args:
        source: the file that `trace` was read from; it is read again.
        trace: its columns.
        plan: what to change.
        seen: told bytes read from disk, as they are.
        keep: which events are wanted, one flag per event; None is all of them.
        pool: processes that write together.
        packed: whether it is compressed as gzip; the same bytes by any number of processes.

    Raises:
        InputError: the file changed meanwhile, or its base time cannot be moved.
    """
    pieces = _pieces(source, PlanEdits(trace, plan, keep), seen, pool, packed=packed)
    yield from gzip_parts.gzip(pieces) if packed else gzip_parts.text(pieces)


def _pieces(
    source: Source,
    planned: PlanEdits,
    seen: Callable[[int], None],
    pool: Pool,
    *,
    packed: bool,
) -> Iterator[GzipPart]:
    trace, plan = planned.trace, planned.plan
    head, tail = rebased(trace.head.text, trace.tail.text, plan.rebase_ns)
    yield head
    calls = _calls(reread.batch_texts(source, trace, seen), planned, packed=packed)
    with closing(pool.map_ordered(calls)) as written_runs:
        for run in written_runs:
            if run is None:
                raise reread.file_changed(source)
            yield run
    added = b",\n".join(_metadata(plan))
    if added:
        yield (b",\n" if any(map(planned.keeps_any, trace.batches)) else b"") + added
    yield tail


def _calls(
    runs: Iterable[tuple[Batch, bytes]], planned: PlanEdits, *, packed: bool
) -> Iterator[Call[GzipPart | None]]:
    """Writes each run of which anything is kept."""
    is_first = True
    for span, text in runs:
        if span.count and not planned.keeps_any(span):
            continue
        edits = planned.of_run(span)
        yield TextCall(partial(write_batch, edits=edits, is_first=is_first, packed=packed), text)
        is_first = is_first and not span.count


def metadata_count(plan: Plan) -> int:
    """How many events are added behind the recorded ones."""
    return sum(1 for _ in _metadata(plan))


def _metadata(plan: Plan) -> Iterator[bytes]:
    """Names for the rows that are new, and for those whose text id was their only name."""
    for lane in plan.lanes.values():
        yield _metadatum("thread_name", lane.pid, lane.tid, {"name": lane.name})
        if lane.sort_index is not None:
            index = {"sort_index": lane.sort_index}
            yield _metadatum("thread_sort_index", lane.pid, lane.tid, index)
    for key, pid, tid, name in plan.names:
        yield _metadatum(key, pid, tid, {"name": name})


def _metadatum(key: str, pid: Scalar, tid: Scalar, args: Mapping[str, Scalar]) -> bytes:
    return b'{"name": %b, "ph": "M", "pid": %b, "tid": %b, "args": %b}' % (
        encoded(key),
        encoded(pid),
        encoded(tid),
        encoded(args),
    )
