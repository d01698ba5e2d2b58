"""Hold what the readers of single tables share: names, places, clock and counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING

from tp_tools.nsys import tables
from tp_tools.nsys.values import microseconds

if TYPE_CHECKING:
    from tp_tools.nsys.database import Database
    from tp_tools.nsys.launches import Launches
    from tp_tools.nsys.layout import Layout


@dataclass
class Recording:
    """An export that is being read.

    Attributes:
        database: the export.
        layout: its processes and streams.
        launches: its calls that launched work.
        strings: the JSON text of each of its strings, by id.
        shift_ns: what is added to its times, so that none is negative.
        threads: globalTids of the threads of the host that have events.
        drawn: number of events by table.
        left_out: number of rows that became no events, by what they are.
        open_ranges: number of ranges of NVTX without an end.
    """

    database: Database
    layout: Layout
    launches: Launches
    strings: dict[int, str]
    shift_ns: int
    threads: set[int] = field(default_factory=set)
    drawn: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    open_ranges: int = 0

    def name(self, string_id: object, instead: str) -> str:
        """Return the JSON text of a string; that of `instead` where the export lacks it."""
        found = self.strings.get(string_id) if isinstance(string_id, int) else None
        return found or dumps(instead)

    def times(self, start: object, end: object, what: str) -> str | None:
        """Return `"ts":...,"dur":...`; None, and count it, where the times are no times."""
        if not isinstance(start, int) or not isinstance(end, int) or end < start:
            self.left_out[f"{what} without times"] += 1
            return None
        return f'"ts":{microseconds(start + self.shift_ns)},"dur":{microseconds(end - start)}'

    def thread(self, global_tid: int) -> tuple[int, int]:
        """Return pid and tid of a thread of the host in the trace."""
        self.threads.add(global_tid)
        host = self.layout.host(tables.process_of(global_tid))
        return host.pid, tables.thread_id(global_tid)

    def moment(self, time_ns: int) -> str:
        """Return `"ts":...` of a moment."""
        return f'"ts":{microseconds(time_ns + self.shift_ns)}'


def arrow(key: int, pid: int, tid: int, ts: str, *, is_start: bool) -> str:
    """Return an end of an arrow from a call to the work that it launched, as Kineto writes it."""
    kind = '"ph":"s"' if is_start else '"ph":"f","bp":"e"'
    return f'{{{kind},"id":{key},"pid":{pid},"tid":{tid},{ts},"cat":"ac2g","name":"ac2g"}}'
