"""Define a trace as typed columns, one row per event; the text stays in the file.

Format: Chrome's Trace Event Format, as PyTorch's Kineto writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from msgspec import Struct, field

from tp_tools.columns import is_in
from tp_tools.files.scratch import IN_MEMORY, Scratch

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


Scalar: TypeAlias = int | float | str | bool | None
Ints: TypeAlias = "NDArray[np.signedinteger[Any]]"
"""Integer column: times int64, durations int32 or int64, codes in the narrowest type that fits."""

UNTIMED = -(1 << 62)
"""Value of `ts` or `dur` where the file has no number."""

NO_ID = -1
"""Value of `link` where an event has no id."""

NAMELESS = "[No name]"
"""Name that Perfetto shows for an event without a name."""

EXACT_BELOW_NS = (1 << 42) * 1000
"""Times below this many ns (2^42 us) keep their decimals in the double of Perfetto's importer."""


class Batch(Struct, frozen=True):
    """A batch of events that stand together in the text.

    Attributes:
        first: number of its first event in the file.
        count: number of events.
        length: bytes of sanitized text, separators included.
    """

    first: int
    count: int
    length: int


class TextDamage(Struct, frozen=True):
    """One stretch of text that was left out.

    Attributes:
        byte: where it begins in the text of the file, unpacked.
        size: its bytes.
        name: of the event, or of the member of the outermost object; "" if it has none.
    """

    byte: int
    size: int
    name: str

    def as_object(self) -> dict[str, Any]:
        """Return the stretch for JSON."""
        return {"byte": self.byte, "bytes": self.size, "name": self.name}


class Trace(Struct, frozen=True):
    """A trace as columns; row i is the i-th event of the file.

    Columns:
        phase: uint8, code of the character `ph`; 0 where the event has none, or is metadata
            that gives an empty name.
        ts: int64 ns; UNTIMED where the file has no number.
        dur: int ns, duration of an X event; UNTIMED where the file has no number, 0 for other
            phases.
        track: int, index into `tracks`.
        cat: int, index into `cats`.
        name: int, index into `names`.
        link: int32, index into `links` of args.correlation or of a flow event's `id`; NO_ID where
            the event has neither.
        bound: uint8, code of `bp` of a flow event, or of the scope `s` of an instant if it is
            p or g; 0 otherwise.

    Attributes:
        head, tail: the sanitized text around the events.
        batches: the batches of events between head and tail.
        tracks: (pid, tid) pairs as the file writes them; digits in text are that number.
        cats, names: distinct categories and names.
        links: distinct ids, as JSON text.
        metadata: value of each metadata event by event number: a name or a sort index.
        rounded: whether Perfetto rounds the `ts` of some event, because it has decimals that a
            double does not hold. Metadata events do not count: Perfetto ignores their times.
        repairs: number of repairs of the text, by kind.
        thorough: whether the text had to be sanitized token by token; a second pass over the text
            must do the same.
        quoted: bool (events,), whether its pid or tid is a number in quotes; None if none is.
        recorded_tracks: where ids are quoted, `tracks` and `track` with these as text, as Perfetto
            reads the file; else None.
        bind_ids: JSON text of `bind_id`, by event, where there is one.
        ends_with_args: numbers of the E events that have args, ascending.
        points: the E event of each X event that is a B event in the text: see `with_points`.
        damage: the first few damaged stretches of text that were left out; a second pass over the
            text must do the same. None where none was looked for.
        scratch: where its columns lie, and others that are made of them.
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
    quoted: NDArray[np.bool_] | None = None
    recorded_tracks: tuple[list[tuple[Scalar, Scalar]], Ints] | None = None
    bind_ids: dict[int, bytes] = field(default_factory=dict)
    ends_with_args: list[int] = field(default_factory=list)
    points: dict[int, int] = field(default_factory=dict)
    damage: list[TextDamage] | None = None
    scratch: Scratch = IN_MEMORY

    def __len__(self) -> int:
        return len(self.phase)

    def text_size(self) -> int:
        """Return the length of the sanitized text in bytes."""
        outside = len(self.head.text) + len(self.tail.text)
        return outside + sum(batch.length for batch in self.batches)


def is_phase(trace: Trace, phases: str) -> NDArray[np.bool_]:
    """Mark the events of these phases.

    Args:
        trace: the trace.
        phases: characters of `ph`, for example "BE".

    Returns:
        bool array (events,).
    """
    return is_in(trace.phase, map(ord, phases), trace.scratch.empty)


def waits(trace: Trace, flows: Ints) -> NDArray[np.bool_]:
    """Mark ends of flows without `"bp": "e"`: they bind to the next slice that starts.

    Args:
        trace: the trace.
        flows: int (n,), numbers of flow events.

    Returns:
        bool array (n,).
    """
    is_waiting: NDArray[np.bool_] = (trace.phase[flows] == ord("f")) & (
        trace.bound[flows] != ord("e")
    )
    return is_waiting


class Head(Struct, frozen=True):
    """The text up to and including the `[` of the events."""

    text: bytes


class Tail(Struct, frozen=True):
    """The text from the `]` of the events to the end.

    Attributes:
        text: text as read; where the file was cut short, with the brackets that it lacks.
        cut_short: whether the file ended too early.
        lost: bytes of text that were left out: of a file cut short the event or member in which it
            ends, of others the text after the trace.
    """

    text: bytes
    cut_short: bool = False
    lost: int = 0


@dataclass(frozen=True)
class EventIds(Sequence[bytes]):
    """The JSON text of the distinct ids of a trace; plain numbers are kept as integers.

    Attributes:
        plain: int array, ids that are plain numbers, ascending.
        odd: JSON text of all other ids.
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
