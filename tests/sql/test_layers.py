"""`phases`: layers, told by kernels that repeat within an iteration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpu_traces import Event, ask, call, note, work
from tp_tools import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

NAME = "execute_context_0(0)_generation_8(8)"
LAYER = ("norm", "qkv", "attention", "mlp")


def iteration(names: Iterable[str], *, stream: int = 7) -> list[Event]:
    """A decode whose graph runs kernels of 80 ns, one every 100 ns."""
    events = [note(NAME, 0, 50), call("cudaGraphLaunch", 10, 20, 1)]
    for place, name in enumerate(names):
        at = 100 + 100 * place
        events.append(work(name, at, at + 80, correlation=1, stream=stream))
    return events


def layers(events: list[Event]) -> tuple[Any, ...]:
    """Layers, kernels of one and its time."""
    (row,) = ask("phases", events)
    return row["layers"], row["layer_kernels"], row["layer_ns"]


def test_layers_between_what_comes_once() -> None:
    """Five layers of four kernels start 400 ns after each other."""
    assert layers(iteration(["embedding", *LAYER * 5, "head", "sample"])) == (5, 4, 400)


def test_layers_that_take_turns_in_one_kernel() -> None:
    """They count one by one: four in five of their kernels are alike."""
    kinds = ("full", "sliding")
    names = [
        name for turn in range(6) for name in ("norm", "qkv", kinds[turn % 2], "mlp", "a", "b")
    ]
    assert layers(iteration(names)) == (6, 6, 600)


def test_layers_that_differ_are_groups() -> None:
    """Three of one kind and one of another make a group that repeats."""
    linear = ("n1", "gate", "scan", "out")
    group = [*linear * 3, *LAYER]
    assert layers(iteration(["embedding", *group * 4, "head"])) == (4, 16, 1600)


@pytest.mark.parametrize(
    "names",
    [
        ["embedding", *LAYER * 3, "head"],
        ["a"] * 30,
        [*LAYER * 4, *(f"other {n}" for n in range(40))],
        [f"kernel {n}" for n in range(30)],
    ],
)
def test_no_layers(names: list[str]) -> None:
    """Three are too few, a kernel is no layer, nor is what fills less than half."""
    assert layers(iteration(names)) == (None, None, None)


def test_other_streams_do_not_disturb() -> None:
    """The stream with most work counts."""
    events = iteration(LAYER * 5)
    aside = [work("copy", at, at + 30, correlation=1, stream=8) for at in range(130, 900, 170)]
    assert layers([*events, *aside]) == (5, 4, 400)


@pytest.mark.parametrize(
    ("name", "count", "kernels"),
    [
        ("b200_vllm_tp8_rank0.json.gz", 36, 25),  # gpt-oss-120b
        ("sglang_qwen3_decode.json.gz", 36, 15),  # Qwen3-8B
        ("vllm_piecewise_graph_execution.json.gz", 24, 17),
    ],
)
def test_recorded(name: str, count: int, kernels: int, real_trace: Callable[[str], Path]) -> None:
    """Layers of recorded models; all of them take no longer than the iteration."""
    rows = query("phases", real_trace(name)).dropna(subset=["phase"])
    assert [(row.layers, row.layer_kernels) for row in rows.itertuples()] == [(count, kernels)]
    assert (rows["layers"] * rows["layer_ns"] <= rows["gpu_dur"]).all()
