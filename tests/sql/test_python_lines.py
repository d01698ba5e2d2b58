"""`python_lines`: GPU time of lines of Python, forward and backward."""

from __future__ import annotations

from tests.support.backward_ops import BACKWARD_THREAD, backward, kernel, numbered
from tests.support.gpu_traces import PROCESS, THREAD, Event, Row, ask, slice_of, work

MAIN, STEP, LINEAR = "train.py(1): main", "train.py(9): step", "torch/nn/linear.py(3): forward"


def line(name: str, ts: int, end: int, *, thread: int = THREAD) -> Event:
    """A call of a Python function, as the Python tracer writes it."""
    return slice_of("python_function", name, (PROCESS, thread), ts, end)


def found(events: list[Event], *columns: str) -> dict[str, tuple[object, ...]]:
    """Some columns of each row, by line, or by reason in brackets."""
    rows: list[Row] = ask("python_lines", events)
    return {
        row["python_line"] or f"({row['reason']})": tuple(row[it] for it in columns) for row in rows
    }


def test_work_is_of_the_innermost_line_that_is_not_of_torch() -> None:
    """A function has what it launched itself, and with what it called; PyTorch's are skipped."""
    events = [
        line(MAIN, 0, 100),
        line(STEP, 10, 50),
        line(LINEAR, 12, 40),
        *kernel(1, 20, 100),
        *kernel(2, 60, 7),
    ]
    assert found(events, "calls", "gpu_events", "gpu_ns", "self_gpu_ns") == {
        MAIN: (1, 2, 107, 7),
        STEP: (1, 1, 100, 100),
    }


def test_lines_of_torch_are_shown_where_there_is_no_other() -> None:
    """Work of which every function around is PyTorch's belongs to the innermost of them."""
    events = [line("torch/_ops.py(1): call", 0, 100), line(LINEAR, 12, 40), *kernel(1, 20, 100)]
    assert found(events, "gpu_ns", "self_gpu_ns") == {LINEAR: (100, 100)}


def test_a_function_that_calls_itself_counts_once() -> None:
    """Both calls are counted, and the work within both of them once."""
    events = [line(STEP, 0, 100), line(STEP, 10, 50), *kernel(1, 20, 100), *kernel(2, 60, 7)]
    assert found(events, "calls", "gpu_events", "gpu_ns", "self_gpu_ns") == {STEP: (2, 2, 107, 107)}


def test_a_launch_at_the_end_of_a_call_is_of_the_next_one() -> None:
    """Two calls meet where work is launched."""
    events = [line(STEP, 0, 20), line(MAIN, 20, 40), *kernel(1, 20, 100)]
    assert found(events, "gpu_ns", "self_gpu_ns") == {MAIN: (100, 100)}


def test_work_of_the_backward_pass_is_of_the_line_of_its_forward_op() -> None:
    """It counts for all functions around the forward op, and is told apart."""
    events = [
        line(MAIN, 0, 100),
        line(STEP, 10, 50),
        numbered("aten::linear", 12, 30, 7),
        *kernel(1, 20, 100),
        backward("LinearBackward0", 200, 300, 7),
        *kernel(2, 220, 30, thread=BACKWARD_THREAD),
    ]
    assert found(events, "gpu_events", "gpu_ns", "self_gpu_ns", "backward_gpu_ns", "top_op") == {
        MAIN: (2, 130, 0, 30, None),
        STEP: (2, 130, 130, 30, "aten::linear"),
    }


def test_all_other_work_has_a_reason() -> None:
    """No forward op, no launch, and a thread without Python: a row each, and the sum is whole."""
    events = [
        line(MAIN, 0, 100),
        *kernel(1, 20, 100),
        backward("LinearBackward0", 200, 300, 8),
        *kernel(2, 220, 30, thread=BACKWARD_THREAD),
        *kernel(3, 400, 5, thread=33),
        work("k4", 900_000, 900_002, correlation=4),
    ]
    assert found(events, "gpu_events", "self_gpu_ns") == {
        MAIN: (1, 100),
        "(forward not recorded)": (1, 30),
        "(outside Python)": (1, 5),
        "(launch not recorded)": (1, 2),
    }


def test_a_trace_without_stacks_says_so() -> None:
    """All work is in one row, with the reason; modules are no lines."""
    events = [
        slice_of("python_function", "nn.Module: A_0", (PROCESS, THREAD), 0, 100),
        *kernel(1, 20, 100),
    ]
    assert found(events, "self_gpu_ns") == {"(no Python lines recorded)": (100,)}


def test_lines_are_chosen_by_a_pattern() -> None:
    """`--set name=` takes functions whose lines match."""
    events = [line(MAIN, 0, 100), line(STEP, 10, 50), *kernel(1, 20, 100)]
    rows = ask("python_lines", events, {"name": "*: step"})
    assert [row["python_line"] for row in rows] == [STEP]
