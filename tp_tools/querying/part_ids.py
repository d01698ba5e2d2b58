"""Number the slices of all ranks of a job as TraceProcessor numbers them in one trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tp_tools.trace.model import Ints


class SliceNumbers:
    """The ids of slices in one trace of all ranks, from those that they have rank by rank.

    TraceProcessor numbers slices in the order of starts; of those that start together the longest
    is first, then that which stands first in the text. Only slices that were noted are numbered, so
    that ids are in the same order as in one trace, and not the same.
    """

    def __init__(self) -> None:
        """Start without slices."""
        self._ids: list[Ints] = []
        self._ts: list[Ints] = []
        self._dur: list[Ints] = []

    def note(self, ids: Iterable[int], slices: Sequence[tuple[int, int]]) -> None:
        """Note slices of the next rank.

        Args:
            ids: ids of some of them in its trace.
            slices: start and duration, ns, of all slices of this trace, in the order of ids.
        """
        chosen = np.array(sorted(set(ids)), np.int64)
        every = np.array(slices, np.int64).reshape(-1, 2)
        self._ids.append(chosen)
        self._ts.append(every[chosen, 0])
        self._dur.append(every[chosen, 1])

    def numbers(self) -> list[dict[int, int]]:
        """Return, for each rank, the number of each slice that was noted by its id."""
        ranks = [np.full(len(ids), rank) for rank, ids in enumerate(self._ids)]
        columns = (self._ids, ranks, [-dur for dur in self._dur], self._ts)
        order = np.lexsort([np.concatenate([*column, np.empty(0, np.int64)]) for column in columns])
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.arange(len(order))
        ends = np.cumsum([len(ids) for ids in self._ids])[:-1]
        parts = np.split(numbers, ends) if self._ids else []
        return [
            dict(zip(ids.tolist(), part.tolist(), strict=True))
            for ids, part in zip(self._ids, parts, strict=True)
        ]
