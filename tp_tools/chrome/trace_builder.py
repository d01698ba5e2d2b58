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
    from tp_tools.trace.model import Head, Ints, Tail

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
        self._cats: dict[Text, int] = {}
        self._names: dict[Text, int] = {}
        self._odd_links: dict[bytes, int] = {}
        self._metadata: dict[int, Scalar] = {}

    def add(self, run: Columns) -> None:
        """Takes the next run."""
        numbered: dict[str, NDArray[Any]] = {
            "track": _numbered(run.tracks, self._tracks)[run.track],
            "cat": _numbered(run.cats, self._cats)[run.cat],
            "name": _numbered(run.names, self._names)[run.name],
            "link": narrow(with_text_ids(run.link, run.odd_links, self._odd_links)),
        }
        for key, column in self._columns.items():
            column.extend(numbered[key] if key in numbered else getattr(run, key))
        self._rounded |= run.rounded
        self._metadata.update({self.count + i: said for i, said in run.metadata.items()})
        self._spans.append(Batch(self.count, len(run), run.length))
        self.count += len(run)

    def trace(
        self, head: Head, tail: Tail, repairs: Counter[str], *, thorough: bool = False
    ) -> Trace:
        """All runs as one trace; it takes the columns away.

        Args:
            head: the text before them.
            tail: the text behind them.
            repairs: what was mended in the text.
            thorough: whether it was mended thoroughly.
        """
        link, links = numbered_ids(self._columns.pop("link").whole(), list(self._odd_links))
        columns: dict[str, Any] = {key: column.whole() for key, column in self._columns.items()}
        return Trace(
            head=head,
            tail=tail,
            batches=self._spans,
            link=link,
            links=links,
            tracks=[(_id(pid), _id(tid)) for pid, tid in self._tracks],
            cats=[cat or "" for cat in self._cats],
            names=["" if name == NOTHING else name or NAMELESS for name in self._names],
            metadata=self._metadata,
            rounded=self._rounded,
            repairs=repairs,
            thorough=thorough,
            **columns,
        )


def _numbered(values: Iterable[Key], table: dict[Key, int]) -> Ints:
    """The number of each value; those that are new get the next ones."""
    return narrow(np.array([table.setdefault(value, len(table)) for value in values], np.int64))


def _id(value: Id) -> Id:
    """Perfetto takes 7.0 for 7."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
