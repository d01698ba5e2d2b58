"""Hold the state of a stage, which a command shows while it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Stage:
    """A stage of the work.

    Attributes:
        doing: its text, for example "reading t.json".
        total: number of bytes to do; None where there is no count.
        then: its text once all bytes are done, for example "aligning clocks"; None for the same.
        began: its start, in seconds of the monotonic clock.
        done: bytes so far.
    """

    doing: str
    total: int | None
    then: str | None
    began: float
    done: int = 0
