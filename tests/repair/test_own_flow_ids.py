"""Slices that name their flow are joined by it alone, and launches to their own work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.handmade import Event, arrow, arrows, cpu, fixed, kernel, loaded, source_of, text
from tests.support.perfetto_content import both
from tp_tools.repair.verify_json import verify

if TYPE_CHECKING:
    from pathlib import Path

US = 1000
LAUNCHED = [("launch 1", "work 1"), ("launch 2", "work 2")]


def launches() -> list[Event]:
    """Two launches and their kernels, which Perfetto counts as flows 0 and 1."""
    calls = [
        cpu(
            f"launch {i}", 2 * i * US, 2 * i * US + 500, cat="cuda_runtime", args={"correlation": i}
        )
        for i in (1, 2)
    ]
    work = [kernel(f"work {i}", (10 + 2 * i) * US, (11 + 2 * i) * US, i) for i in (1, 2)]
    return [*calls, *work, *(it for i in (1, 2) for it in arrow(i, calls[i - 1], work[i - 1]))]


def named(number: int) -> list[Event]:
    """Two slices of one `bind_id`, which is once a number and once hexadecimal text."""
    out = cpu(f"out {number}", 3 * US, 4 * US, tid=30 + number, bind_id=number, flow_out=True)
    into = cpu(f"in {number}", 30 * US, 31 * US, tid=30 + number, flow_in=True)
    return [out, {**into, "bind_id": hex(number)}]


@pytest.mark.parametrize("numbers", [(0,), (1,), (2,), (4,), (0, 1, 2, 3, 4, 5), (1 << 38, 1)])
def test_flows_of_slices_are_no_launches(numbers: tuple[int, ...], tmp_path: Path) -> None:
    """No small `bind_id` takes the arrow of a launch or gives its own to one, in either form."""
    data = text([*launches(), *(it for number in numbers for it in named(number))])
    result = fixed(data)
    with loaded(result.data) as tp:
        found = sorted(arrows(tp))
    assert found == sorted([*LAUNCHED, *((f"out {it}", f"in {it}") for it in numbers)])
    as_json, as_pftrace = both(source_of(data, tmp_path))
    assert as_json.arrows == as_pftrace.arrows
    (out := tmp_path / "out.json").write_bytes(result.data)
    verify(out, "out.json", result.analysis, None)


def test_only_numbers_that_perfetto_counts_are_new() -> None:
    """Large numbers, those of a trace without flow events, and those of a result stay."""
    large = fixed(text([*launches(), *named(5), *named(1000)]))
    assert not large.analysis.plan.flows.own_ids
    alone = fixed(text([*named(0), *named(1)]))
    assert not alone.analysis.plan.flows.own_ids
    once = fixed(text([*launches(), *named(1)]))
    assert once.analysis.plan.flows.repairs() == {"own_flow_ids": 2}
    assert fixed(once.data).analysis.plan.flows.is_empty()


def test_a_slice_that_is_left_out_ties_nothing(tmp_path: Path) -> None:
    """A slice without a time, whose number would be new, is no slice that the result has to tie."""
    lost = {key: value for key, value in named(1)[0].items() if key != "ts"}
    result = fixed(text([lost, *launches(), *named(1)]))
    assert len(result.analysis.plan.untimed) == 1
    (out := tmp_path / "out.json").write_bytes(result.data)
    verify(out, "out.json", result.analysis, None)
