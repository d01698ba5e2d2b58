"""Find the rows of each rank in a table of all ranks, in one pass over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints


def rows_by_rank(rank: Ints) -> dict[int, Ints]:
    """Return the rows of each rank, ascending.

    Args:
        rank: int (n,), rank of each row.

    Returns:
        int64 (rows of the rank,) by rank, in the order of the ranks; a rank without rows is none.
    """
    order = np.argsort(rank, kind="stable")
    ranks, first = np.unique(rank[order], return_index=True)
    return dict(zip(ranks.tolist(), np.split(order, first)[1:], strict=True))
