"""Work on the runs of a trace, shared among the helpers of a crew; what comes of it is in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from tp_tools.chrome.crew import IN_HAND, Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from tp_tools.chrome.crew import Helper

T = TypeVar("T")


@dataclass(frozen=True)
class _Given(Generic[T]):
    """Work that a helper does; what it comes to."""

    helper: Helper
    work: Callable[[bytes], T]
    text: bytes

    def is_done(self) -> bool:
        return self.helper.has_more()

    def result(self) -> T:
        try:
            found: T = self.helper.take()
        except Ended:
            return self.work(self.text)
        return found


@dataclass(frozen=True)
class _Done(Generic[T]):
    """What work came to that was done here."""

    found: T

    def is_done(self) -> bool:
        return True

    def result(self) -> T:
        return self.found


def in_turn(
    pieces: Iterable[tuple[Callable[[bytes], T], bytes]], helpers: Sequence[Helper]
) -> Generator[T]:
    """What each piece of work comes to, in their order.

    A helper has one in hand and some to go on with; what is more is done here, as is what a helper
    leaves undone that ends. Nothing is left with a helper when this is closed.

    Args:
        pieces: what is to be done, and with what text.
        helpers: who helps.
    """
    turns: deque[_Given[T] | _Done[T]] = deque()
    try:
        for work, text in pieces:
            helper = min(helpers, key=lambda each: each.busy(), default=None)
            if helper is not None and helper.busy() < IN_HAND:
                helper.give(work, text)
                turns.append(_Given(helper, work, text))
            else:
                turns.append(_Done(work(text)))
            while turns and turns[0].is_done():
                yield turns.popleft().result()
        while turns:
            yield turns.popleft().result()
    finally:
        for turn in turns:
            if isinstance(turn, _Given):
                turn.helper.drop()
