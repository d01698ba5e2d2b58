"""Helpers that work in the process of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools.chrome.crew import Crew, Ended

if TYPE_CHECKING:
    from tp_tools.chrome.crew import Work


class Slow:
    """One that is done with a run every few times it is asked, and may end after some."""

    def __init__(self, every: int, lives: int | None = None) -> None:
        self.every, self.lives, self.asked = every, lives, 0
        self.given: list[tuple[Work, bytes]] = []
        self.done: list[Any] = []

    def busy(self) -> int:
        """As of a helper."""
        self.asked += 1
        if self.given and self.asked % self.every == 0:
            self._work()
        return len(self.given)

    def give(self, work: Work, text: bytes) -> None:
        """As of a helper."""
        self.given.append((work, text))

    def has_more(self) -> bool:
        """As of a helper."""
        return bool(self.done)

    def take(self) -> Any:  # noqa: ANN401  as of a helper
        """As of a helper."""
        if not self.done:
            self._work()
        found = self.done.pop(0)
        if found is Ended:
            raise Ended
        return found

    def drop(self) -> None:
        """As of a helper."""
        if not self.done:
            self._work()
        self.done.pop(0)

    def _work(self) -> None:
        work, text = self.given.pop(0)
        if self.lives is not None:
            self.lives -= 1
        self.done.append(Ended if self.lives is not None and self.lives < 0 else work(text))


def here(size: int) -> Crew:
    """Helpers that work in this process, each slower than the one before."""
    return Crew([Slow(every) for every in range(1, size)])
