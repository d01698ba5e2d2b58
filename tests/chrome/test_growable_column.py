"""A column keeps what is added, wherever it lies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tp_tools.chrome.growable_column import GrowableColumn
from tp_tools.files.scratch import IN_MEMORY, Scratch

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 1 << 14
"""Values for which there is room at first."""


@pytest.mark.parametrize("is_mapped", [False, True])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    parts=st.lists(st.integers(0, FIRST + 9), max_size=5),
    wide=st.integers(0, 3),
    mapped=st.integers(0, 2 * FIRST),
)
def test_it_keeps_all_values(
    tmp_path: Path, is_mapped: bool, parts: list[int], wide: int, mapped: int
) -> None:
    """Values come back in order, in the widest dtype that was added, also behind a move."""
    column = GrowableColumn(np.int8, Scratch(tmp_path) if is_mapped else IN_MEMORY, mapped)
    added = [np.resize(np.arange(100), count).astype(np.int8) for count in parts]
    added.insert(len(added) // 2, np.full(wide, 1000, np.int32))
    for part in added:
        column.extend(part)
    values = column.whole()
    assert values.dtype == np.int32
    assert np.array_equal(values, np.concatenate([*added, np.empty(0, np.int8)]))


def test_it_returns_to_memory_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grows there from then on."""
    column = GrowableColumn(np.int16, Scratch(tmp_path), FIRST)
    column.extend(np.arange(2 * FIRST, dtype=np.int16))
    free = os.statvfs(tmp_path)
    full = os.statvfs_result((*free[:4], 1, *free[5:]))
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)  # simulates a full disk
    for start in range(2 * FIRST, 6 * FIRST, FIRST):
        column.extend(np.arange(start, start + FIRST).astype(np.int16))
    assert np.array_equal(column.whole(), np.arange(6 * FIRST).astype(np.int16))
