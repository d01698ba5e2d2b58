"""Hold the data of a report: its traces, and the rows that queries gave of them."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.alignment.alignment import BY_BASE, UNALIGNED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tp_tools.engine import Rows
    from tp_tools.inspection import TraceInfo
    from tp_tools.querying.unknown_devices import Devices

KIND_QUERIES = {
    "all_reduce": "allreduce",
    "all_gather": "all_gather",
    "gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "scatter": "reduce_scatter",
    "all_to_all": "all_to_all",
    "broadcast": "broadcast",
    "reduce": "broadcast",
    "send": "send_recv",
    "recv": "send_recv",
    "send_recv": "send_recv",
    "dispatch": "dispatch_combine",
    "combine": "dispatch_combine",
}
"""The query with a row per collective, by kind of collective; run if the job has that kind."""


class Member(Struct, frozen=True):
    """A trace of the job.

    Attributes:
        rank: its number in the job; None if unknown.
        title: name for people: "rank 3 (TP3)".
        file: name of the file, without folders.
        info: its description, as `tp-tools info` prints it.
        unknown_devices: devices that the library does not know, in place of GPU work.
    """

    rank: int | None
    title: str
    file: str
    info: TraceInfo
    unknown_devices: Devices = ()


class ReportData(Struct, frozen=True):
    """The data of a report.

    Attributes:
        members: the traces, in the order of ranks.
        results: the rows of each query, by its name in the library. Their columns are described
            in the query's file; a NULL in the column `rank` is replaced by the trace's rank.
        sql: the text of each of these queries, by name.
        merge: the object that `tp-tools merge --summary json` prints; None for one trace.
        captured: the traces of captured CUDA graphs by which `modules` and `module_ops`
            took replays apart, as given; empty if they are those beside the traces, None if there
            are none.
    """

    members: list[Member]
    results: Mapping[str, Rows]
    sql: Mapping[str, str]
    merge: Mapping[str, Any] | None
    captured: tuple[str, ...] | None = None

    def rows(self, query: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Select columns of the result of a query.

        Args:
            query: name of the query.
            columns: names of two columns at least.

        Returns:
            A tuple per row with the values of these columns; NULL is None.
        """
        result = self.results[query]
        return map(itemgetter(*map(result.columns.index, columns)), result.rows)

    def count_unaligned(self) -> int:
        """Count the ranks whose clock was not aligned by collectives or by their host."""
        ranks = self.merge["ranks"] if self.merge is not None else []
        return sum(rank["aligned_by"] in (BY_BASE, UNALIGNED) for rank in ranks)

    def lacks_ranks(self) -> bool:
        """Tell whether ranks of the job are known to have no trace here."""
        if self.merge is not None:
            return bool(self.merge["missing_ranks"])
        info = self.members[0].info
        if info is None or info.metadata is None or not info.metadata.world_size:
            return False
        return info.metadata.world_size > max(1, len(info.inventory.merged))

    def collective_queries(self) -> list[str]:
        """Return the names of the queries that were run on kinds of collectives."""
        return [name for name in dict.fromkeys(KIND_QUERIES.values()) if name in self.results]
