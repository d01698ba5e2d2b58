"""The columns of a whole trace, put together from those of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tp_tools.chrome.columns import NOTHING
from tp_tools.chrome.events import NAMELESS, Span, Trace
from tp_tools.chrome.links import numbered

if TYPE_CHECKING:
    from collections import Counter

    from tp_tools.chrome.columns import Columns
    from tp_tools.chrome.outer import Head, Tail
    from tp_tools.chrome.schema import Id, Scalar

_TYPES = {
    "phase": np.uint8,
    "ts": np.int64,
    "dur": np.int64,
    "inexact": np.bool_,
    "bound": np.uint8,
}


class Collected:
    """Takes the runs of a trace one by one, in the order of the file."""

    def __init__(self) -> None:
        self.count = 0
        self._runs: list[Columns] = []
        self._spans: list[Span] = []
        self._coded: dict[str, list[np.ndarray[Any, Any]]] = {"track": [], "cat": [], "name": []}
        self._tables: dict[str, dict[Any, int]] = {"track": {}, "cat": {}, "name": {}}
        self._metadata: dict[int, Scalar] = {}

    def add(self, run: Columns) -> None:
        """Takes the next run."""
        tables: dict[str, list[Any]] = {"track": run.tracks, "cat": run.cats, "name": run.names}
        for key, own in tables.items():
            table = self._tables[key]
            codes = np.array([table.setdefault(value, len(table)) for value in own], np.int32)
            self._coded[key].append(codes[getattr(run, key)])
        self._metadata.update({self.count + i: said for i, said in run.metadata.items()})
        self._spans.append(Span(self.count, len(run), run.length))
        self._runs.append(run)
        self.count += len(run)

    def trace(
        self, head: Head, tail: Tail, repairs: Counter[str], *, thorough: bool = False
    ) -> Trace:
        """All runs as one trace.

        Args:
            head: the text before them.
            tail: the text behind them.
            repairs: what was mended in the text.
            thorough: whether it was mended thoroughly.
        """
        columns: dict[str, Any] = {
            key: np.concatenate([np.empty(0, kind), *(getattr(run, key) for run in self._runs)])
            for key, kind in _TYPES.items()
        }
        for key, parts in self._coded.items():
            columns[key] = np.concatenate([np.empty(0, np.int32), *parts])
        link, links = numbered([(run.link, run.odd_links) for run in self._runs])
        return Trace(
            head=head,
            tail=tail,
            spans=self._spans,
            link=link,
            links=links,
            tracks=[(_id(pid), _id(tid)) for pid, tid in self._tables["track"]],
            cats=[cat or "" for cat in self._tables["cat"]],
            names=["" if name == NOTHING else name or NAMELESS for name in self._tables["name"]],
            metadata=self._metadata,
            repairs=repairs,
            thorough=thorough,
            **columns,
        )


def _id(value: Id) -> Id:
    """Perfetto takes 7.0 for 7."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
