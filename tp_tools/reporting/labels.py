"""Name ranks and GPUs on a page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData


class Labels:
    """The names of the ranks and GPUs of a report."""

    def __init__(self, data: ReportData) -> None:
        self._titles = {member.rank: member.title for member in data.members}
        devices = Counter(rank for rank, _ in data.rows("gpu_time", "rank", "device"))
        self._multi_gpu_ranks = {rank for rank, count in devices.items() if count > 1}

    def rank(self, rank: int | None) -> str:
        """Name a rank: "rank 3 (TP3)"; "this trace" for None."""
        if rank in self._titles:
            return self._titles[rank]
        return "this trace" if rank is None else f"rank {rank}"

    def gpu(self, rank: int | None, device: int) -> str:
        """Name a GPU: "rank 3 (TP3)", or "rank 3 (TP3), GPU 1" if the rank uses several."""
        name = self.rank(rank)
        return f"{name}, GPU {device}" if rank in self._multi_gpu_ranks else name
