"""`roofline`: operations and bytes of ops by shape, achieved, against the peaks of the GPU."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import pytest

import tp_tools
from tests.support.gpu_traces import LINKS, Event, Row, answer, call, copy, op, work
from tests.support.handmade import text
from tests.support.recorded import LoadedRecording, slices
from tp_tools import library
from tp_tools.engine import load, query_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.library import Values

HALF, FLOAT, FP8 = "c10::Half", "float", "c10::Float8_e4m3fn"
NONE, SCALAR, LISTS = "", "Scalar", "ScalarList"


def shapes(dims: list[Any], types: list[str], values: list[str] | None = None) -> dict[str, Any]:
    """The args of an op under record_shapes."""
    concrete = {} if values is None else {"Concrete Inputs": values}
    return {"Input Dims": dims, "Input type": types, **concrete}


def launching(name: str, number: int, *kernels: int, **args: object) -> list[Event]:
    """An op that launches kernels of these durations."""
    at = 1000 * number
    events = [op(name, at, at + 100, **args)]
    for place, dur in enumerate(kernels):
        correlation = 10 * number + place
        launch = at + 10 + 5 * place
        start = 1_000_000 + at + 300 * place
        events += [
            call("cudaLaunchKernel", launch, launch + 2, correlation),
            work("k", start, start + dur, correlation=correlation),
        ]
    return events


def ask(events: list[Event], **values: str | float) -> list[Row]:
    """The rows of the query, with values of its parameters."""
    given: Values = values
    path = library.queries()["roofline"]
    with load([text(events)], source="trace.json") as tp:
        rows = query_rows(tp, library.read(path, given), path.name)
    return [
        {k: v for k, v in zip(rows.columns, row, strict=True) if k not in LINKS}
        for row in rows.rows
    ]


def test_every_column_by_hand() -> None:
    """A product of 64 x 32 by 32 x 16, called twice: 65,536 operations, 7,168 bytes each."""
    args = shapes([[64, 32], [32, 16]], [HALF, HALF])
    events = [
        *launching("aten::mm", 1, 100, 20, **args),
        *launching("aten::mm", 2, 80, **args),
        *launching("aten::flip", 3, 7),
    ]
    unknown = dict.fromkeys(
        ("kind", "dims", "dtype", "flops", "bytes", "tflops", "gbps", "intensity", "peak_tflops")
    )
    more = dict.fromkeys(("peak_gbps", "mfu_percent", "bandwidth_percent", "bound"))
    assert ask(events, gpu="NVIDIA A100-SXM4-40GB") == [
        {
            "rank": None,
            "op": "aten::mm",
            "kind": "gemm",
            "dims": "[64, 32] [32, 16]",
            "dtype": "fp16",
            "calls": 2,
            "gpu_events": 3,
            "gpu_ns": 200,
            "flops": 2 * 64 * 32 * 16,
            "bytes": 2 * (64 * 32 + 32 * 16 + 64 * 16),
            "tflops": 0.655,  # 131,072 / 200 ns = 655.36 GFLOP/s
            "gbps": 71.68,  # 14,336 / 200
            "intensity": 9.143,  # 65,536 / 7,168
            "peak_tflops": 312.0,
            "peak_gbps": 1555.0,
            "mfu_percent": 0.21,
            "bandwidth_percent": 4.61,
            "bound": "memory",  # 0.21 ns of arithmetic, 4.6 ns of memory
            "reason": None,
        },
        {
            "rank": None,
            "op": "aten::flip",
            **unknown,
            **more,
            "calls": 1,
            "gpu_events": 1,
            "gpu_ns": 7,
            "reason": "no formula",
        },
    ]


MATRICES = [[4, 6], [6, 5]]
QKV = [[2, 7, 8, 16], [2, 7, 2, 16], [2, 7, 2, 16]]  # 8 heads of q share 2 of k and v
BHND = [[2, 8, 7, 16], [2, 2, 9, 16], [2, 2, 9, 16]]
PAIRS = 2 * 8 * 7 * 7
QKV_BYTES = 2 * (2 * 2 * 7 * 8 * 16 + 2 * 2 * 7 * 2 * 16)
IMAGE, FILTER = [3, 4, 10, 8], [6, 2, 3, 1]  # two groups
# (10 + 2 - 2 - 1) / 2 + 1 = 5 by (8 + 0 - 0 - 1) / 1 + 1 = 8
STRIDES = ["[2, 1]", "[1, 0]", "[1, 1]"]
CONVOLVED = 3 * 6 * 5 * 8
NORM = ["", "", "", "", "", "True", "0.1", "1e-05"]


def seen(before: int, after: int) -> int:
    """Pairs of 7 queries and 7 keys, of which each query sees so many keys before and after."""
    pairs = [-before <= key - query <= after for query in range(7) for key in range(7)]
    return 2 * 8 * sum(pairs)


COSTS = {
    "addmm adds": (
        "aten::addmm",
        shapes([[5], *MATRICES], [HALF] * 3),
        (2 * 4 * 6 * 5 + 20, 2 * (5 + 24 + 30 + 20), None),
    ),
    "shapes that do not multiply": (
        "aten::mm",
        shapes([[4, 6], [5, 6]], [HALF] * 2),
        (None, None, "shapes do not fit"),
    ),
    "no shapes": ("aten::mm", {}, (None, None, "shapes not recorded")),
    "a batch": (
        "aten::bmm",
        shapes([[3, 4, 6], [3, 6, 5]], [FLOAT] * 2),
        (3 * 240, 4 * 3 * (24 + 30 + 20), None),
    ),
    "a batch is added to": (
        "aten::baddbmm",
        shapes([[3, 4, 5], [3, 4, 6], [3, 6, 5]], [FLOAT] * 3),
        (3 * 260, 4 * 3 * (20 + 24 + 30 + 20), None),
    ),
    "a linear layer": (
        "aten::linear",
        shapes([[2, 4, 6], [5, 6], [5]], [HALF] * 3),
        (2 * (240 + 20), 2 * (48 + 30 + 5 + 40), None),
    ),
    "a vector": (
        "aten::mv",
        shapes([[4, 6], [6]], [FLOAT] * 2),
        (48, 4 * (24 + 6 + 4), None),
    ),
    "8 bits in, 16 out": (
        "aten::_scaled_mm",
        shapes(
            [*MATRICES, [], [], [], [], []],
            [FP8, FP8, FLOAT, FLOAT, NONE, NONE, SCALAR],
            ["", "", "", "", "", "", "15"],
        ),
        (240, 24 + 30 + 2 * 20, None),
    ),
    "8 bits in, not known out": (
        "aten::_scaled_mm",
        shapes([*MATRICES], [FP8, FP8]),
        (240, None, "output type not recorded"),
    ),
    "packed 4 bits": (
        "aten::_scaled_mm",
        shapes(
            [[4, 3], [3, 5], [], [], [], [], []],
            ["c10::Float4_e2m1fn_x2"] * 2 + [FLOAT, FLOAT, NONE, NONE, SCALAR],
            ["", "", "", "", "", "", "15"],
        ),
        (240, 12 + 15 + 2 * 20, None),
    ),
    "groups of rows": (
        "aten::_grouped_mm",
        shapes([[8, 6], [3, 6, 5], [3]], [HALF, HALF, "int"]),
        (2 * 8 * 6 * 5, 2 * (48 + 90 + 40), None),
    ),
    "groups along k": (
        "aten::_grouped_mm",
        shapes([[4, 6], [6, 5], [3]], [HALF, HALF, "int"]),
        (240, 2 * (24 + 30 + 3 * 20), None),
    ),
    "experts": (
        # 9 tokens of 6, 2 of 4 experts each: 6 x 10 (gate and up), 5 x 6
        "vllm::inplace_fused_experts",
        shapes([[9, 6], [4, 10, 6], [4, 6, 5], [9, 2], [9, 2]], [HALF] * 4 + ["int"]),
        (2 * 9 * 2 * (60 + 30), None, "experts not recorded"),
    ),
    "experts of packed weights": (
        "vllm::inplace_fused_experts",
        shapes([[9, 6], [4, 10, 3], [4, 6, 2], [9, 2], [9, 2]], [HALF] * 4 + ["int"]),
        (None, None, "shapes do not fit"),
    ),
    "attention": (
        "aten::_scaled_dot_product_flash_attention",
        shapes(BHND, [HALF] * 3 + [SCALAR] * 2, ["", "", "", "0.", "False"]),
        (4 * 2 * 8 * 7 * 9 * 16, 2 * (2 * 2 * 8 * 7 * 16 + 2 * 2 * 2 * 9 * 16), None),
    ),
    "causal, of unlike lengths": (
        "aten::_scaled_dot_product_flash_attention",
        shapes(BHND, [HALF] * 3 + [SCALAR] * 2, ["", "", "", "0.", "True"]),
        (None, None, "causal or windowed, of unlike lengths"),
    ),
    "windowed, of unlike lengths": (
        "flash_attn::_flash_attn_forward",
        shapes([[2, 7, 8, 16], *[[2, 9, 2, 16]] * 2], [HALF] * 3, [""] * 5 + ["False", "8", "-1"]),
        (None, None, "causal or windowed, of unlike lengths"),
    ),
    "a window wider than unlike lengths": (
        "flash_attn::_flash_attn_forward",
        shapes([[2, 7, 8, 16], *[[2, 9, 2, 16]] * 2], [HALF] * 3, [""] * 5 + ["False", "9", "-1"]),
        (4 * 2 * 8 * 7 * 9 * 16, 2 * (2 * 2 * 8 * 7 * 16 + 2 * 2 * 2 * 9 * 16), None),
    ),
    "a window": (
        "aten::_flash_attention_forward",
        shapes(QKV, [HALF] * 3, [*[""] * 8, "False", "False", "", "2", "1", "", ""]),
        (4 * seen(2, 1) * 16, QKV_BYTES, None),
    ),
    "a window behind, and causal": (
        "flash_attn::_flash_attn_forward",
        shapes(QKV, [HALF] * 3, [*[""] * 5, "True", "2", "2", "0."]),
        (4 * seen(2, 0) * 16, QKV_BYTES, None),
    ),
    "a window of a query's own key": (
        "flash_attn::_flash_attn_forward",
        shapes(QKV, [HALF] * 3, [*[""] * 5, "False", "0", "0", "0."]),
        (4 * seen(0, 0) * 16, QKV_BYTES, None),
    ),
    "a window that hides nothing": (
        "flash_attn::_flash_attn_forward",
        shapes(QKV, [HALF] * 3, [*[""] * 5, "True", "7", "-1", "0."]),
        (2 * PAIRS * 16, QKV_BYTES, None),
    ),
    "a window backward": (
        "aten::_flash_attention_backward",
        shapes([QKV[0], *QKV], [HALF] * 4, [*[""] * 11, "False", "", "", "", "3", "-1"]),
        (10 * seen(3, 7) * 16, 2 * QKV_BYTES, None),
    ),
    "causal": (
        "aten::_flash_attention_forward",
        shapes(QKV, [HALF] * 3, ["", "", "", "", "", "7", "7", "0.", "True"]),
        (2 * PAIRS * 16, QKV_BYTES, None),
    ),
    "causal or not": (
        "aten::_flash_attention_forward",
        shapes(QKV, [HALF] * 3),
        (None, None, "causal or not is not recorded"),
    ),
    "attention backward": (
        "aten::_flash_attention_backward",
        shapes([QKV[0], *QKV], [HALF] * 4, [""] * 11 + ["False"]),
        (10 * PAIRS * 16, 2 * QKV_BYTES, None),
    ),
    "one packed sequence": (
        "flash_attn::_flash_attn_varlen_forward",
        shapes(
            [[7, 8, 16], [7, 2, 16], [7, 2, 16], [2]], [HALF] * 3 + ["int"], [""] * 9 + ["True"]
        ),
        (2 * 8 * 49 * 16, 2 * (2 * 7 * 8 * 16 + 2 * 7 * 2 * 16), None),
    ),
    "packed sequences": (
        "flash_attn::_flash_attn_varlen_forward",
        shapes(
            [[7, 8, 16], [7, 2, 16], [7, 2, 16], [4]], [HALF] * 3 + ["int"], [""] * 9 + ["True"]
        ),
        (None, None, "lengths not recorded"),
    ),
    "pages": (
        "vllm::unified_attention_with_output",
        shapes([[7, 8, 16], [7, 2, 16], [7, 2, 16]], [HALF] * 3),
        (None, None, "lengths not recorded"),
    ),
    "a convolution": (
        "aten::convolution",
        shapes(
            [IMAGE, FILTER, [6]],
            [HALF, HALF, HALF, LISTS, LISTS, LISTS, SCALAR, LISTS, SCALAR],
            ["", "", "", "[2, 1]", "[1, 0]", "[1, 1]", "False", "[0, 0]", "2"],
        ),
        (2 * CONVOLVED * 2 * 3, 2 * (3 * 4 * 80 + 36 + CONVOLVED), None),
    ),
    "a convolution of one stride": (
        "aten::convolution",
        shapes(
            [[3, 4, 10], [6, 4, 3]],
            [HALF] * 2,
            ["", "", "", "[3]", "[1]", "[2]", "False", "[0]", "1"],
        ),
        # (10 + 2 - 4 - 1) / 3 + 1 = 3
        (2 * 3 * 6 * 3 * 12, 2 * (120 + 72 + 54), None),
    ),
    "a transposed convolution": (
        "aten::convolution",
        shapes(
            [[3, 6, 5, 5], [6, 2, 3, 3]],
            [HALF] * 2,
            ["", "", "", "[2, 2]", "[1, 1]", "[1, 1]", "True", "[1, 1]", "2"],
        ),
        # (5 - 1) 2 - 2 + 2 + 1 + 1 = 10, 4 channels
        (2 * 450 * 18, 2 * (450 + 108 + 3 * 4 * 100), None),
    ),
    "strides of 2021": (
        "aten::convolution",
        shapes([IMAGE, FILTER, []], [HALF, HALF, NONE]),
        (None, None, "stride not recorded"),
    ),
    "gradients of weight and bias, which a sum makes": (
        "aten::convolution_backward",
        shapes(
            [[3, 6, 5, 8], IMAGE, FILTER],
            [HALF] * 3,
            ["", "", "", "[6]", *STRIDES, "False", "[0, 0]", "2", "[False, True, True]"],
        ),
        (2 * CONVOLVED * 6, 2 * (3 * 4 * 80 + 36 + CONVOLVED), None),
    ),
    "written": ("aten::fill_", shapes([[4, 5], []], [HALF, SCALAR]), (0, 40, None)),
    "copied and cast": (
        "aten::copy_",
        shapes([[4, 5], [4, 5]], [HALF, FLOAT]),
        (0, 20 * 2 + 20 * 4, None),
    ),
    "spread over each other": (
        "aten::mul",
        shapes([[4, 1], [5]], [HALF, HALF]),
        (20, 2 * (4 + 5 + 20), None),
    ),
    "a number with no dimension keeps the type": (
        "aten::mul",
        shapes([[4, 5], []], [HALF, FLOAT]),
        (20, 2 * 20 + 4 + 2 * 20, None),
    ),
    "two halves make a float": (
        "aten::add",
        shapes([[4], [4]], [HALF, "c10::BFloat16"]),
        (4, 8 + 8 + 16, None),
    ),
    "in place": ("aten::add_", shapes([[4, 5], [5]], [FLOAT, HALF]), (20, 80 + 10 + 80, None)),
    "a comparison": ("aten::gt", shapes([[4, 5], []], [FLOAT, SCALAR]), (20, 80 + 20, None)),
    "a choice": (
        "aten::where",
        shapes([[4, 5], [4, 5], [1]], ["bool", FLOAT, FLOAT]),
        (20, 20 + 80 + 4 + 80, None),
    ),
    "a batch norm that trains": (
        # 5 per element; input and output, weight, bias, mean and variance, these written too
        "aten::native_batch_norm",
        shapes([[2, 3, 4, 5], [3], [3], [3], [3], [], [], []], [HALF, *[FLOAT] * 4], NORM),
        (5 * 120, 2 * 2 * 120 + 4 * 3 * (2 + 4), None),
    ),
    "a batch norm that does not": (
        "aten::cudnn_batch_norm",
        shapes([[2, 3, 4, 5], [3], [3], [3], [3]], [HALF, *[FLOAT] * 4], [*NORM[:5], "False"]),
        (2 * 120, 2 * 2 * 120 + 4 * 3 * (2 + 2), None),
    ),
    "a batch norm without its values": (
        "aten::native_batch_norm",
        shapes([[2, 3, 4, 5], [3], [3]], [HALF, FLOAT, FLOAT]),
        (None, None, "training or not is not recorded"),
    ),
    "a layer norm": (
        "aten::native_layer_norm",
        shapes([[7, 6], [], [6], [6], []], [HALF, LISTS, HALF, HALF, SCALAR]),
        (5 * 42, 2 * (42 + 6 + 6 + 42), None),
    ),
    "a layer norm backward": (
        "aten::native_layer_norm_backward",
        shapes(
            [[7, 6], [7, 6], [], [7, 1], [7, 1], [6], [6], []],
            [HALF, HALF, LISTS, FLOAT, FLOAT, HALF, HALF, LISTS],
        ),
        (9 * 42, 2 * (42 + 42 + 6 + 42 + 2 * 6), None),
    ),
    "vLLM's norm with the sum before it": (
        "_C::fused_add_rms_norm",
        shapes([[7, 6], [7, 6], [6], []], [HALF, HALF, HALF, SCALAR]),
        (5 * 42, 2 * (4 * 42 + 6), None),
    ),
    "softmax to float": (
        "aten::_softmax",
        shapes([[4, 5], [], []], [HALF, SCALAR, SCALAR], ["", "-1", "True"]),
        (5 * 20, 20 * 2 + 20 * 4, None),
    ),
    "softmax backward": (
        "aten::_softmax_backward_data",
        shapes([[4, 5], [4, 5], [], []], [FLOAT, FLOAT, SCALAR, SCALAR]),
        (4 * 20, 4 * 60, None),
    ),
    "a sum of all": ("aten::sum", shapes([[4, 5], []], [FLOAT, NONE], ["", ""]), (20, 84, None)),
    "a sum of all in another type": (
        "aten::sum",
        shapes([[4, 5], []], [HALF, SCALAR], ["", "6"]),
        (20, 2 * 20 + 4, None),
    ),
    "a mean in another type": (
        "aten::mean",
        shapes([[4, 5], [], [], []], [HALF, LISTS, SCALAR, SCALAR], ["", "[1]", "False", "6"]),
        (20, 2 * 20 + 4 * 4, None),
    ),
    "a sum in a type that has no size here": (
        "aten::sum",
        shapes([[4, 5], []], [HALF, SCALAR], ["", "9"]),
        (20, None, "output type not recorded"),
    ),
    "a mean over the last": (
        "aten::mean",
        shapes([[3, 4, 5], [], [], []], [HALF, LISTS, SCALAR, NONE], ["", "[-1]", "True", ""]),
        (60, 2 * (60 + 12), None),
    ),
    "a sum over two": (
        "aten::sum",
        shapes([[3, 4, 5], []], ["bool", LISTS], ["", "[0, 2]", "False", ""]),
        (60, 60 + 8 * 4, None),
    ),
    "a reduction over what is not known": (
        "aten::amax",
        shapes([[3, 4], []], [FLOAT, LISTS]),
        (None, None, "dimensions not recorded"),
    ),
    "whole numbers": (
        "aten::div",
        shapes([[4], []], ["long int", SCALAR]),
        (4, None, "output type not recorded"),
    ),
}


@pytest.mark.parametrize(("name", "args", "expected"), COSTS.values(), ids=COSTS.keys())
def test_costs(
    name: str, args: dict[str, Any], expected: tuple[int | None, int | None, str | None]
) -> None:
    """Operations and bytes worked out by hand from the shapes, or why there are none."""
    (row,) = ask(launching(name, 1, 50, **args))
    assert (row["flops"], row["bytes"], row["reason"]) == expected
    assert (row["calls"], row["gpu_ns"], row["tflops"] is None) == (1, 50, expected[0] is None)


def test_work_is_of_the_op_with_the_formula() -> None:
    """A library's own op inside it launches; what another op of the list does there is its own."""
    args = shapes(
        [IMAGE, FILTER, [6]],
        [HALF] * 3,
        ["", "", "", "[2, 1]", "[1, 0]", "[1, 1]", "False", "[0, 0]", "2"],
    )
    events = [
        op("aten::convolution", 900, 1900, **args),
        op("aten::_convolution", 910, 1890, **args),
        *launching("aten::cudnn_convolution", 1, 30, 40, **args),
        op("aten::add_", 1200, 1300, **shapes([[3, 6, 5, 8], [6, 1, 1]], [HALF] * 2)),
        call("cudaLaunchKernel", 1210, 1220, 5),
        work("bias", 2_000_000, 2_000_009, correlation=5),
    ]
    rows = {row["op"]: (row["gpu_ns"], row["flops"]) for row in ask(events)}
    assert rows == {
        "aten::_convolution": (70, 2 * CONVOLVED * 6),
        "aten::add_": (9, CONVOLVED),
    }


def test_arithmetic_counts_once() -> None:
    """Where a product lies in a product, work of the outer one beside it has no operations."""
    args = shapes([[4, 6], [5, 6]], [HALF] * 2)
    events = [
        op("aten::linear", 900, 3000, **args),
        *launching("aten::mm", 1, 30, **shapes(MATRICES, [HALF] * 2)),
        call("cudaLaunchKernel", 2500, 2510, 5),
        work("layout", 2_000_000, 2_000_009, correlation=5),
    ]
    rows = {row["op"]: (row["gpu_ns"], row["flops"], row["reason"]) for row in ask(events)}
    assert rows == {
        "aten::mm": (30, 240, None),
        "aten::linear": (9, None, "counted inside"),
    }


def test_what_no_op_tells() -> None:
    """Each reason has a row; copies to the host are apart from the op, those within are its own."""
    args = shapes([[4, 5], [4, 5]], [HALF, HALF])
    events = [
        *launching("aten::copy_", 1, 30, **args),
        call("cudaMemcpyAsync", 1050, 1055, 71),
        copy("Memcpy DtoH (Device -> Pinned)", 3_000_000, 3_000_007, correlation=71),
        call("cudaMemcpyAsync", 1060, 1065, 72),
        copy("Memcpy DtoD (Device -> Device)", 3_000_010, 3_000_013, correlation=72),
        call("cudaGraphLaunch", 5000, 5010, 73),
        work("a", 4_000_000, 4_000_001, correlation=73),
        work("b", 4_000_001, 4_000_003, correlation=99),
        call("cudaLaunchKernel", 6000, 6010, 74),
        work("c", 4_000_003, 4_000_007, correlation=74),
        work("ncclDevKernel_AllReduce_Sum_f32_RING_LL(int)", 4_000_010, 4_000_018, correlation=98),
    ]
    rows = [(row["op"], row["gpu_ns"], row["calls"], row["reason"]) for row in ask(events)]
    assert rows == [
        ("aten::copy_", 33, 1, None),
        (None, 8, 0, "communication"),
        ("aten::copy_", 7, 1, "copy"),
        (None, 4, 0, "outside ops"),
        (None, 2, 0, "launch not recorded"),
        (None, 1, 0, "graph replay"),
    ]


def test_no_time_has_no_rate() -> None:
    """A kernel of 0 ns has no rate; its operations are known."""
    (row,) = ask(launching("aten::mm", 1, 0, **shapes(MATRICES, [HALF] * 2)), gpu="H200")
    assert (row["flops"], row["tflops"], row["mfu_percent"]) == (240, None, None)


def product(kernel: str, dtype: str, size: int) -> list[Event]:
    """A square product by a kernel of 1,000 ns."""
    return [
        op("aten::mm", 0, 100, **shapes([[size, size], [size, size]], [dtype] * 2)),
        call("cudaLaunchKernel", 10, 20, 1),
        work(kernel, 1000, 2000, correlation=1),
    ]


@pytest.mark.parametrize(
    ("kernel", "dtype", "expected"),
    [
        ("ampere_sgemm_64x64_nn", FLOAT, "fp32"),
        ("cutlass_80_tensorop_s1688gemm_128x128_32x3_nn", FLOAT, "tf32"),
        ("sm80_xmma_gemm_f32f32_tf32f32_f32_nn_n_tilesize64x64x64", FLOAT, "tf32"),
        ("k", "c10::BFloat16", "bf16"),
        ("k", "double", "fp64"),
    ],
)
def test_the_peak_is_that_of_the_type(kernel: str, dtype: str, expected: str) -> None:
    """Products of floats are tf32's where the kernel's name says so."""
    (row,) = ask(product(kernel, dtype, 64))
    assert row["dtype"] == expected


def test_a_product_of_two_types_has_no_peak() -> None:
    """Tokens in bf16 by experts in fp8: which of them it computes in is not recorded."""
    types = ["c10::BFloat16", FP8, FP8, FLOAT, "int"]
    args = shapes([[9, 6], [4, 10, 6], [4, 6, 5], [9, 2], [9, 2]], types)
    (row,) = ask(launching("vllm::inplace_fused_experts", 1, 50, **args), gpu="NVIDIA H200")
    assert (row["dtype"], row["peak_tflops"], row["mfu_percent"]) == (None, None, None)
    assert (row["flops"], row["tflops"]) == (2 * 9 * 2 * 90, 0.065)  # 3,240 / 50 ns


@pytest.mark.parametrize(
    ("gpu", "tflops", "gbps"),
    [
        ("NVIDIA B200", 2250.0, 8000.0),
        ("NVIDIA GB200", 2500.0, 8000.0),
        ("NVIDIA GB300", 2500.0, 8000.0),
        ("NVIDIA A100-SXM4-80GB", 312.0, 2039.0),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", None, None),
        ("NVIDIA H100 80GB HBM3", 989.4, 3350.0),
        ("NVIDIA H100 PCIe", 756.0, 2000.0),
        ("AMD Instinct MI300X", 1307.4, 5300.0),
        ("mi300x", 1307.4, 5300.0),
        ("NVIDIA L40S", 362.0, 864.0),
        ("Tesla V100-SXM2-32GB", None, 900.0),  # it has no bf16
        ("NVIDIA A1000", None, None),
        ("", None, None),
    ],
)
def test_peaks_of_gpus(gpu: str, tflops: float | None, gbps: float | None) -> None:
    """The name may be in either case; one that is not in the table has no peak."""
    (row,) = ask(product("k", "c10::BFloat16", 64), gpu=gpu)
    assert (row["peak_tflops"], row["peak_gbps"]) == (tflops, gbps)
    assert (row["bound"] is None) == (tflops is None)


def test_peaks_that_are_given() -> None:
    """They go before those of the GPU; arithmetic that takes longer than memory bounds."""
    events = product("k", HALF, 100)  # 2e6 operations in 1,000 ns, 60,000 bytes
    (row,) = ask(events, gpu="H200", peak=4, bandwidth=240)
    assert (row["tflops"], row["gbps"]) == (2.0, 60.0)
    assert (row["mfu_percent"], row["bandwidth_percent"]) == (50.0, 25.0)
    assert row["bound"] == "compute"
    (row,) = ask(events, peak=4, bandwidth=100)
    assert row["bound"] == "memory"


@pytest.mark.parametrize(
    ("names", "params", "expected"),
    [
        (["NVIDIA H200", "NVIDIA H200"], {}, 989.4),
        (["NVIDIA H200"], {"gpu": "MI300X"}, 1307.4),
        (["NVIDIA H200", "NVIDIA B200"], {}, None),
        ([], {}, None),
    ],
)
def test_the_gpu_is_that_of_the_trace(
    tmp_path: Path, names: list[str], params: dict[str, Any], expected: float | None
) -> None:
    """Its header names the GPUs; a value that is given wins; of several kinds none is taken."""
    file = tmp_path / "trace.json"
    gpus = [{"id": number, "name": name} for number, name in enumerate(names)]
    file.write_bytes(text(product("k", HALF, 64), deviceProperties=gpus))
    (peak,) = tp_tools.query("roofline", file, params=params)["peak_tflops"]
    assert peak == expected or expected is peak is None


TRACES = ["b200_vllm_tp8_rank0", "h100_qwen15_chat", "mi300_xdit_sd35_rank0.cut3000"]


@pytest.mark.parametrize("trace", TRACES)
def test_recorded_products(
    trace: str, real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """Operations and calls of all products, from the file: joined to kernels by External id."""
    path = real_trace(f"{trace}.json.gz")
    recorded = slices(path)
    launched = {it.args.get("External id") for it in recorded if it.cat == "kernel"}
    expected = {"calls": 0, "flops": 0, "bytes": 0}
    for it in recorded:
        if it.name in ("aten::mm", "aten::addmm") and it.args["External id"] in launched:
            *added, left, right = [dims for dims in it.args["Input Dims"] if dims][:3]
            if it.name == "aten::mm":
                added, left, right = [], *it.args["Input Dims"][:2]
            result = [left[0], right[1]]
            expected["calls"] += 1
            expected["flops"] += 2 * prod(left) * right[1] + (prod(result) if added else 0)
            size = {"c10::BFloat16": 2, "float": 4}[it.args["Input type"][0]]
            expected["bytes"] += size * sum(map(prod, [*added, left, right, result]))
    rows = [
        row
        for row in answer("roofline", loaded_recording(path))
        if row["op"] in ("aten::mm", "aten::addmm") and row["flops"] is not None
    ]
    assert expected["calls"] > 0
    assert expected == {
        "calls": sum(row["calls"] for row in rows),
        "flops": sum(row["calls"] * row["flops"] for row in rows),
        "bytes": sum(row["calls"] * row["bytes"] for row in rows),
    }
