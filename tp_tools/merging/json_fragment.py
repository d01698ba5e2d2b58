"""Write a rank of a merged trace as Chrome JSON: new times and ids, all else copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.chrome import reread
from tp_tools.chrome.sanitize import encoded
from tp_tools.merging.json_events import Writer
from tp_tools.progress import SILENT
from tp_tools.writing import check_events, checks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.files import Source
    from tp_tools.merging.json_events import Match
    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.progress import Reporter

_COMMA = b",\n"


def fragment(
    source: Source,
    placed: PlacedRank,
    placement: RankPlacement,
    matched: Mapping[int, Match],
    reporter: Reporter = SILENT,
) -> Iterator[bytes]:
    """Write the events of a rank, each followed by a comma, block by block.

    Args:
        source: the file that the rank was read from; it is read again.
        placed: the rank in the merged trace.
        placement: its ids and its clock.
        matched: the match of each kernel of a matched collective, by event.
        reporter: receives the number of bytes read from disk.

    Raises:
        InputError: the file changed since it was read.
        VerificationError: Perfetto would refuse a text that is new.
    """
    for block in _fragment(source, placed, placement, matched, reporter):
        with checks_of(source.name):
            check_events([block.removesuffix(_COMMA)])
        yield block


def _fragment(
    source: Source,
    placed: PlacedRank,
    placement: RankPlacement,
    matched: Mapping[int, Match],
    reporter: Reporter,
) -> Iterator[bytes]:
    """Write names, then events; see `fragment`."""
    for process in placed.processes:
        yield metadata("process_name", process.pid, process.pid, {"name": process.name})
        yield _sort_index("process_sort_index", process.pid, process.pid, process.sort_index)
    for thread in placed.threads:
        if thread.name:
            yield metadata("thread_name", thread.pid, thread.tid, {"name": thread.name})
        if thread.sort_index is not None:
            yield _sort_index("thread_sort_index", thread.pid, thread.tid, thread.sort_index)
    writer = Writer(placed, placement, matched)
    for batch, text in reread.batch_texts(source, placed.trace, reporter):
        if placed.keep[batch.first : batch.first + batch.count].any():
            yield writer.batch_text(batch, text)


def metadata(key: str, pid: int, tid: int, args: Mapping[str, str | int]) -> bytes:
    """Write a metadata event and a comma."""
    return b'{"name":"%b","ph":"M","pid":%d,"tid":%d,"args":%b},\n' % (
        key.encode(),
        pid,
        tid,
        encoded(args),
    )


def _sort_index(key: str, pid: int, tid: int, index: int) -> bytes:
    return metadata(key, pid, tid, {"sort_index": index})


def without_last_comma(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Drop the comma behind the last event."""
    held = b""
    for block in blocks:
        text = held + block
        held = text[-len(_COMMA) :]
        yield text[: -len(_COMMA)]
    yield held.removesuffix(_COMMA)
