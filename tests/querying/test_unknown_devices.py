"""Devices whose work the library does not know are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import kernel, write_trace
from tp_tools.files.sources import source_of
from tp_tools.querying import LoadOptions, load_trace
from tp_tools.querying.unknown_devices import described, unknown_devices

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("needs", [None, frozenset({"kernel"})])
@pytest.mark.parametrize(
    ("known", "expected"), [(0, (("hpu_op", 2), ("mtia_ccp_events", 1))), (1, ())]
)
def test_devices_count_in_place_of_gpu_work(
    tmp_path: Path, needs: frozenset[str] | None, known: int, expected: tuple[tuple[str, int], ...]
) -> None:
    """Whether or not their events were loaded; beside a kernel they are no answer."""
    cats = ["mtia_ccp_events", "hpu_op", "hpu_op", *["kernel"] * known]
    work = [kernel("MatMul", 10 * i, 5, cat=cat) for i, cat in enumerate(cats)]
    source = source_of(str(write_trace(tmp_path / "t.json", *work)))
    with load_trace(source, LoadOptions(needs=needs)) as tp:
        assert unknown_devices(source, tp, None) == expected


def test_devices_are_described() -> None:
    """With the counts of their events."""
    said = described([("hpu_op", 1234), ("mtia_ccp_events", 1)])
    assert "1,234 x hpu_op, 1 x mtia_ccp_events." in said
