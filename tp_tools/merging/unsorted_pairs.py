"""Tell which ranks have slices that Perfetto shows in their own file, but not in merged JSON.

Perfetto v51 to v56 reads a file with X events out of order as sorted by time, E events before
others of their time. A rank that has no X event, or is in order, is read as it stands: a B event
and its E event of the same ns are a slice. In the merged file the E event comes first, and the
slice never ends. In a `.pftrace` all are as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.merging.preparation import MergePlan


def unsorted_pairs(plan: MergePlan) -> Iterator[str]:
    """Yield a line for each rank that has such slices.

    Args:
        plan: the merge, of one rank or more.
    """
    if len(plan.ranks) < 2 or not any(it.has_complete for it in plan.summaries):  # noqa: PLR2004
        return
    for rank, known in zip(plan.ranks, plan.summaries, strict=True):
        if known.unsorted:
            are = "slice" if known.unsorted == 1 else "slices"
            yield (
                f"{rank.title}: {known.unsorted:,} {are} of a B and an E event of the same ns: "
                "Perfetto v51-56 never ends them in merged JSON, a .pftrace shows them as recorded"
            )
