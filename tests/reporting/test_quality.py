"""The section on clocks says how far times of ranks can be compared."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.support.page_text import report_data
from tp_tools.reporting import quality

RANK = {
    "rank": 0,
    "aligned_by": "collectives",
    "collectives": 9,
    "residual_ns": 40,
    "residual_p95_ns": 90,
    "offset_ns": 5,
    "drift_ppb": 3,
    "not_aligned_because": "",
}


@pytest.mark.parametrize("groups", [1, 3])
def test_groups_that_share_no_collectives_are_told(groups: int) -> None:
    """Each is fitted in itself, so that its residuals say nothing of the others."""
    data, _ = report_data(1)
    merge = {"ranks": [RANK], "clock_groups": groups, "missing_ranks": []}
    notes = quality.clocks_section(replace(data, merge=merge)).figures[0].notes
    told = (
        f"The ranks form {groups} groups that share no collectives with each other: from group "
        "to group times may be wrong by as much as their base times differ."
    )
    assert notes == [told] * (groups > 1)
