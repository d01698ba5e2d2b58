"""The columns of a whole trace, put together from those of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tp_tools.chrome.batch_columns import NOTHING
from tp_tools.chrome.event_ids import numbered_ids, with_text_ids
from tp_tools.columns import GrowableColumn, narrow
from tp_tools.trace.model import NAMELESS, Batch, Trace

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tp_tools.chrome.batch_columns import Columns, Text
    from tp_tools.chrome.schema import Id, Scalar
    from tp_tools.trace.model import Head, Ints, Tail, TextDamage

Key = TypeVar("Key")

_KINDS: dict[str, type[np.generic]] = {
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
    """Takes the runs of a trace one by one, in the order of the file."""

    def __init__(self) -> None:
        self.count = 0
        self._rounded = False
        self._spans: list[Batch] = []
        self._columns = {key: GrowableColumn(kind) for key, kind in _KINDS.items()}
        self._tracks: dict[tuple[Id, Id], int] = {}
        self._cats: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._odd_links: dict[bytes, int] = {}
        self._metadata: dict[int, Scalar] = {}
        self._bind_ids: dict[int, bytes] = {}

    def add(self, run: Columns) -> None:
        """Takes the next run."""
        numbered: dict[str, NDArray[Any]] = {
            "track": _numbered(run.tracks, self._tracks)[run.track],
            "cat": _numbered(map(_cat, run.cats), self._cats)[run.cat],
            "name": _numbered(map(_name, run.names), self._names)[run.name],
            "link": narrow(with_text_ids(run.link, run.odd_links, self._odd_links)),
        }
        for key, column in self._columns.items():
            column.extend(numbered[key] if key in numbered else getattr(run, key))
        self._rounded |= run.rounded
        self._metadata.update({self.count + i: said for i, said in run.metadata.items()})
        self._bind_ids.update({self.count + i: text for i, text in run.bind_ids.items()})
        self._spans.append(Batch(self.count, len(run), run.length))
        self.count += len(run)

    def trace(
        self,
        head: Head,
        tail: Tail,
        repairs: Counter[str],
        *,
        thorough: bool = False,
        damage: list[TextDamage] | None = None,
    ) -> Trace:
        """All runs as one trace; it takes the columns away.

        Args:
            head: the text before them.
            tail: the text behind them.
            repairs: what was mended in the text.
            thorough: whether it was mended thoroughly.
            damage: the first few damaged stretches that were left out; None if none was looked for.
        """
        link, links = numbered_ids(self._columns.pop("link").whole(), list(self._odd_links))
        columns: dict[str, Any] = {key: column.whole() for key, column in self._columns.items()}
        tracks, columns["track"], quoted = _unquoted(list(self._tracks), columns["track"])
        return Trace(
            head=head,
            tail=tail,
            batches=self._spans,
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
            bind_ids=self._bind_ids,
            damage=damage,
            **columns,
        )


def _cat(recorded: Text) -> str:
    """A category as Perfetto shows it: an empty one is none."""
    return recorded or ""


def _name(recorded: Text) -> str:
    """A name as Perfetto shows it."""
    return "" if recorded == NOTHING else recorded or NAMELESS


def _numbered(values: Iterable[Key], table: dict[Key, int]) -> Ints:
    """The number of each value; those that are new get the next ones."""
    return narrow(np.array([table.setdefault(value, len(table)) for value in values], np.int64))


def _unquoted(
    written: list[tuple[Id, Id]], track: Ints
) -> tuple[list[tuple[Id, Id]], Ints, NDArray[np.bool_] | None]:
    """Tracks on which a number in quotes is that number, as profilers of 2021 write threads.

    Args:
        written: (pid, tid) of each track.
        track: of each event.

    Returns:
        (pid, tid) of each track, the track of each event, and which events have such an id; None
        where none has.
    """
    is_quoted = np.array([any(map(_is_digits, ids)) for ids in written], np.bool_)
    if not is_quoted.any():
        return [(_id(pid), _id(tid)) for pid, tid in written], track, None
    numbers: dict[tuple[Id, Id], int] = {}
    read = [(_id(_number(pid)), _id(_number(tid))) for pid, tid in written]
    codes = narrow(np.array([numbers.setdefault(ids, len(numbers)) for ids in read], np.int64))
    return list(numbers), codes[track], is_quoted[track]


_MOST_DIGITS = 18  # of a number that Perfetto reads


def _is_digits(value: Id) -> bool:
    return type(value) is str and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS


def _number(value: Id) -> Id:
    return int(value) if isinstance(value, str) and _is_digits(value) else value


def _id(value: Id) -> Id:
    """Perfetto takes 7.0 for 7."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
