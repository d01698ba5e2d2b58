"""A merged trace as Chrome JSON: events of each rank with new times and ids, all else copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.chrome import reread
from tp_tools.chrome.sanitize import encoded
from tp_tools.merging.json_events import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tp_tools.files.source import Source
    from tp_tools.merging.json_events import Match
    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement

_COMMA = b",\n"


def fragment(
    source: Source,
    placed: PlacedRank,
    where: RankPlacement,
    matched: Mapping[int, Match],
    seen: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """The events of a rank, each with a comma behind it, block by block.

    Args:
        source: the file that the rank was read from; it is read again.
        placed: the rank in the merged trace.
        where: its place in it.
        matched: by event: the collective that it is a part of.
        seen: told bytes read from disk, as they are.

    Raises:
        InputError: the file changed meanwhile.
    """
    for process in placed.processes:
        yield metadata("process_name", process.pid, process.pid, {"name": process.name})
        yield _sorted_at("process_sort_index", process.pid, process.pid, process.sort_index)
    for thread in placed.threads:
        if thread.name:
            yield metadata("thread_name", thread.pid, thread.tid, {"name": thread.name})
        if thread.sort_index is not None:
            yield _sorted_at("thread_sort_index", thread.pid, thread.tid, thread.sort_index)
    writer = Writer(placed, where, matched)
    for span, text in reread.batch_texts(source, placed.trace, seen):
        if placed.keep[span.first : span.first + span.count].any():
            yield writer.run(span, text)


def metadata(key: str, pid: int, tid: int, args: Mapping[str, str | int]) -> bytes:
    """A metadata event and a comma."""
    return b'{"name":"%b","ph":"M","pid":%d,"tid":%d,"args":%b},\n' % (
        key.encode(),
        pid,
        tid,
        encoded(args),
    )


def _sorted_at(key: str, pid: int, tid: int, index: int) -> bytes:
    return metadata(key, pid, tid, {"sort_index": index})


def without_last_comma(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text without the separator behind the last event."""
    held = b""
    for block in blocks:
        text = held + block
        held = text[-len(_COMMA) :]
        yield text[: -len(_COMMA)]
    yield held.removesuffix(_COMMA)
