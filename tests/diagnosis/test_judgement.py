"""Judgement: what costs most comes first, and no time is counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.diagnosing import cause, collective, facts, late, numbers, window
from tp_tools.diagnosis import Finding, judge
from tp_tools.diagnosis.numbers import PARTS
from tp_tools.diagnosis.rules import HIDDEN, RULES

if TYPE_CHECKING:
    from tp_tools.diagnosis import Numbers

CAUSES = {
    "cpu": ("data loading", "cpu", "launch call"),
    "sync": ("synchronisation", "memory", "set-up"),
    "dependency": ("dependency", "front end", "late start"),
    "unknown": ("unknown",),
}
"""Causes of idle time by the part of `verdict` that they are of."""

COPY = {"rank": 0, "name": "Memcpy DtoD", "kind": "DtoD", "count": 1, "bytes": None}
COPY |= {"total_ns": 9, "mean_gbps": None}
FAMILY = {"rank": 0, "family": "gemm", "total_ns": 9, "top_name": "k", "top_ns": 9}
FAMILY |= {"plain_product_ns": 0}


def whole(rank: int, split: dict[str, int], **parts: int) -> tuple[dict[str, Any], list[Any]]:
    """Make the row of `verdict` and those of `idle` for a GPU, from its causes of idle time."""
    idle = {part: sum(split[name] for name in names) for part, names in CAUSES.items()}
    causes = [cause(name, ns, rank) for name, ns in split.items() if ns]
    return window(rank, **parts, **idle), causes


NS = st.integers(0, 1000)
SPLIT = st.fixed_dictionaries({name: NS for names in CAUSES.values() for name in names})
BUSY = st.fixed_dictionaries({name: NS for name in PARTS if name not in CAUSES})
BUBBLE = st.none() | NS


@st.composite
def jobs(draw: st.DrawFn) -> Numbers:
    """Draw the numbers of two ranks of a job."""
    devices = [whole(rank, draw(SPLIT), **draw(BUSY)) for rank in (0, 1)]
    bubbles = [
        {"rank": rank, "device": rank, "part": part, "kind": "recv", "message": 1, "ts": 0}
        | {"dur": 9, "bubble_ns": draw(BUBBLE), "waiting_ns": None, "bubble_percent": 5.0}
        for rank in (0, 1)
        for part in ("all", "message")
    ]
    return numbers(
        *[device for device, _ in devices],
        traces=(facts(0, hidden_percent=draw(st.none() | st.floats(0, 100))),),
        idle=[row for _, rows in devices for row in rows],
        copies=[COPY],
        kernel_families=[FAMILY],
        kernels=[{"name": "k", "total_ns": 9}],
        stragglers=[late(1, 5.0)],
        collectives_by_rank=[collective("all_reduce", 9)],
        pipeline=bubbles,
    )


@given(jobs())
def test_no_time_is_counted_twice(given_numbers: Numbers) -> None:
    """Costs of all rules together are the GPU time, whatever bubbles and causes there are."""
    found = [rule.find(given_numbers) for rule in RULES]
    assert sum(it.cost_ns or 0 for it in found if it) == given_numbers.gpu_ns


@given(jobs())
def test_at_most_five_and_the_costly_first(given_numbers: Numbers) -> None:
    """Faults by cost, then what computes, then what Perfetto hides; each reaches its threshold."""
    diagnosis = judge(given_numbers)
    assert len(diagnosis.findings) <= 5
    assert sum(diagnosis.parts.values()) == diagnosis.gpu_ns
    faults = [it.cost_ns or 0 for it in diagnosis.findings if it.is_fault and it.cost_ns]
    assert faults == sorted(faults, reverse=True)
    order = [(it.cost_ns is None, not it.is_fault) for it in diagnosis.findings]
    assert order == sorted(order)
    rules = {rule.kind: rule for rule in RULES}
    for finding in diagnosis.findings:
        if finding.cost_ns is not None:
            share = 100 * finding.cost_ns / diagnosis.gpu_ns
            assert share >= rules[finding.kind].min_percent - 1e-9


@pytest.mark.parametrize(
    ("cpu", "kinds"), [(50, ["launches", "compute"]), (49, ["compute"])], ids=["5.0 %", "4.9 %"]
)
def test_a_finding_needs_its_share(cpu: int, kinds: list[str]) -> None:
    """From the threshold on it is given; below it is not worth a look."""
    device, idle = whole(0, dict.fromkeys(sum(CAUSES.values(), ()), 0) | {"cpu": cpu})
    device["compute_ns"], device["dur"] = 1000 - cpu, 1000
    given_numbers = numbers(
        device, idle=idle, kernel_families=[FAMILY], kernels=[{"name": "k", "total_ns": 9}]
    )
    assert [it.kind for it in judge(given_numbers).findings] == kinds


def test_a_sound_trace_is_called_sound() -> None:
    """Where the only finding is what computes, nothing is wrong."""
    given_numbers = numbers(
        window(compute=990, cpu=10),
        idle=[cause("cpu", 10)],
        kernel_families=[FAMILY],
        kernels=[{"name": "k", "total_ns": 9}],
    )
    diagnosis = judge(given_numbers)
    assert [it.kind for it in diagnosis.findings] == ["compute"]
    said = "Nothing wrong stands out: the GPU computes for 99.0 % of the time."
    assert diagnosis.summary == said
    products = numbers(
        window(compute=990, copy=10),
        kernel_families=[FAMILY | {"plain_product_ns": 6}],
        kernels=[{"name": "k", "total_ns": 9}],
    )
    assert judge(products).summary == f"{said} But products without tensor cores take 66.0 % of it."
    hiding = numbers(window(compute=9), traces=(facts(hidden_percent=9.0),), kernels=[])
    assert judge(hiding).summary.endswith("100.0 % of the time. But the timeline hides kernels.")


def test_without_gpu_work_nothing_is_judged() -> None:
    """A trace of the CPU alone has no findings."""
    diagnosis = judge(numbers(traces=(facts(),)))
    assert (diagnosis.gpu_ns, diagnosis.gpus, diagnosis.findings) == (0, 0, ())
    assert diagnosis.summary.startswith("Nothing ran on a GPU")


def test_hidden_kernels_keep_their_place_among_five() -> None:
    """They cost no time, and yet are not left out for what does; below 1 % they are."""

    def costly(kind: str, cost: int) -> Finding:
        return Finding(kind, kind, "", "", cost, ())

    rules = [
        replace(RULES[0], kind=str(cost), find=lambda _, cost=cost: costly(str(cost), cost))  # type: ignore[misc]
        for cost in range(10, 17)
    ]
    given_numbers = numbers(window(compute=100), traces=(facts(hidden_percent=1.0),), kernels=[])
    diagnosis = judge(given_numbers, rules, most=5)
    assert [it.kind for it in diagnosis.findings] == ["16", "15", "14", "13", HIDDEN.kind]
    assert diagnosis.left_out == 3
    assert (
        diagnosis.summary == "16: 16.0 % of the GPU time; the GPU computes for 100.0 % of the time."
    )
    fewer = numbers(window(compute=100), traces=(facts(hidden_percent=0.9),), kernels=[])
    assert len(judge(fewer, rules, most=5).findings) == 5
    assert HIDDEN.kind not in [it.kind for it in judge(fewer, rules).findings]
