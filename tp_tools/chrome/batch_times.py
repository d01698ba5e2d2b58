"""The times of many events at once, and which of them Perfetto could not read."""

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

_NO_NUMBERS = (b"", b"null", b'"NaN"', b'"Infinity"', b'"-Infinity"', b'""')
"""What stands where a profiler had no time; nothing if the member is not there."""

_LARGEST = (1 << 63) - 1


class Times:
    """Reads the times of a file's events, run by run."""

    def __init__(self, name: str) -> None:
        """Args: name: of the file, for messages."""
        self.name = name

    def of_run(
        self, events: list[Event], phases: NDArray[np.uint8], first: int
    ) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Start and duration in ns, and which starts Perfetto reads through a double.

        Args:
            events: a run of events.
            phases: the codes of their phases.
            first: the number of the first one.

        Raises:
            Malformed: a time is no number of 64 bits, or Perfetto would stop at it or misread it.
        """
        everywhere = np.arange(first, first + len(events))
        ts, inexact = self._column([e.ts for e in events], "ts", everywhere)
        durations = [e.dur for e in events]
        complete = phases == ord("X")
        dur = np.zeros(len(events), np.int64)
        dur[complete], _ = self._column(
            list(compress(durations, complete.tolist())), "dur", everywhere[complete]
        )
        too_long = np.flatnonzero(dur > _LARGEST - np.maximum(ts, 0))
        if len(too_long):
            number = first + int(too_long[0])
            raise Malformed(f"{self.name}: event {number} ends behind what 64 bits of ns can say.")
        # ts gets small enough by rebasing; a duration of years stays as Perfetto reads it
        if dur.max(initial=0) >= EXACT_BELOW_NS:
            is_long = dur >= EXACT_BELOW_NS
            dur[is_long] = timestamps.as_double(dur[is_long])
        others = ~complete
        self._check(list(compress(durations, others.tolist())), "dur", everywhere[others])
        self._check([e.tts for e in events], "tts", everywhere)
        self._check([e.tdur for e in events], "tdur", everywhere)
        metadata = np.flatnonzero(phases == ord("M"))
        self._check([events[i].ts for i in metadata.tolist()], "ts", metadata + first)
        return ts, dur, inexact

    def _check(self, raws: list[msgspec.Raw], key: str, event: Ints) -> None:
        """Perfetto v52 and v53 stop at a time that is no number, wherever it stands."""
        if raws.count(ABSENT) == len(raws):
            return
        for i, raw in enumerate(raws):
            if raw is not ABSENT and self._column([raw], key, event[i : i + 1])[0][0] == UNTIMED:
                raise Malformed(f"{self.name}: {key} of event {event[i]} is {bytes(raw).decode()}.")

    def _column(
        self, raws: list[msgspec.Raw], key: str, event: Ints
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """Nanoseconds, UNTIMED where there are none, and which are read through a double.

        Args:
            raws: the times as text.
            key: what they are called.
            event: the numbers of their events.
        """
        plain = timestamps.column(raws)
        if plain is not None:
            return plain
        texts = [bytes(raw) for raw in raws]
        known = np.array([text not in _NO_NUMBERS for text in texts])
        times, inexact = np.full(len(texts), UNTIMED), np.zeros(len(texts), np.bool_)
        texts = list(compress(texts, known.tolist()))
        times[known], inexact[known] = timestamps.column(texts) or (
            [self._time(*it, key) for it in zip(texts, event[known].tolist(), strict=True)],
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
