"""The defects that `info` reports are those that `fix` repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from fixtures.make import FIXTURES, HERE
from tests.support.handmade import kernel, mark, overlap_options, text, trace_of, x
from tests.support.strategies import PURE, events_of, traces
from tp_tools.chrome.reader import read
from tp_tools.files.source import Source
from tp_tools.repair.analysis import analyze
from tp_tools.repair.defects import defects
from tp_tools.repair.perfetto_import import hidden_events
from tp_tools.repair.summary import hidden_of, summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.handmade import Event
    from tests.support.overlap_model import Slice

RECORDED = (
    "alexnet_whole_us",
    "b200_vllm_tp8_rank0",
    "epoch_decimals_rank0",
    "mi300_resnet_ddp8_rank0",
    "train128_rank0",
)


def agree(source: Source) -> None:
    """Compare the defects that `info` reports with the repairs that `fix` makes."""
    analysis = analyze(source, overlap_options())
    found, done = defects(read(source)), summary(analysis)
    assert found.is_sound() == analysis.is_sound()
    assert (found.overlapping > 0) == (done["overlaps"]["concurrent"] + done["trimmed"] > 0)
    assert found.as_object()["hidden"] == done["hidden"]
    assert (found.rebase_ns, found.mended) == (done["rebased_ns"], done["repairs"])


@pytest.mark.parametrize("name", sorted(FIXTURES))
def test_fixtures_have_the_defects_that_fix_repairs(name: str) -> None:
    """For every fixture, the defects are the repairs, neither more nor fewer."""
    agree(Source(HERE / name, name))


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_traces_have_the_defects_that_fix_repairs(
    name: str, real_trace: Callable[[str], Path]
) -> None:
    """For recorded traces, the defects are the repairs as well."""
    path = real_trace(f"{name}.json.gz")
    agree(Source(path, path.name))


@PURE
@given(traces())
def test_hidden_slices_are_those_of_the_model(rows: list[list[Slice]]) -> None:
    """The fast search for hidden slices agrees with the model of Perfetto's importer."""
    trace = trace_of(text(events_of(rows)))
    assert defects(trace).hidden == hidden_of(trace, hidden_events(trace))


@pytest.mark.parametrize(
    "events",
    [
        # B and E events are never dropped, but slices overlap them
        [mark("B", 0, name="b"), mark("E", 5000, name="b"), x("x", 1000, 9000, pid=10, tid=20)],
        [x("x", 0, 5000, pid=10, tid=20), mark("B", 1000, name="b"), mark("E", 9000, name="b")],
        # tid 0 is read as tid 7 under pid 7: two tracks become one
        [x("a", 0, 5000, pid=7, tid=0), x("b", 1000, 9000, pid=7, tid=7)],
        # doubles: 1.7e15 us with decimals
        [x("a", 10**18, 10**18 + 333), x("b", 10**18 + 333, 10**18 + 900)],
    ],
)
def test_hidden_slices_on_misread_tracks(events: list[Event]) -> None:
    """The model decides about B/E pairs, tracks that become one, and rounded times."""
    trace = trace_of(text(events))
    assert defects(trace).hidden == hidden_of(trace, hidden_events(trace))


def test_a_trace_that_fix_refuses() -> None:
    """For a trace that `fix` refuses, `info` says why and reports the other defects."""
    found = defects(
        trace_of(text([kernel("a", 1, 2, 1), kernel("b", 10**19 // 2 + 1, 10**19 // 2 + 2, 2)]))
    )
    assert found.hopeless is not None
    assert "span" in found.hopeless
    assert not found.is_sound()
