"""`module_ops`: GPU time of nn.Modules by op and shapes."""

from __future__ import annotations

from tests.support.backward_ops import BACKWARD_THREAD, backward, kernel, numbered
from tests.support.captured import LAYER, RAN, capture, captured_launches, replay
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
    """Where the capture has no ops, none are known."""
    captures = captured_launches(capture([LAYER]))
    assert {row[0]: row[1:6] for row in found(replay(RAN), captures=captures)} == {
        "Model_0 > Linear_0": (None, None, 0, 2, 50),
        "Model_0 > Mlp_0": (None, None, 0, 1, 40),
        "Model_0 > Norm_0": (None, None, 0, 1, 10),
    }


def mm(rows: int, graph: int) -> list[Event]:
    """An op around the second and the third launch of a captured `LAYER`, and one around these."""
    dims = {"Input Dims": [[rows, 8], [8, 2]]}
    at = 1000 + 150 * graph
    return [
        op("aten::linear", at + 19, at + 40),
        op("aten::mm", at + 19, at + 39, **dims),
        op("aten::gelu", at + 41, at + 45, **{"Input Dims": [[4, 2]]}),
    ]


def test_replays_have_the_ops_that_were_captured() -> None:
    """Of two replays each has a call of the op, which launched two pieces of work."""
    captures = captured_launches([*mm(4, 0), *capture([LAYER])])
    rows = found([*replay(RAN), *replay(RAN, 2, 400)], captures=captures)
    assert [row[:6] for row in rows] == [
        ("Model_0 > Linear_0", "aten::mm", "[4, 8] [8, 2]", 2, 4, 100),
        ("Model_0 > Mlp_0", "aten::gelu", "[4, 2]", 2, 2, 80),
        ("Model_0 > Norm_0", None, None, 0, 2, 20),
    ]
    top = ask("modules", replay(RAN), {"captures": captures})
    assert {row["path"]: (row["top_op"], row["top_dims"]) for row in top} == {
        "Model_0": (None, None),
        "Model_0 > Linear_0": ("aten::mm", "[4, 8] [8, 2]"),
        "Model_0 > Mlp_0": ("aten::gelu", "[4, 2]"),
        "Model_0 > Norm_0": (None, None),
    }


def test_shapes_of_graphs_that_all_fit_are_not_known() -> None:
    """Engines capture a graph for each size of batch: the ops are those of all, the shapes not."""
    captures = captured_launches([*mm(4, 0), *mm(8, 1), *capture([LAYER, LAYER])])
    assert [row[1:3] for row in found(replay(RAN), captures=captures)] == [
        ("aten::mm", None),
        ("aten::gelu", None),
        (None, None),
    ]


def test_ops_of_graphs_that_all_fit_are_not_known() -> None:
    """Where graphs of the same modules differ in ops, none is named."""
    captures = captured_launches([*mm(4, 0), *capture([LAYER, LAYER])])
    assert {row[1:4] for row in found(replay(RAN), captures=captures)} == {(None, None, 0)}
