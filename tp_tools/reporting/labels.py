"""What ranks and GPUs are called on a page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tp_tools.reporting.data import Answers


class Labels:
    """Names of the ranks and GPUs of these answers."""

    def __init__(self, answers: Answers) -> None:
        self._titles = {it.rank: it.title for it in answers.members}
        devices = Counter(rank for rank, _ in answers.rows("gpu_time", "rank", "device"))
        self._several = {rank for rank, count in devices.items() if count > 1}

    def rank(self, rank: int | None) -> str:
        """Such as "rank 3 (TP3)"."""
        if rank in self._titles:
            return self._titles[rank]
        return "this trace" if rank is None else f"rank {rank}"

    def gpu(self, rank: int | None, device: int) -> str:
        """The same, with the GPU where the rank uses several."""
        name = self.rank(rank)
        return f"{name}, GPU {device}" if rank in self._several else name
