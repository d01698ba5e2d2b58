"""A trace read by several processes, each of which decodes a share of its runs.

All of them read the whole text, since that is quick, and cut it at the same places; runs are dealt
out, and each decodes its own. A cut is good if every run before it decodes as whole events, so when
all shares are there, the cuts are proved as if one process had read the file. If anything is amiss
or has to be mended, nothing is made of the shares: one process reads the trace, mends it, or says
what is wrong.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from tp_tools.chrome.collected import Collected
from tp_tools.chrome.columns import columns_of
from tp_tools.chrome.mend import mended
from tp_tools.chrome.outer import Head, Tail
from tp_tools.chrome.schema import DECODER
from tp_tools.chrome.source import Source
from tp_tools.chrome.split import Run, dealt, dealt_to
from tp_tools.chrome.suspects import may_hold_long
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tp_tools.chrome.columns import Columns
    from tp_tools.chrome.crew import Crew, Helper
    from tp_tools.chrome.schema import Event

Piece: TypeAlias = "tuple[Columns, Ending | None]"
"""A run, and behind the last one the Ending."""


@dataclass(frozen=True)
class Ending:
    """What the share with the last run says behind it.

    Attributes:
        head, tail: the text around the events.
        repairs: what was mended in the text.
        truncated, stamp: as of the Source that was read.
    """

    head: Head
    tail: Tail
    repairs: Counter[str]
    truncated: bool
    stamp: tuple[int, int]


def share(
    path: Path,
    name: str,
    *,
    part: int,
    parts: int,
    seen: Callable[[int], None] = lambda _: None,
) -> Iterator[Piece]:
    """The columns of the runs that are dealt to a part, the last of all with the Ending.

    It stops early where something is amiss.

    Args:
        path: the file.
        name: what messages call it.
        part: which share, from 0.
        parts: how many there are.
        seen: told bytes read from disk, as they are.
    """
    source, head = Source(path, name), Head(b"")
    run: Columns | None = None
    try:
        for piece in dealt(source.blocks(seen), DECODER, name, part=part, parts=parts):
            if not (_is_plain(piece) or _is_sound(piece.text)):
                break
            if isinstance(piece, Head):
                head = piece
            elif isinstance(piece, Tail):
                ending = Ending(head, piece, Counter(), source.truncated, source.stamp)
                if run is not None:
                    yield run, ending
                return
            else:
                if run is not None:
                    yield run, None
                run = columns_of(piece, 0, name)
    except InputError:
        pass  # who reads the whole trace says what it is
    if run is not None:
        yield run, None


def _is_plain(piece: Head | Run[Event] | Tail) -> bool:
    """Whether it is events in whose text nothing can be wrong but that they are no JSON."""
    return (
        isinstance(piece, Run)
        and piece.text.isascii()
        and b"\\" not in piece.text
        and not may_hold_long(piece.text)
    )


def _is_sound(text: bytes) -> bool:
    """Whether nothing in a text has to be mended; what is no JSON is found otherwise."""
    return b"".join(mended((text,), Counter(), words=False)) == text


def read_together(
    source: Source, crew: Crew, seen: Callable[[int], None]
) -> tuple[Collected, Ending] | None:
    """All runs of a trace, and what stands around them; None if it must be read by one process.

    Args:
        source: the file; gets the marks of having been read.
        crew: who helps.
        seen: told bytes read from disk, as they are.
    """
    own = share(source.path, source.name, part=0, parts=crew.size, seen=seen)
    collected = Collected()
    for run, ending in _in_turn(own, crew.ask(source)):
        collected.add(run)
        if ending is not None:
            source.truncated, source.stamp = ending.truncated, ending.stamp
            return collected, ending
    return None


def _in_turn(own: Iterator[Piece], helpers: list[Helper]) -> Iterator[Piece]:
    """The runs in the order of the file, until one is missing; while others work, so do we."""
    ahead: deque[Piece] = deque()
    for number in count():
        turn = dealt_to(number, len(helpers) + 1)
        if turn == 0:
            piece = ahead.popleft() if ahead else next(own, None)
        else:
            helper = helpers[turn - 1]
            while not helper.has_more() and (more := next(own, None)) is not None:
                ahead.append(more)
            piece = helper.take()
        if piece is None:
            return
        yield piece
