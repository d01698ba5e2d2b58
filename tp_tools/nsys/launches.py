"""Find which calls launched GPU work, for the arrows between them.

Ids of correlation are unique within a process only: keys here are those of `Host.offset` added.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

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
        found, _ = self._find(keys)
        return found

    def begin(self, keys: Sequence[int], starts: Sequence[int]) -> NDArray[np.bool_]:
        """Mark the calls, given by key and start in ns, that launched work: bool (keys,)."""
        found, at = self._find(keys)
        return (
            found & (self.starts[at] == np.asarray(starts, np.int64)) if len(self.keys) else found
        )

    def _find(self, keys: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        sought = np.asarray(keys, np.int64)
        if not len(self.keys):
            return np.zeros(len(sought), np.bool_), np.zeros(len(sought), np.int64)
        at = np.minimum(np.searchsorted(self.keys, sought), len(self.keys) - 1)
        return self.keys[at] == sought, at


def find_launches(database: Database, layout: Layout) -> Launches:
    """Read the correlation ids of calls and of GPU work; 16 bytes a call and 8 a piece of work.

    Raises:
        InputError: the file is damaged.
    """
    keys, starts, work = array("q"), array("q"), array("q")
    for rows in database.rows(tables.API, ["globalTid", "correlationId", "start"]):
        for thread, correlation, start in rows:
            if (key := layout.key(thread, correlation)) and isinstance(start, int):
                keys.append(key)
                starts.append(start)
    for table in tables.GPU_WORK:
        for rows in database.rows(table, ["globalPid", "correlationId"]):
            work.extend(layout.key(process, correlation) for process, correlation in rows)
    called, began = np.asarray(keys, np.int64), np.asarray(starts, np.int64)
    order = np.lexsort((began, called))
    called, began = called[order], began[order]
    first = np.ones(len(called), np.bool_)
    first[1:] = called[1:] != called[:-1]
    used = np.isin(called, np.asarray(work, np.int64)) & first
    return Launches(called[used], began[used])
