"""Build the columns of a whole trace from those of its batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from tp_tools.chrome.batch_columns import NOTHING
from tp_tools.chrome.digits import is_digits, number
from tp_tools.chrome.event_ids import numbered_ids, with_text_ids
from tp_tools.chrome.growable_column import GrowableColumn
from tp_tools.columns import narrow, take
from tp_tools.files import temporary
from tp_tools.files.scratch import IN_MEMORY, Scratch
from tp_tools.files.source import DEFAULT_SIZES
from tp_tools.trace import Trace
from tp_tools.trace.model import NAMELESS, Batch

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tp_tools.chrome.batch_columns import Columns, Text
    from tp_tools.chrome.schema import Id, Scalar
    from tp_tools.columns import Empty
    from tp_tools.files import ReadSizes
    from tp_tools.trace.model import Head, Ints, Tail, TextDamage

Key = TypeVar("Key")

_DTYPES: dict[str, type[np.generic]] = {
    "phase": np.uint8,
    "ts": np.int64,
    "dur": np.int32,
    "track": np.int8,
    "cat": np.int8,
    "name": np.int8,
    "link": np.int32,
    "bound": np.uint8,
}


class TraceBuilder:
    """Appends batches one by one, in the order of the file.

    Attributes:
        count: number of events so far.
    """

    def __init__(self, sizes: ReadSizes = DEFAULT_SIZES) -> None:
        self.count = 0
        self._mapped = sizes.mapped
        self._scratch = Scratch(temporary.usual_folder(), sizes.column)
        self._rounded = False
        self._batches: list[Batch] = []
        self._columns = {
            key: GrowableColumn(dtype, self._scratch, self._mapped)
            for key, dtype in _DTYPES.items()
        }
        self._tracks: dict[tuple[Id, Id], int] = {}
        self._cats: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._text_ids: dict[bytes, int] = {}
        self._metadata: dict[int, Scalar] = {}
        self._bind_ids: dict[int, bytes] = {}
        self._ends_with_args: list[int] = []

    def add(self, batch: Columns) -> None:
        """Append the next batch."""
        numbered: dict[str, NDArray[Any]] = {
            "track": _numbered(batch.tracks, self._tracks)[batch.track],
            "cat": _numbered(map(_cat, batch.cats), self._cats)[batch.cat],
            "name": _numbered(map(_name, batch.names), self._names)[batch.name],
            "link": narrow(with_text_ids(batch.link, batch.text_ids, self._text_ids)),
        }
        for key, column in self._columns.items():
            column.extend(numbered[key] if key in numbered else getattr(batch, key))
        self._rounded |= batch.rounded
        self._metadata.update({self.count + i: value for i, value in batch.metadata.items()})
        self._bind_ids.update({self.count + i: text for i, text in batch.bind_ids.items()})
        self._ends_with_args += [self.count + i for i in batch.ends_with_args]
        self._batches.append(Batch(self.count, len(batch), batch.length))
        self.count += len(batch)

    def trace(
        self,
        head: Head,
        tail: Tail,
        repairs: Counter[str],
        *,
        thorough: bool = False,
        damage: list[TextDamage] | None = None,
    ) -> Trace:
        """Build the trace of all batches; the builder is empty afterwards.

        Args:
            head: the text before the events.
            tail: the text behind the events.
            repairs: counts of repairs of the text, by kind.
            thorough: whether every token was sanitized.
            damage: the first few damaged stretches that were left out; None unless salvaged.

        Returns:
            The trace.
        """
        scratch = self._scratch if self.count >= self._mapped else IN_MEMORY
        link, links = numbered_ids(
            self._columns.pop("link").whole(), list(self._text_ids), scratch.empty
        )
        columns: dict[str, Any] = {key: column.whole() for key, column in self._columns.items()}
        recorded = _Tracks(list(self._tracks), columns["track"])
        tracks, columns["track"], quoted = _unquoted(*recorded, scratch.empty)
        return Trace(
            head=head,
            tail=tail,
            batches=self._batches,
            link=link,
            links=links,
            tracks=tracks,
            cats=list(self._cats),
            names=list(self._names),
            metadata=self._metadata,
            rounded=self._rounded,
            repairs=repairs,
            thorough=thorough,
            quoted=quoted,
            recorded_tracks=None if quoted is None else recorded.with_ids(),
            bind_ids=self._bind_ids,
            ends_with_args=self._ends_with_args,
            damage=damage,
            scratch=scratch,
            **columns,
        )


def _cat(recorded: Text) -> str:
    """Return a category as Perfetto shows it: "" for none."""
    return recorded or ""


def _name(recorded: Text) -> str:
    """Return a name as Perfetto shows it."""
    return "" if recorded == NOTHING else recorded or NAMELESS


def _numbered(values: Iterable[Key], table: dict[Key, int]) -> Ints:
    """Return the number of each value in `table`; new values get the next numbers."""
    return narrow(np.array([table.setdefault(value, len(table)) for value in values], np.int64))


class _Tracks(NamedTuple):
    """The (pid, tid) of each track as the file writes them, and the track of each event."""

    written: list[tuple[Id, Id]]
    track: Ints

    def with_ids(self) -> tuple[list[tuple[Scalar, Scalar]], Ints]:
        """Return the same with ids as `Trace` holds them."""
        return [(_id(pid), _id(tid)) for pid, tid in self.written], self.track


def _unquoted(
    written: list[tuple[Id, Id]], track: Ints, empty: Empty
) -> tuple[list[tuple[Id, Id]], Ints, NDArray[np.bool_] | None]:
    """Replace pids and tids that are numbers in quotes by the numbers.

    Profilers of 2021 write threads so: `"tid": "123"`. Tracks that become equal are merged.

    Args:
        written: (pid, tid) of each track.
        track: the track of each event.
        empty: makes columns.

    Returns:
        (pid, tid) of each track, the track of each event, and a mask of the events with a quoted
        id; None in place of the mask if no event has one.
    """
    is_quoted = np.array([any(map(is_digits, ids)) for ids in written], np.bool_)
    if not is_quoted.any():
        return [(_id(pid), _id(tid)) for pid, tid in written], track, None
    numbers: dict[tuple[Id, Id], int] = {}
    ids_of_tracks = [(_id(number(pid)), _id(number(tid))) for pid, tid in written]
    codes = narrow(
        np.array([numbers.setdefault(ids, len(numbers)) for ids in ids_of_tracks], np.int64)
    )
    return list(numbers), take(codes, track, empty), take(is_quoted, track, empty)


def _id(value: Id) -> Id:
    """Replace 7.0 by 7, as Perfetto reads it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
