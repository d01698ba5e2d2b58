"""Find which calls launched GPU work, for the arrows between them.

Ids of correlation are unique within a process only: keys here are those of `Host.offset` added.
"""

from __future__ import annotations

from array import array
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import unique
from tp_tools.nsys import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tp_tools.nsys.database import Database
    from tp_tools.nsys.layout import Layout


class Launches(Struct, frozen=True):
    """The calls that launched work which the export holds.

    Attributes:
        keys: int64 (calls,), their correlation keys, sorted, each once.
        starts: int64 (calls,), the start of the first call of each key, ns.
    """

    keys: NDArray[np.int64]
    starts: NDArray[np.int64]

    def contain(self, keys: Sequence[int]) -> NDArray[np.bool_]:
        """Mark the keys of work whose call is here: bool (keys,)."""
        found, _ = _found(self.keys, keys)
        return found

    def begin(self, keys: Sequence[int], starts: Sequence[int]) -> NDArray[np.bool_]:
        """Mark the calls, given by key and start in ns, that launched work: bool (keys,)."""
        found, at = _found(self.keys, keys)
        return (
            found & (self.starts[at] == np.asarray(starts, np.int64)) if len(self.keys) else found
        )


def _found(
    known: NDArray[np.int64], keys: Sequence[int]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Look keys up among known ones, which are sorted: whether each is there, and where."""
    sought = np.asarray(keys, np.int64)
    if not len(known):
        return np.zeros(len(sought), np.bool_), np.zeros(len(sought), np.int64)
    at = np.minimum(np.searchsorted(known, sought), len(known) - 1)
    return known[at] == sought, at


def find_launches(database: Database, layout: Layout) -> Launches:
    """Read the correlation ids of GPU work and of its calls; 8 bytes a piece of work, 16 a launch.

    Raises:
        InputError: the file is damaged.
    """
    work, keys, starts = array("q"), array("q"), array("q")
    for table in tables.GPU_WORK:
        for rows in database.rows(table, ["globalPid", "correlationId"]):
            work.extend(layout.key(process, correlation) for process, correlation in rows)
    launched = unique(np.asarray(work, np.int64))
    del work
    for rows in database.rows(tables.API, ["globalTid", "correlationId", "start"]):
        calls = [
            (key, start)
            for thread, correlation, start in rows
            if (key := layout.key(thread, correlation)) and isinstance(start, int)
        ]
        is_launch, _ = _found(launched, [key for key, _ in calls])
        for key, start in compress(calls, is_launch.tolist()):
            keys.append(key)
            starts.append(start)
    called, began = np.asarray(keys, np.int64), np.asarray(starts, np.int64)
    order = np.lexsort((began, called))
    called, began = called[order], began[order]
    first = np.ones(len(called), np.bool_)
    first[1:] = called[1:] != called[:-1]
    return Launches(called[first], began[first])
