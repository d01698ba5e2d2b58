"""Name ranks, GPUs and kernels on a page."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.reporting.tables import KernelName
from tp_tools.trace.short_names import short_name, short_names

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData


class Labels:
    """The names of the ranks, GPUs and kernels of a report."""

    def __init__(self, data: ReportData) -> None:
        self._titles = {member.rank: member.title for member in data.members}
        devices = Counter(rank for rank, _ in data.rows("gpu_time", "rank", "device"))
        self._data = data
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

    def kernel(self, name: str) -> KernelName:
        """Name a kernel or a copy."""
        return KernelName(name, self._short_names.get(name) or short_name(name))

    @functools.cached_property
    def _short_names(self) -> dict[str, str]:
        if "kernels" not in self._data.results:
            return {}
        return short_names(name for name, _ in self._data.rows("kernels", "name", "kind"))
