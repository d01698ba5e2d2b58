"""The events of a trace as typed columns: what the tool reasons about; the bytes stay in the file.

Format: Chrome's Trace Event Format, as PyTorch's Kineto writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from tp_tools.columns import is_in

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


Scalar: TypeAlias = int | float | str | bool | None
Ints: TypeAlias = "NDArray[np.signedinteger[Any]]"
"""Whole numbers: times of 64 bits, durations of 32 or 64, all else of as few as hold them."""

UNTIMED = -(1 << 62)
"""Stands in `ts` or `dur` where the file has no number."""

NO_ID = -1
NAMELESS = "[No name]"
"""What Perfetto shows where there is no name."""

EXACT_BELOW_NS = (1 << 42) * 1000
"""Perfetto's double holds decimals of a microsecond exactly below 2^42 us."""


@dataclass(frozen=True)
class Batch:
    """One run of events in the text.

    Attributes:
        first: number of its first event in the file.
        count: events in it.
        length: bytes of (mended) text, separators included.
    """

    first: int
    count: int
    length: int


@dataclass(frozen=True)
class Trace:
    """A trace as columns; row i is the i-th event of the file.

    Attributes:
        head, tail: the (mended) text around the events.
        spans: the runs of events in between.
        phase: the code of `ph`; 0 where there is none, and where metadata gives an empty name.
        ts: nanoseconds; UNTIMED where there is no number.
        dur: nanoseconds, of X events; UNTIMED where there is no number, 0 for other phases.
        track: index into `tracks`.
        cat: index into `cats`.
        name: index into `names`.
        link: index into `links`, of args.correlation or of a flow's `id`; NO_LINK if none.
        bound: the code of `bp` of flow events, of `s` (p or g) of instants; 0 where it is another.
        tracks: (pid, tid) as the file writes them.
        links: JSON text of ids.
        metadata: what each metadata event says, by event: its name or sort index.
        rounded: whether Perfetto rounds the `ts` of an event: it has decimals, which a double does
            not hold; metadata apart, whose times mean nothing.
        repairs: what was mended in the text, by kind.
        thorough: whether it was mended thoroughly, and must be again when it is read again.
    """

    head: Head
    tail: Tail
    batches: list[Batch]
    phase: NDArray[np.uint8]
    ts: Ints
    dur: Ints
    track: Ints
    cat: Ints
    name: Ints
    link: NDArray[np.int32]
    bound: NDArray[np.uint8]
    tracks: list[tuple[Scalar, Scalar]]
    cats: list[str]
    names: list[str]
    links: EventIds
    metadata: dict[int, Scalar]
    rounded: bool
    repairs: Counter[str]
    thorough: bool = False

    def __len__(self) -> int:
        return len(self.phase)

    def text_size(self) -> int:
        """Bytes of its text."""
        around = len(self.head.text) + len(self.tail.text)
        return around + sum(span.length for span in self.batches)


def is_phase(trace: Trace, phases: str) -> NDArray[np.bool_]:
    """Which events are of one of these phases."""
    return is_in(trace.phase, map(ord, phases))


@dataclass(frozen=True)
class Head:
    """The text up to and including the `[` of the events."""

    text: bytes


@dataclass(frozen=True)
class Tail:
    """The text from the `]` of the events to the end.

    Attributes:
        text: as read, or, where the file was cut short, with what was missing to end it.
        cut_short: whether the file ended too early.
        lost: bytes of text that were left out: an event or a member that the file ends inside of,
            or, if it was not cut short, what followed the trace.
    """

    text: bytes
    cut_short: bool = False
    lost: int = 0


@dataclass(frozen=True)
class EventIds(Sequence[bytes]):
    """The JSON text of the distinct ids of a trace, most of them kept as numbers.

    Attributes:
        plain: those that are plain numbers, ascending.
        odd: the others' JSON text.
    """

    plain: Ints
    odd: list[bytes]

    def __len__(self) -> int:
        return len(self.plain) + len(self.odd)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < len(self.plain):
            return b"%d" % self.plain[index]
        return self.odd[index - len(self.plain)]

    def __iter__(self) -> Iterator[bytes]:
        yield from map(b"%d".__mod__, self.plain.tolist())
        yield from self.odd
