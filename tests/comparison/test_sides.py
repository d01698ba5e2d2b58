"""Sides from traces: samples of steps, means of ranks, phases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.comparing import STEP_KEY, kernel, steps
from tests.support.gpu_traces import Event, note, op, work
from tests.support.handmade import text
from tp_tools.comparison import common_phase, ranks, side
from tp_tools.comparison.collection import QUERIES
from tp_tools.comparison.model import CPU_STEP, OP, TIME, Key
from tp_tools.comparison.sides import phases
from tp_tools.engine import load, query_rows
from tp_tools.errors import InputError
from tp_tools.querying import lookup

if TYPE_CHECKING:
    from tp_tools.comparison.ranks import RankSamples


def samples(events: list[Event], *more: str) -> list[RankSamples]:
    """The samples of the ranks of a trace of these events, by the usual queries and more."""
    queries = [lookup.from_file(name) for name in (*QUERIES, ranks.PHASES, *more)]
    with load([text(events)], source="trace.json") as tp:
        return ranks.of_trace({it.title: query_rows(tp, it.sql, it.name) for it in queries}, None)


def test_each_step_is_a_sample() -> None:
    """By hand: kernels of each step, and its time from the end of the step before."""
    made = side("a", samples(steps({"a": 30, "b": 20}, {"a": 40, "b": 20})), "")
    assert made.samples == 2
    assert made.rows[kernel("a")].ns.tolist() == [30, 40]
    assert made.rows[kernel("b")].ns.tolist() == [20, 20]
    assert made.rows[STEP_KEY].ns.tolist() == [60, 80]  # the first begins with its first work
    assert made.facts.unit == "step"
    assert made.launches is not None
    assert made.launches.names == ("a", "b")


def test_a_sample_is_the_mean_of_the_ranks() -> None:
    """Of the steps that all of them recorded; a rank without a kernel counts as 0."""
    one = samples(steps({"a": 30}, {"a": 40}, {"a": 50}))
    other = samples(steps({"a": 50, "b": 8}, {"a": 70, "b": 8}, first=2))
    made = side("job", [*one, *other], "")
    assert made.samples == 2
    assert made.rows[kernel("a")].ns.tolist() == [45, 60]
    assert made.rows[kernel("b")].ns.tolist() == [4, 4]
    assert made.rows[kernel("b")].counts.tolist() == [0.5, 0.5]
    assert made.facts.ranks == 2


def test_ranks_without_a_common_step() -> None:
    """They are no side."""
    ranks_of = [*samples(steps({"a": 30})), *samples(steps({"a": 30}, first=7))]
    with pytest.raises(InputError, match="no step of phase unknown that all 2 ranks recorded"):
        side("job", ranks_of, "")


def test_a_recording_without_steps_is_one_sample() -> None:
    """All its work together."""
    made = side("a", samples([work("a", 0, 10), work("a", 20, 40)]), "")
    assert (made.samples, made.facts.unit) == (1, "recording")
    assert made.rows[kernel("a")].ns.tolist() == [30]


def test_the_phase_that_takes_most_time() -> None:
    """Decode steps are compared with decode steps; the others are counted."""
    names = ["step[EXTEND bs=1 toks=9]", "step[DECODE bs=1]", "step[DECODE bs=1]"]
    events = [note(name, 100 * i, 100 * i + 90) for i, name in enumerate(names)]
    events += [work("k", 100 * i + 10, 100 * i + 10 + dur) for i, dur in enumerate((50, 40, 42))]
    found = samples(events)
    assert common_phase(found, found) == "decode"
    made = side("a", found, "decode")
    assert made.rows[kernel("k")].ns.tolist() == [40, 42]
    assert made.facts.left_out == {"prefill": 1}
    assert phases(found).keys() == {"prefill", "decode"}


def test_no_common_phase() -> None:
    """Steps of a training run and of an engine have none."""
    of_engine = samples([note("step[DECODE bs=1]", 0, 90), work("k", 10, 20)])
    assert common_phase(of_engine, samples(steps({"k": 1}))) is None


def test_work_of_no_step_is_counted() -> None:
    """It is in no sample."""
    made = side("a", samples([*steps({"a": 30}), work("a", 900, 907, correlation=99)]), "")
    assert made.facts.outside_ns == 7
    assert made.rows[kernel("a")].ns.tolist() == [30]


def test_a_step_of_the_cpu_alone() -> None:
    """Without GPU work the time of a step is that of its annotation."""
    made = side("a", samples([note("ProfilerStep#1", 0, 90), note("ProfilerStep#2", 90, 200)]), "")
    assert made.step == Key(TIME, CPU_STEP)
    assert made.rows[made.step].ns.tolist() == [90, 110]
    assert not [key for key in made.rows if key.level == OP]


def test_ops_alone_are_no_side() -> None:
    """Without steps and GPU work there is no time to compare."""
    with pytest.raises(InputError, match="neither steps nor GPU work"):
        side("a", samples([op("aten::mul", 0, 10)], ranks.OPS), "")
