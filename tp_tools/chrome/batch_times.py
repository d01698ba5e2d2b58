"""Read the times of a batch at once, and find times that Perfetto could not read."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome import timestamps
from tp_tools.chrome.schema import ABSENT
from tp_tools.chrome.stream import Malformed
from tp_tools.trace.model import EXACT_BELOW_NS, UNTIMED

if TYPE_CHECKING:
    import msgspec
    from numpy.typing import NDArray

    from tp_tools.chrome.schema import Event
    from tp_tools.trace.model import Ints

_NO_TIMES = (b"", b"null", b'"NaN"', b'"Infinity"', b'"-Infinity"', b'""')
"""Texts that profilers write where they have no time; the first is an absent member."""

_LARGEST = (1 << 63) - 1


class Times:
    """Reads the times of the events of a file, batch by batch."""

    def __init__(self, name: str) -> None:
        """Create a reader; `name` is the name of the file in messages."""
        self.name = name

    def of_batch(
        self, events: list[Event], phases: NDArray[np.uint8], first: int
    ) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Read the times of a batch.

        Args:
            events: the events of the batch.
            phases: the codes of their phases.
            first: the number of the first event in the file.

        Returns:
            Starts and durations in ns (int64; a start is UNTIMED if there is none), and a mask of
            the starts that Perfetto reads through a double; each of shape (events,).

        Raises:
            Malformed: a time does not fit 64 bits, or Perfetto would stop at it or misread it.
        """
        numbers = np.arange(first, first + len(events))
        ts, inexact = self._column([e.ts for e in events], "ts", numbers)
        durations = [e.dur for e in events]
        complete = phases == ord("X")
        dur = np.zeros(len(events), np.int64)
        dur[complete], _ = self._column(
            list(compress(durations, complete.tolist())), "dur", numbers[complete]
        )
        room = _LARGEST - np.maximum(ts, 0)
        too_long = dur > room
        # rebasing makes ts small enough to be exact; a duration of years stays as Perfetto reads it
        if dur.max(initial=0) >= EXACT_BELOW_NS:
            is_long = dur >= EXACT_BELOW_NS
            dur[is_long] = timestamps.as_double(dur[is_long])
            too_long |= is_long & ((dur < 0) | (dur > room))  # rounded up, it may wrap around
        if too_long.any():
            number = first + int(np.flatnonzero(too_long)[0])
            raise Malformed(f"{self.name}: event {number} ends behind what 64 bits of ns can say.")
        others = ~complete
        self._check(list(compress(durations, others.tolist())), "dur", numbers[others])
        self._check([e.tts for e in events], "tts", numbers)
        self._check([e.tdur for e in events], "tdur", numbers)
        metadata = np.flatnonzero(phases == ord("M"))
        self._check([events[i].ts for i in metadata.tolist()], "ts", metadata + first)
        return ts, dur, inexact

    def _check(self, raws: list[msgspec.Raw], key: str, event: Ints) -> None:
        """Raise at a time that is not a number: Perfetto v52 and v53 stop there, in any event."""
        if raws.count(ABSENT) == len(raws):
            return
        for i, raw in enumerate(raws):
            if raw is not ABSENT and self._column([raw], key, event[i : i + 1])[0][0] == UNTIMED:
                raise Malformed(f"{self.name}: {key} of event {event[i]} is {bytes(raw).decode()}.")

    def _column(
        self, raws: list[msgspec.Raw], key: str, event: Ints
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """Parse one member of many events.

        Args:
            raws: the times as JSON text.
            key: the key of the member, for messages.
            event: the numbers of the events, for messages.

        Returns:
            Times in ns, UNTIMED where there is none, and a mask of the times that Perfetto reads
            through a double.
        """
        plain = timestamps.column(raws)
        if plain is not None:
            return plain
        texts = [bytes(raw) for raw in raws]
        has_time = np.array([text not in _NO_TIMES for text in texts])
        times, inexact = np.full(len(texts), UNTIMED), np.zeros(len(texts), np.bool_)
        texts = list(compress(texts, has_time.tolist()))
        times[has_time], inexact[has_time] = timestamps.column(texts) or (
            [
                self._time(text, number, key)
                for text, number in zip(texts, event[has_time].tolist(), strict=True)
            ],
            [timestamps.has_decimals(text) for text in texts],
        )
        return times, inexact

    def _time(self, text: bytes, event: int, key: str) -> int:
        try:
            time = timestamps.nanoseconds(text)
        except ValueError:
            raise Malformed(
                f"{self.name}: {key} of event {event} is {text.decode(errors='replace')}, not a "
                "number of microseconds that fits 64 bits of nanoseconds."
            ) from None
        if 0 <= time < EXACT_BELOW_NS and not timestamps.perfetto_agrees(text, time):
            raise Malformed(
                f"{self.name}: {key} of event {event} is {text.decode()}, which Perfetto reads as "
                "another nanosecond."
            )
        return time
