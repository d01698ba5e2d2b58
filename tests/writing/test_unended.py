"""B and E events without a partner: JSON and `.pftrace` show the same, as Perfetto reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tp_tools import engine
from tp_tools.cli.main import main
from tp_tools.files import Source
from tp_tools.repair import OverlapOptions
from tp_tools.repair.analysis import plan_trace
from tp_tools.repair.cut_slices import cut_slices
from tp_tools.trace.model import UNTIMED

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = """
SELECT slice.ts, slice.dur, slice.name FROM slice
JOIN thread_track ON thread_track.id = slice.track_id
ORDER BY slice.ts, slice.dur, slice.name"""
Events = list[dict[str, Any]]


def shown(events: Events, suffix: str, folder: Path) -> list[Any]:
    """Repair and verify a trace, and return the slices that Perfetto shows."""
    source, result = folder / "in.json", folder / f"out{suffix}"
    source.write_text(json.dumps({"traceEvents": [*events, event("X", 1, tid=9, dur=1)]}))
    main(
        ["fix", str(source), "-o", str(result), "--verify", "--force"]
    )  # raises where it does not verify
    with engine.load([result.read_bytes()], source=result.name) as tp:
        return engine.rows(tp, SHOWN)


def event(phase: str, ts: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """An event of thread 1, ts in us."""
    return {"ph": phase, "pid": 1, "tid": 1, "ts": ts, "name": "a", **more}


OUTER = event("X", 1, dur=9, name="outer")
BEGIN = event("B", 5, name="begin")


@pytest.mark.parametrize("suffix", [".json", ".pftrace"])
@pytest.mark.parametrize(
    ("behind", "duration"),
    [
        ([event("X", 20, dur=1)], 5_000),
        ([event("i", 11, s="t")], 5_000),
        ([event("E", 12, name="no such")], 5_000),
        ([event("X", 10, dur=1)], -1),
        ([event("X", 6, dur=1)], -1),
        ([], -1),
    ],
    ids=["slice", "instant", "stray end", "at the end of the outer", "inside", "nothing"],
)
def test_an_open_slice_ends_with_the_one_around_it_once_something_follows(
    suffix: str, behind: Events, duration: int, tmp_path: Path
) -> None:
    """An open slice ends with the slice around it if a later event of the track follows."""
    rows = shown([OUTER, BEGIN, *behind], suffix, tmp_path)
    assert (5_000, duration, "begin") in rows
    assert (1_000, 9_000, "outer") in rows


@st.composite
def unmatched(draw: st.DrawFn) -> dict[str, Any]:
    """An event of any phase that opens, closes or touches the stack of a thread."""
    phase, ts = draw(st.sampled_from("BBEXi")), draw(st.integers(1, 12))
    more = {"X": {"dur": draw(st.integers(0, 8))}, "i": {"s": "t"}}.get(phase, {})
    made = event(phase, ts, name=draw(st.sampled_from("ab")), **more)
    cat = draw(st.sampled_from([None, "", "c"]))
    if draw(st.booleans()):
        del made["name"]
    return made if cat is None else {**made, "cat": cat}


@pytest.mark.parametrize("suffix", [".json", ".pftrace"])
def test_a_pair_of_0_ns_in_a_trace_without_x_events(suffix: str, tmp_path: Path) -> None:
    """The order of the file counts: v52 takes E events first only where it met an X event."""
    events = [event("B", 1, name="outer"), event("B", 5), event("E", 5), event("E", 9)]
    for it in events[2:]:
        del it["name"]
    source, result = tmp_path / "in.json", tmp_path / f"out{suffix}"
    source.write_text(json.dumps({"traceEvents": events}))
    main(["fix", str(source), "-o", str(result), "--verify"])
    with engine.load([result.read_bytes()], source=result.name) as tp:
        assert engine.rows(tp, SHOWN)[-2:] == [(1_000, 8_000, "outer"), (5_000, 0, "a")]


def is_cut(events: Events, folder: Path) -> bool:
    """Tell whether Perfetto ends a slice too soon in JSON, as the repair writes it."""
    path = folder / "in.json"
    path.write_text(json.dumps({"traceEvents": events}))
    found = plan_trace(Source(path, path.name), OverlapOptions())
    return cut_slices(found.trace, found.table, found.plan, found.trace.ts != UNTIMED).sooner > 0


@pytest.mark.parametrize(("suffix", "duration"), [(".json", 1_000), (".pftrace", 2_000)])
def test_a_pair_that_starts_with_a_shorter_slice(
    suffix: str, duration: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In JSON v52 ends it with that slice, which is said; in `.pftrace` it is whole."""
    pair = [event("B", 1, name="pair"), event("E", 3, name="pair")]
    assert (1_000, duration, "pair") in shown([*pair, event("X", 1, dur=1)], suffix, tmp_path)
    said = "1 slice of or inside B and E events: Perfetto v51-56 ends them sooner than recorded"
    assert (f"warning: {tmp_path / 'out.json'}: {said}" in capsys.readouterr().err) == (
        suffix == ".json"
    )


@pytest.mark.parametrize(("suffix", "duration"), [(".json", 0), (".pftrace", 2_000)])
def test_a_slice_that_an_unended_one_holds(
    suffix: str, duration: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In JSON v52 ends it with the slice around that one, and it is said; a `.pftrace` has it."""
    held = [event("B", 1), event("X", 1, dur=1), event("X", 2, dur=2, name="held"), event("B", 3)]
    assert (2_000, duration, "held") in shown(held, suffix, tmp_path)
    said = "1 slice of or inside B and E events: Perfetto v51-56 ends them sooner than recorded"
    told = capsys.readouterr().err
    assert said in told
    assert (f"warning: {tmp_path / 'out.json'}: {said}" in told) == (suffix == ".json")


def test_an_end_whose_slice_has_ended_ends_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In JSON the E event ends a B event that has none, which is counted; both formats verify."""
    events = [event("E", 5), event("B", 1), event("B", 3), event("B", 1)]
    events += [event("X", 2, dur=2), event("X", 3, dur=1, name="b"), event("E", 6, name="c")]
    assert (1_000, 4_000, "a") in shown(events, ".json", tmp_path)
    assert "2 slices of or inside B and E events" in capsys.readouterr().err
    assert (3_000, 2_000, "a") in shown(events, ".pftrace", tmp_path)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(unmatched(), max_size=8))
def test_both_formats_show_the_same(tmp_path: Path, events: Events) -> None:
    """JSON and `.pftrace` show the same durations unless Perfetto cuts one; both verify."""
    assume(not is_cut(events, tmp_path))
    assert shown(events, ".json", tmp_path) == shown(events, ".pftrace", tmp_path)
