"""What the benchmarks decide, apart from what they measure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import check

if TYPE_CHECKING:
    from pathlib import Path


def test_a_command_is_slower_above_one_and_a_half_times_its_ratio() -> None:
    """CI fails for a ratio that is more than 1.5 times the recorded one, and names the command."""
    recorded = {"fix": 0.4, "info": 0.2}
    assert check.slower({"fix": 0.6, "info": 0.29}, recorded) == []
    assert check.slower({"fix": 0.61, "info": 0.29}, recorded) == ["fix"]


def test_each_command_of_the_check_has_a_recorded_ratio(tmp_path: Path) -> None:
    """A command that is added to the check is recorded too, and none stays that is gone."""
    groups = check.commands(tmp_path, megabytes=1)
    names = {name for group in groups.values() for name in group} - {"plain"}
    assert names == set(json.loads(check.RECORDED.read_text()))
