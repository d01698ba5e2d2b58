"""What the benchmarks decide, apart from what they measure."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

import tp_tools
from benchmarks import all as all_tables
from benchmarks import check, marked, operations, shapes, why
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


def test_marks_tell_what_a_file_shows(tmp_path: Path) -> None:
    """Of a fixture 6 of 64 kernels and the arrows to them are hidden; a repair shows all."""
    raw, fixed = tmp_path / "rank0.json.gz", tmp_path / "fixed.json.gz"
    truth = marked.mark(HERE / "pdl_decode.json.gz", [raw])
    assert (len(truth.kernels), len(truth.launches)) == (64, 64)
    with pytest.warns(tp_tools.LossWarning):
        found = marked.shown(raw, truth)
    assert (found.kernels, found.arrows, found.exact) == (58, 58, 58)
    tp_tools.fix(raw, fixed)
    found = marked.shown(fixed, truth)
    assert (found.kernels, found.arrows, found.wrong, found.exact) == (64, 64, 0, 64)
    assert found.slices == truth.slices


def test_marked_ranks_have_clocks_of_their_own(tmp_path: Path) -> None:
    """Raw ranks lie apart by their offsets, merged ones by less than a microsecond."""
    ranks = [tmp_path / f"rank{rank}.json.gz" for rank in range(2)]
    truth = marked.mark(HERE / "pdl_decode.json.gz", ranks)
    starts = [truth.kernels[mark][0] for mark in sorted(truth.kernels)]
    assert abs(starts[0] - starts[64]) > 1_000_000
    tp_tools.merge(ranks, tmp_path / "all.json.gz", allow_missing=True)
    found = marked.shown(tmp_path / "all.json.gz", truth)
    assert (found.kernels, found.arrows, found.wrong) == (128, 128, 0)
    assert found.apart_ns < 1_000


def test_the_table_of_alternatives_counts(tmp_path: Path) -> None:
    """A row says what is shown, of how many, and CPU as a ratio to tp-tools; or that it stopped."""
    shown = marked.Shown(9, 5, 4, 1, 3, 0)
    ways = [why.Way(name, tmp_path) for name in ("as recorded", "script", why.OURS["repair"])]
    results = [
        why.Found(ways[0], shown, None, 100),
        why.Found(ways[1], None, None, 0),
        why.Found(ways[2], shown, 2.0, 1000),
    ]
    truth = marked.Marked({1: (0, 1)}, {1: 2}, 9)
    _, _, recorded, raw, stopped, ours = why.table("repair", results, truth).splitlines()
    assert recorded.startswith("| recorded | 9 | 1 | 1 | 0 | 1 |")
    assert raw == "| as recorded | 9 | 5 | 4 | 1 | 3 | 100 B | - |"
    assert stopped.endswith("| stopped after 30 s |")
    assert ours.endswith("| 1.0 kB | 1.0 |")


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


def test_operations_do_not_vary() -> None:
    """The same queries on the same trace take the same operations, and together their sum."""
    trace = HERE / "pdl_decode.json.gz"
    first, second = (
        operations.operations(trace, ["kernels", "gaps"], together=True) for _ in range(2)
    )
    assert first["kernels"] == pytest.approx(second["kernels"], rel=0.01)
    assert first["all"] == first["kernels"] + first["gaps"] > 0
