"""Hold what the readers of single tables share: names, places, clock and counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tp_tools.nsys import tables
from tp_tools.nsys.values import json_text, microseconds

if TYPE_CHECKING:
    from tp_tools.nsys.database import Database
    from tp_tools.nsys.launches import Launches
    from tp_tools.nsys.layout import Layout
    from tp_tools.nsys.payloads import Payloads


class Recording(Struct):
    """An export that is being read.

    Attributes:
        database: the export.
        layout: its processes and streams.
        launches: its calls that launched work.
        strings: its strings, by id.
        shift_ns: what is added to its times, so that none is negative.
        payloads: decodes binary payloads of NVTX.
        threads: pid and tid of the threads of the host that have events, by globalTid.
        drawn: number of events by table.
        left_out: number of rows that became no events, by what they are.
        open_ranges: number of ranges of NVTX without an end.
        unnamed: number of kernels whose names are not among the strings.
    """

    database: Database
    layout: Layout
    launches: Launches
    strings: dict[int, str]
    shift_ns: int
    payloads: Payloads
    threads: dict[int, tuple[int, int]] = field(default_factory=dict)
    drawn: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    open_ranges: int = 0
    unnamed: int = 0
    _names: dict[object, str] = field(default_factory=dict)

    def name(self, string_id: object, instead: str) -> str:
        """Return the JSON text of a string; that of `instead` where the export lacks it."""
        found = self._names.get(string_id)
        if found is None:
            text = self.strings.get(string_id) if isinstance(string_id, int) else None
            found = self._names[string_id] = json_text(instead if text is None else text)
        return found

    def times(self, start: object, end: object, what: str) -> str | None:
        """Return `"ts":...,"dur":...`; None, and count it, where the times are no times."""
        if not isinstance(start, int) or not isinstance(end, int) or end < start:
            self.left_out[f"{what} without times"] += 1
            return None
        ts, dur = start + self.shift_ns, end - start
        return f'"ts":{ts // 1000}.{ts % 1000:03d},"dur":{dur // 1000}.{dur % 1000:03d}'

    def lacks_thread(self, global_tid: object, what: str) -> bool:
        """Tell whether a row names no thread, and count it then."""
        if isinstance(global_tid, int):
            return False
        self.left_out[f"{what} without a thread"] += 1
        return True

    def thread(self, global_tid: int) -> tuple[int, int]:
        """Return pid and tid of a thread of the host in the trace."""
        place = self.threads.get(global_tid)
        if place is None:
            host = self.layout.host(tables.process_of(global_tid))
            place = self.threads[global_tid] = host.pid, tables.thread_id(global_tid)
        return place

    def moment(self, time_ns: int) -> str:
        """Return `"ts":...` of a moment."""
        return f'"ts":{microseconds(time_ns + self.shift_ns)}'


def arrow(key: int, pid: int, tid: int, ts: str, *, is_start: bool) -> str:
    """Return an end of an arrow from a call to the work that it launched, as Kineto writes it."""
    kind = '"ph":"s"' if is_start else '"ph":"f","bp":"e"'
    return f'{{{kind},"id":{key},"pid":{pid},"tid":{tid},{ts},"cat":"ac2g","name":"ac2g"}}'
