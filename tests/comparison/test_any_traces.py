"""Any two traces are compared or refused; any trace is the same as itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given

from tests.support.gpu_strategies import gpu_events
from tests.support.handmade import text
from tests.support.strategies import LOADING
from tp_tools.comparison import baseline, common_phase, compare, gating, ranks, report, side
from tp_tools.comparison.collection import QUERIES
from tp_tools.comparison.verdicts import PASS, REGRESSION, UNJUDGED
from tp_tools.engine import load, query_rows
from tp_tools.errors import InputError
from tp_tools.querying import lookup
from tp_tools.reporting import comparison_page

if TYPE_CHECKING:
    from tests.support.gpu_traces import Event
    from tp_tools.comparison import Side
    from tp_tools.comparison.ranks import RankSamples


def samples(events: list[Event]) -> list[RankSamples]:
    """The samples of the ranks of a trace of these events."""
    names = (*QUERIES, ranks.PHASES, ranks.OPS, ranks.MODULES)
    queries = [lookup.from_file(name) for name in names]
    with load([text(events)], source="trace.json", allow_loss=True) as tp:
        return ranks.of_trace({it.title: query_rows(tp, it.sql, it.name) for it in queries}, None)


def sides(one: list[Event], other: list[Event]) -> tuple[Side, Side] | None:
    """Sides of two traces; None where they are refused."""
    a, b = samples(one), samples(other)
    phase = common_phase(a, b)
    try:
        return None if phase is None else (side("a", a, phase), side("b", b, phase))
    except InputError as error:
        assert "neither steps nor GPU work" in str(error)  # noqa: PT017  it may be raised
        return None


@LOADING
@given(gpu_events(), gpu_events())
def test_any_two(one: list[Event], other: list[Event]) -> None:
    """All forms of the comparison can be written, and whatever metric is judged."""
    made = sides(one, other)
    if made is None:
        return
    for exact in (False, True):
        found = compare(*made, exact=exact)
        json.dumps(report.as_object(found), allow_nan=False)
        assert list(report.markdown(found, None, show_all=True))
        assert comparison_page.html(found, show_all=True)
    for metric in ("step_time", "gpu_busy", "launch_gap", "exposed_comm", "busbw", "kernel:*"):
        judged = gating.gate(*made, (metric,))
        assert judged.code in {PASS, REGRESSION, UNJUDGED}
    json.loads(baseline.text(made[0]))


@LOADING
@given(gpu_events())
def test_any_one(events: list[Event]) -> None:
    """Nothing changed from a trace to itself, and no metric regressed."""
    made = sides(events, events)
    if made is None:
        return
    compared = compare(*made)
    assert {change.verdict for change in (compared.step, *compared.changes)} == {"same"}
    assert gating.judge(*made, "step_time", 0.05).code != REGRESSION
