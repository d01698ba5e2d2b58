"""What the benchmarks decide, apart from what they measure."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import all as all_tables
from benchmarks import check, shapes
from benchmarks.clocks import give_own_clocks
from benchmarks.measure import Runs
from fixtures.generate_ranks import copies
from fixtures.make import HERE
from tests.support.handmade import trace_of

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


def test_tables_go_to_their_place() -> None:
    """A measured table takes the place of the one of its name; the rest of the page stays."""
    page = all_tables.PAGE.read_text()
    results = {"plain": Runs(100, [2.0, 4.0, 3.0], [1.0, 1.0, 1.0]), "fix": Runs(50, [1.5], [2.0])}
    table = all_tables.written_table(results)
    assert "| fix | 1.50 (1.50 to 1.50) | 0.50 | 2.00 | 2.00 | 50 MB |" in table
    for name in ("one", "small", "ranks"):
        changed = all_tables.with_table(page, name, table)
        assert all_tables.with_table(changed, name, "") == all_tables.with_table(page, name, "")
        assert table in changed


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_shapes_are_sound_traces(shape: str, tmp_path: Path) -> None:
    """Each shape has as many events as its costs are divided by, and no text to mend."""
    file = tmp_path / "t.json.gz"
    count = shapes.write(shape, 400, file)
    trace = trace_of(gzip.decompress(file.read_bytes()))
    assert len(trace) == count == 400
    assert not trace.repairs


def test_ranks_get_clocks_of_their_own(tmp_path: Path) -> None:
    """All but the first are shifted, none loses an event, and their events are in any order."""
    files = copies(HERE / "pdl_decode.json.gz", 2, tmp_path)
    before = [json.loads(gzip.decompress(file.read_bytes()))["traceEvents"] for file in files]
    give_own_clocks(files)
    after = [json.loads(gzip.decompress(file.read_bytes()))["traceEvents"] for file in files]
    texts = [[sorted(map(str, events)) for events in side] for side in (before, after)]
    assert texts[0][0] == texts[1][0]
    assert before[0] != after[0]
    times = [sorted(it["ts"] for it in side[1] if it["ph"] == "X") for side in (before, after)]
    assert len(times[0]) == len(times[1])
    assert min(abs(old - new) for old, new in zip(*times, strict=True)) > 1000
