"""Reads a trace once, as a stream, into columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.chrome.columns import Columns
from tp_tools.chrome.events import UNTIMED, is_phase
from tp_tools.chrome.feed import SPACE, Malformed
from tp_tools.chrome.mend import mended
from tp_tools.chrome.outer import Head, Tail
from tp_tools.chrome.schema import DECODER
from tp_tools.chrome.split import Run, split
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.chrome.events import Trace
    from tp_tools.chrome.source import Source


def read(source: Source, seen: Callable[[int], None] = lambda _: None) -> Trace:
    """Reads a trace once, as a stream; again if its text has to be mended more thoroughly.

    Args:
        source: the file.
        seen: told bytes read from disk, as they are.

    Raises:
        InputError: it is no Chrome JSON trace, or damaged before its end.
    """
    for care in ({"words": False}, {}):
        try:
            return _read(source, seen, **care)
        except Malformed:
            seen = _not_again
    return _read(source, seen, thorough=True)


def _not_again(_size: int) -> None:
    """Bytes that were read before count no more."""


def _read(
    source: Source, seen: Callable[[int], None], *, thorough: bool = False, words: bool = True
) -> Trace:
    repairs: Counter[str] = Counter()
    columns = Columns(source.name)
    head, tail = Head(b""), Tail(b"")
    text = mended(source.blocks(seen), repairs, thorough=thorough, words=words)
    for part in split(text, DECODER, source.name):
        if isinstance(part, Run):
            columns.add(part)
        elif isinstance(part, Head):
            head = part
        else:
            tail = part
    if tail.cut_short or source.truncated:
        repairs["truncated_tail"] += 1
    elif tail.lost:
        repairs["trailing_text"] += 1
    trace = columns.trace(head, tail, repairs, thorough=thorough)
    if (
        head.text.lstrip(SPACE)[:1] == b"["
        and not (is_phase(trace, "M") | (trace.ts != UNTIMED)).any()
    ):
        raise InputError(f"{source.name}: holds no events.")
    return trace
