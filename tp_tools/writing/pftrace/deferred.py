"""Packets that wait for the end of the file: in memory while they are few, else on disk."""

from __future__ import annotations

from array import array
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import Codes

_IN_MEMORY = 16 << 20


class DeferredPackets:
    """Keeps packets, and gives them back sorted. In recorded traces there are hardly any."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(  # noqa: SIM115  closed by close()
            _IN_MEMORY, prefix="tp-tools-"
        )
        self._level, self._index, self._size = array("q"), array("q"), array("q")

    def close(self) -> None:
        """Lets go of what it keeps."""
        self._file.close()

    def add(self, level: Codes, index: Ints, packets: list[bytes]) -> None:
        """Keeps packets that are wanted back in the order of level and index."""
        self._level.extend(level.tolist())
        self._index.extend(index.tolist())
        self._size.extend(map(len, packets))
        self._file.writelines(packets)

    def in_order(self) -> Iterator[bytes]:
        """All of them, one by one."""
        size = np.array(self._size, np.int64)
        start = np.cumsum(size) - size
        for i in np.lexsort((np.array(self._index), np.array(self._level))).tolist():
            self._file.seek(int(start[i]))
            yield self._file.read(int(size[i]))
