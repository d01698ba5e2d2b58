"""The questions of a report, and their parts."""

from __future__ import annotations

import pytest

from tp_tools.reporting import questions


@pytest.mark.parametrize("count", range(1, len(questions.PARTS) + 1))
def test_each_query_is_in_one_part(count: int) -> None:
    """Whatever the number of parts, each query is asked once, and no part is empty."""
    shared = questions.parts(count)
    names = sorted(name for part in shared for name in part)
    assert names == sorted([*questions.RANK_QUERIES, *questions.JOB_QUERIES])
    assert (len(shared), all(shared)) == (count, True)
