"""The parts of gaps, and the parts of a device's time, add up on every recorded trace."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import answer
from tests.support.places import recorded
from tp_tools import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTS = ("wait_ns", "cpu_ns", "launch_call_ns", "dependency_ns", "front_end_ns", "unknown_ns")
BUSY = ("compute_ns", "exposed_communication_ns", "exposed_copy_ns")
# its arrows are damaged, so that it is refused
REFUSED = frozenset({"text_tids_2021.json.gz"})


@pytest.mark.parametrize("name", recorded("**/*.json.gz", REFUSED))
def test_time_adds_up(name: str, real_trace: Callable[[str], Path]) -> None:
    """Gaps by cause are the idle time; span is busy and idle time, to the nanosecond."""
    with open_trace(real_trace(name)) as tp:
        gaps, devices = answer("gaps", tp), answer("gpu_time", tp)
    idle: dict[object, int] = defaultdict(int)
    for row in gaps:
        assert sum(row[part] for part in PARTS) == row["dur"]
        idle[row["device"]] += row["dur"]
    for row in devices:
        assert row["idle_ns"] == idle[row["device"]]
        assert row["span_ns"] == row["idle_ns"] + sum(row[part] for part in BUSY)
        assert row["busy_ns"] == row["span_ns"] - row["idle_ns"]
