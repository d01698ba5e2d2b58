"""Slices that are shown are held against those of the text, by start, duration and name."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import arrow, cpu, kernel, text, trace_of
from tests.support.strategies import PURE
from tp_tools.errors import VerificationError
from tp_tools.processes.pool import ALONE
from tp_tools.progress import SILENT
from tp_tools.repair.shown import Loading, ask
from tp_tools.repair.verify_flows import Launches
from tp_tools.repair.verify_shown import SliceKeys, check_slices, prove_shown, written_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

US = 1000
KEYS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from("ab")), max_size=5)


def keys(rows: list[tuple[int, int, str]], names: list[str]) -> SliceKeys:
    """Slices of these starts, durations and names; a name that is there twice stands for both."""
    numbers = [np.array([row[i] for row in rows], np.int64) for i in range(2)]
    codes = [names.index(row[2]) + 2 * (i % 2) for i, row in enumerate(rows)]
    return SliceKeys((numbers[0], numbers[1]), np.array(codes, np.int32), [*names, *names])


@PURE
@given(KEYS, KEYS)
def test_slices_pass_if_there_are_as_many_of_each(
    shown: list[tuple[int, int, str]], planned: list[tuple[int, int, str]]
) -> None:
    """In whatever order, and however names are numbered; an error counts those that differ."""
    here, there = keys(shown, ["a", "b"]), keys(planned, ["b", "a"])
    missing, extra = Counter(planned) - Counter(shown), Counter(shown) - Counter(planned)
    if not (missing or extra):
        check_slices("t", here, there)
        return
    said = f"t: {missing.total()} slices are not shown and {extra.total()} are shown wrongly"
    with pytest.raises(VerificationError, match=said) as error:
        check_slices("t", here, there)
    assert str(next(iter(missing or extra))) in str(error.value)


def longer(events: list[dict[str, Any]]) -> None:
    """A kernel ends 1 ns later."""
    events[0]["dur"] += 0.001


def later(events: list[dict[str, Any]]) -> None:
    """A kernel starts 1 ns later."""
    events[0]["ts"] += 0.001


def renamed(events: list[dict[str, Any]]) -> None:
    """A kernel has another name."""
    events[0]["name"] = "other"


def dropped(events: list[dict[str, Any]]) -> None:
    """A kernel is missing."""
    del events[0]


def twice(events: list[dict[str, Any]]) -> None:
    """A kernel is there twice."""
    events.append({**events[0], "tid": 8})


FIRST, CALL = kernel("k", 5 * US, 9 * US, 1), cpu("call", 0, US, args={"correlation": 1})
DATA = text([FIRST, CALL, *arrow(1, CALL, FIRST), kernel("k", 10 * US, 12 * US, 2)])


def prove(shown: bytes, folder: Path) -> None:
    """Proves that TraceProcessor shows of this text what is in `DATA`."""
    path = folder / "out.json"
    path.write_bytes(shown)
    written = written_keys("t", trace_of(DATA), SILENT)
    answer = ask(Loading(path, "t", None, None, allow_loss=True), ALONE)
    prove_shown("t", written, Launches(Counter(), {}, set(), {}), answer)


def test_what_is_written_is_shown(tmp_path: Path) -> None:
    """Perfetto shows a sound text as it is."""
    prove(DATA, tmp_path)


@pytest.mark.parametrize("damage", [longer, later, renamed, dropped, twice])
def test_what_perfetto_shows_is_compared_by_itself(
    damage: Callable[[list[dict[str, Any]]], None], tmp_path: Path
) -> None:
    """A slice that TraceProcessor shows otherwise than it was read from the text is noticed."""
    document = json.loads(DATA)
    damage(document["traceEvents"])
    with pytest.raises(VerificationError, match="slices are not shown and"):
        prove(json.dumps(document).encode(), tmp_path)
