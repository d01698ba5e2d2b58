"""Slices and tracks of a part of a trace have the ids that v52 gives them in the whole trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make import HERE
from tests.support.handmade import micros, text
from tests.support.places import recorded
from tests.support.strategies import LOADING
from tp_tools import engine
from tp_tools.files.source import Source
from tp_tools.progress import SILENT
from tp_tools.querying.trace_loader import LoadOptions, load_planned
from tp_tools.querying.viewer_ids import as_in_viewer
from tp_tools.repair import OverlapOptions
from tp_tools.repair.analysis import analyze

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.engine.processor import Processor

SLICES = "SELECT id, ts, name, category, track_id FROM slice"
KINDS = ("a", "b")

Row = tuple[Any, ...]


def seen(tp: Processor) -> dict[int | None, Row]:
    """The slices by their ids in the viewer; NULL is the id of a track that is not known."""
    rows = as_in_viewer(engine.query_rows(tp, SLICES), tp, SILENT).rows
    return {row[0]: row[1:] for row in rows}


def check(path: Path, *needs: str, tracks_known: bool, start_known: bool = False) -> None:
    """Compare parts of a trace with the whole.

    Args:
        path: the trace.
        needs: categories of each part.
        tracks_known: whether ids of tracks have to be known.
        start_known: whether the start of the whole has to be, from which the viewer counts: that
            of trace_bounds.
    """
    source = Source(path, path.name)
    analyzed = analyze(source, OverlapOptions(engine="embedded"))
    with load_planned(source, analyzed, LoadOptions("embedded")) as tp:
        whole = seen(tp)
        [(start_ns,)] = engine.rows(tp, "SELECT start_ts FROM trace_bounds")
    for need in needs:
        how = LoadOptions("embedded", needs=frozenset(need.split()))
        with load_planned(source, analyzed, how) as tp:
            part = seen(tp)
            is_known = tp.track_ids is not None or not tp.is_partial
        last = None if is_known else -1
        assert part.keys() <= whole.keys()
        assert all(row[:last] == whole[number][:last] for number, row in part.items())
        assert not start_known or tp.start_ns == start_ns
        if tracks_known:
            assert is_known


PARTS = ("user_annotation", "kernel cuda_runtime flows", "cpu_op gpu_memcpy")


@pytest.mark.parametrize("path", sorted(HERE.glob("*.json.gz")), ids=lambda path: path.name)
def test_fixtures(path: Path) -> None:
    """Ids and start are those of the whole in every fixture, with arrows and without."""
    check(path, *PARTS, tracks_known=True, start_known=True)


@pytest.mark.parametrize("name", recorded("**/*.json.gz"))
def test_recorded(name: str, real_trace: Callable[[str], Path]) -> None:
    """Ids and start are those of the whole in every recorded trace, with arrows and without."""
    check(real_trace(name), *PARTS, tracks_known=True, start_known=True)


@st.composite
def events(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of every phase on few tracks at few times."""
    found = []
    for number in range(draw(st.integers(1, 30))):
        event: dict[str, Any] = {
            "ph": draw(st.sampled_from("XXXXBEiIRbnestfCM")),
            "name": f"n{number % 7}",
            "cat": draw(st.sampled_from(KINDS)),
            "pid": draw(st.sampled_from([0, 1, -1, "p"])),
            "tid": draw(st.sampled_from([0, 1, 2])),
            "ts": micros(draw(st.integers(0, 8)) * 500),
        }
        if event["ph"] == "X":
            event["dur"] = draw(st.none() | st.integers(0, 4).map(lambda it: micros(it * 700)))
        elif event["ph"] in "bnestf":
            event["id"] = draw(st.integers(1, 3))
        elif event["ph"] in "iIR":
            event["s"] = draw(st.sampled_from("tpg"))
        elif event["ph"] == "C":
            event["args"] = {draw(st.sampled_from(KINDS)): number}
        elif event["ph"] == "M":
            event |= {"name": "thread_name", "args": {"name": "t"}}
        found.append(event)
    return found


@LOADING
@given(events())
def test_any_events(tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, Any]]) -> None:
    """Ids are those of the whole trace for events of any phase, order and time."""
    path = tmp_path_factory.mktemp("ids") / "t.json"
    path.write_bytes(text(found))
    check(path, "a", "b flows", "neither", tracks_known=not {*"bneC"} & {it["ph"] for it in found})
