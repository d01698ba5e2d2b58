"""`modules`: GPU time of nn.Modules, forward and backward."""

from __future__ import annotations

from typing import Any

from tests.support.backward_ops import BACKWARD_THREAD, backward, kernel, numbered
from tests.support.gpu_traces import (
    PROCESS,
    THREAD,
    Event,
    Row,
    ask,
    call,
    note,
    op,
    slice_of,
    work,
)


def module(name: str, ts: int, end: int, *, thread: int = THREAD) -> Event:
    """A call of a module, as the Python tracer writes it."""
    return slice_of("python_function", f"nn.Module: {name}", (PROCESS, thread), ts, end)


def times(events: list[Event]) -> dict[str | None, tuple[int, int, int, int]]:
    """Total, own, backward and own backward GPU time by path, or by reason in brackets."""
    return {
        row["path"] or f"({row['reason']})": (
            row["gpu_ns"],
            row["self_gpu_ns"],
            row["backward_gpu_ns"],
            row["self_backward_gpu_ns"],
        )
        for row in ask("modules", events)
    }


def test_every_column_by_hand() -> None:
    """A module calls another one twice; both launch, and so does code outside of them."""
    dims = {"Input Dims": [[4, 8], [], [8, 2]]}
    events = [
        module("Net_0", 0, 1000),
        module("Linear_0", 100, 300),
        op("aten::mm", 110, 290, **dims),
        *kernel(1, 120, 30),
        module("Linear_0", 400, 500),
        op("aten::mm", 410, 490, **dims),
        *kernel(2, 420, 20),
        op("aten::add", 600, 700),
        *kernel(3, 610, 5),
        *kernel(4, 2000, 7),
    ]
    none: dict[str, Any] = {"rank": None, "reason": None}
    zero = {"backward_gpu_ns": 0, "self_backward_gpu_ns": 0}
    assert ask("modules", events) == [
        {
            **none,
            "path": "Net_0",
            "name": "Net_0",
            "depth": 1,
            "calls": 1,
            "cpu_ns": 1000,
            "gpu_events": 3,
            "gpu_ns": 55,
            "self_gpu_ns": 5,
            **zero,
            "top_op": "aten::add",
            "top_dims": None,
        },
        {
            **none,
            "path": "Net_0 > Linear_0",
            "name": "Linear_0",
            "depth": 2,
            "calls": 2,
            "cpu_ns": 300,
            "gpu_events": 2,
            "gpu_ns": 50,
            "self_gpu_ns": 50,
            **zero,
            "top_op": "aten::mm",
            "top_dims": "[4, 8] - [8, 2]",
        },
        {
            "rank": None,
            "path": None,
            "name": None,
            "depth": None,
            "calls": 0,
            "cpu_ns": 0,
            "gpu_events": 1,
            "gpu_ns": 7,
            "self_gpu_ns": 7,
            **zero,
            "top_op": None,
            "top_dims": None,
            "reason": "outside modules",
        },
    ]


def test_backward_work_is_of_the_module_of_its_forward_op() -> None:
    """Of the ops with its number the one that began last made the node."""
    events = [
        module("Net_0", 0, 1000),
        numbered("aten::relu", 10, 90, 5),
        module("Linear_0", 100, 300),
        numbered("aten::linear", 110, 290, 6),
        numbered("aten::addmm", 120, 280, 6),
        *kernel(1, 130, 30),
        backward("evaluate_function: AddmmBackward0", 1000, 1100, 6),
        backward("AddmmBackward0", 1010, 1090, 6),
        op("aten::mm", 1020, 1080, thread=BACKWARD_THREAD),
        *kernel(2, 1030, 60, thread=BACKWARD_THREAD),
        backward("ReluBackward0", 1200, 1300, 5),
        *kernel(3, 1210, 4, thread=BACKWARD_THREAD),
    ]
    assert times(events) == {
        "Net_0": (94, 4, 64, 4),
        "Net_0 > Linear_0": (90, 90, 60, 60),
    }


def test_numbers_that_two_threads_have() -> None:
    """The forward thread is the one with most of the numbers; where two have as many, none is."""
    events = [
        module("A_0", 0, 100),
        numbered("aten::mul", 10, 20, 1),
        numbered("aten::mul", 30, 40, 2),
        module("B_0", 0, 100, thread=30),
        numbered("aten::mul", 10, 20, 1, thread=30),
        backward("MulBackward0", 1000, 1100, 1),
        *kernel(1, 1010, 5, thread=BACKWARD_THREAD),
        backward("MulBackward0", 1200, 1300, 2),
        *kernel(2, 1210, 3, thread=BACKWARD_THREAD),
    ]
    assert times(events)["A_0"] == (8, 8, 8, 8)
    equal = [event for event in events if event["args"].get("Sequence number") != 2]
    assert times(equal)["(forward not recorded)"] == (5, 5, 5, 5)
    assert times(equal)["(outside modules)"] == (3, 3, 0, 0)


def test_a_checkpoint_calls_a_module_again() -> None:
    """What a backward op calls again is of the module's own path, not of the op's module."""
    events = [
        module("Net_0", 0, 1000),
        module("Block_0", 100, 300),
        module("Act_0", 150, 200),
        numbered("aten::relu", 160, 190, 3),
        *kernel(1, 170, 10),
        backward("ReluBackward0", 2000, 2500, 3),
        module("Block_0", 2010, 2300, thread=BACKWARD_THREAD),
        module("Act_0", 2020, 2200, thread=BACKWARD_THREAD),
        *kernel(2, 2030, 20, thread=BACKWARD_THREAD),
        *kernel(3, 2400, 40, thread=BACKWARD_THREAD),
    ]
    assert times(events) == {
        "Net_0": (70, 0, 40, 0),
        "Net_0 > Block_0": (70, 0, 40, 0),
        "Net_0 > Block_0 > Act_0": (70, 70, 40, 40),
    }
    calls = {row["path"]: row["calls"] for row in ask("modules", events)}
    assert calls == {"Net_0": 1, "Net_0 > Block_0": 2, "Net_0 > Block_0 > Act_0": 2}


def test_annotations_stand_in_for_modules() -> None:
    """Without Python stacks the user's annotations are the modules; marks of steps are none."""
    events = [
        note("ProfilerStep#3", 0, 1000),
        note("execute_context_1(4)_generation_0(0)", 0, 900),
        note("layer 1", 100, 300),
        note("attention", 150, 200),
        *kernel(1, 160, 10),
        *kernel(2, 500, 3),
    ]
    assert times(events) == {
        "layer 1": (10, 0, 0, 0),
        "layer 1 > attention": (10, 10, 0, 0),
        "(outside modules)": (3, 3, 0, 0),
    }
    with_stacks = [*events, module("Net_0", 450, 600)]
    assert times(with_stacks) == {
        "Net_0": (3, 3, 0, 0),
        "(outside modules)": (10, 10, 0, 0),
    }


def test_work_of_no_module_says_why() -> None:
    """Each reason has a row, with what it holds."""
    events = [
        module("Net_0", 0, 100),
        call("cudaGraphLaunch", 200, 210, 1),
        work("a", 300, 301, correlation=1),
        work("b", 301, 303, correlation=99),
        backward("MulBackward0", 1000, 1100, 8),
        *kernel(2, 1010, 4, thread=BACKWARD_THREAD),
        *kernel(3, 2000, 8),
    ]
    assert times(events) == {
        "Net_0": (0, 0, 0, 0),
        "(graph replay)": (1, 1, 0, 0),
        "(launch not recorded)": (2, 2, 0, 0),
        "(forward not recorded)": (4, 4, 4, 4),
        "(outside modules)": (8, 8, 0, 0),
    }
    assert times(kernel(1, 10, 5)) == {"(no modules recorded)": (5, 5, 0, 0)}


def test_a_graph_that_a_module_launches_is_its_work() -> None:
    """Graphs of parts of a model, as vLLM has them, are of the module that launches them."""
    events = [
        module("Layer_0", 0, 100),
        call("cudaGraphLaunch", 20, 30, 1),
        work("a", 300, 310, correlation=1),
        work("b", 310, 315, correlation=1),
    ]
    assert times(events) == {"Layer_0": (15, 15, 0, 0)}


def test_work_without_a_call_is_of_its_op() -> None:
    """Where no launch call is recorded, the op of the External id says the module."""
    events = [
        module("Net_0", 0, 100),
        op("aten::mm", 10, 50, **{"External id": 4}),
        work("k", 300, 310, **{"External id": 4}),
    ]
    rows: list[Row] = ask("modules", events)
    assert [(row["path"], row["self_gpu_ns"], row["top_op"]) for row in rows] == [
        ("Net_0", 10, "aten::mm")
    ]


def test_only_some_names() -> None:
    """`name` is a pattern of module names; work of no module is left out with them."""
    events = [module("Net_0", 0, 100), module("Linear_0", 10, 50), *kernel(1, 20, 30)]
    events += kernel(2, 200, 5)
    rows = ask("modules", events, {"name": "Lin*"})
    assert [(row["name"], row["gpu_ns"]) for row in rows] == [("Linear_0", 30)]
