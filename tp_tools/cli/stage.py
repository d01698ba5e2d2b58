"""A part of the work that a command shows while it goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Stage:
    """A part of the work.

    Attributes:
        doing: what is done.
        total: bytes in all; None where there is no count.
        then: what is done once that many are; None if it is the same.
        began: when, in seconds of the monotonic clock.
        done: bytes so far.
    """

    doing: str
    total: int | None
    then: str | None
    began: float
    done: int = 0
