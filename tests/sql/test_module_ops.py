"""`module_ops`: GPU time of nn.Modules by op and shapes."""

from __future__ import annotations

import json

from tests.support.backward_ops import BACKWARD_THREAD, backward, kernel, numbered
from tests.support.captured import LAYER, RAN, capture, replay
from tests.support.gpu_traces import PROCESS, THREAD, Event, ask, op, slice_of

COLUMNS = ("path", "op", "dims", "calls", "gpu_events", "gpu_ns", "backward_gpu_ns", "reason")


def module(name: str, ts: int, end: int) -> Event:
    """A call of a module, as the Python tracer writes it."""
    return slice_of("python_function", f"nn.Module: {name}", (PROCESS, THREAD), ts, end)


def found(events: list[Event], **values: str) -> list[tuple[object, ...]]:
    """All columns but the rank, of each row."""
    return [tuple(row[it] for it in COLUMNS) for row in ask("module_ops", events, values)]


def test_every_shape_has_a_row() -> None:
    """Calls of one op with equal shapes are one row, those with others another one."""
    one, other = ({"Input Dims": [[size, 8], [8, 2]]} for size in (4, 16))
    events = [
        module("Linear_0", 0, 500),
        op("aten::mm", 10, 90, **one),
        *kernel(1, 20, 30),
        op("aten::mm", 110, 190, **one),
        *kernel(2, 120, 20),
        op("aten::mm", 210, 290, **other),
        *kernel(3, 220, 100),
        *kernel(4, 300, 5),
        op("aten::add", 600, 700),
        *kernel(5, 610, 7),
    ]
    assert found(events) == [
        ("Linear_0", "aten::mm", "[16, 8] [8, 2]", 1, 1, 100, 0, None),
        ("Linear_0", "aten::mm", "[4, 8] [8, 2]", 2, 2, 50, 0, None),
        (None, "aten::add", None, 1, 1, 7, 0, "outside modules"),
        ("Linear_0", None, None, 0, 1, 5, 0, None),
    ]
    assert [row[0] for row in found(events, path="Lin*")] == ["Linear_0"] * 3


def test_the_backward_pass_has_its_own_ops() -> None:
    """Its work is of the module of the forward op, and of the op that launched it."""
    events = [
        module("Linear_0", 0, 100),
        numbered("aten::linear", 12, 30, 7),
        *kernel(1, 20, 100),
        backward("LinearBackward0", 200, 300, 7),
        *kernel(2, 220, 30, thread=BACKWARD_THREAD),
    ]
    assert found(events) == [
        ("Linear_0", "aten::linear", None, 1, 1, 100, 0, None),
        ("Linear_0", "LinearBackward0", None, 1, 1, 30, 30, None),
    ]


def test_replays_are_of_the_modules_that_were_captured() -> None:
    """Their ops are not known: the capture has them, not the replay."""
    columns = ("graph", "node", "is_copy", "kernel_hash", "path")
    rows = ask("captures", capture([LAYER]))
    captures = json.dumps([[row[name] for name in columns] for row in rows])
    assert {row[0]: row[1:6] for row in found(replay(RAN), captures=captures)} == {
        "Model_0 > Linear_0": (None, None, 0, 2, 50),
        "Model_0 > Mlp_0": (None, None, 0, 1, 40),
        "Model_0 > Norm_0": (None, None, 0, 1, 10),
    }
