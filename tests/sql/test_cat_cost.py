"""`roofline` of torch.cat: its input is a list of tensors; only the kernel's name says the type."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gpu_traces import ask, call, copy, op, work

OPAQUE = (
    "void at::native::(anonymous namespace)::CatArrayBatchedCopy_contig<at::native::(anonymous "
    "namespace)::OpaqueType<{}u>, unsigned int, 2, 128, 1>(at::native::X, int)"
)
TYPED = "void at::native::(anonymous namespace)::CatArrayBatchedCopy<{}, unsigned int, 2>(x)"


def cat(dims: list[Any], kernel: str | None) -> tuple[Any, ...]:
    """What is told of a cat of tensors of these shapes, whose kernel, or copy, takes 100 ns."""
    args = {"Input Dims": [dims, []], "Input type": ["TensorList", "Scalar"]}
    moves = copy("Memcpy DtoD (Device -> Device)", 300, 400, correlation=1)
    events = [
        op("aten::cat", 0, 100, **args),
        call("cudaLaunchKernel", 10, 20, 1),
        moves if kernel is None else work(kernel, 300, 400, correlation=1),
    ]
    (row,) = ask("roofline", events)
    return tuple(row[column] for column in ("dims", "flops", "bytes", "gbps", "reason"))


@pytest.mark.parametrize(
    ("kernel", "size"),
    [
        (OPAQUE.format(2), 2),
        (OPAQUE.format(16), 16),
        (TYPED.format("float"), 4),
        (TYPED.format("c10::BFloat16"), 2),
        (TYPED.format("long"), 8),
        (TYPED.format("bool"), 1),
    ],
)
def test_it_reads_and_writes_every_element_once(kernel: str, size: int) -> None:
    """4 x 8, 4 x 2 and 4 x 6 are 64 elements; no arithmetic."""
    moved = 2 * 64 * size
    told = cat([[4, 8], [4, 2], [4, 6]], kernel)
    assert told == ("[4, 8] and 2 more", 0, moved, moved / 100, None)


def test_tensors_of_several_dimensions() -> None:
    """One of five dimensions, one that is empty."""
    told = cat([[1, 2, 3, 4, 5]], OPAQUE.format(4))
    assert told[:3] == ("[1, 2, 3, 4, 5]", 0, 960)
    assert cat([[0], [3, 2]], OPAQUE.format(4))[:3] == ("[0] and 1 more", 0, 48)


@pytest.mark.parametrize(
    ("dims", "kernel", "reason"),
    [
        ([], OPAQUE.format(4), "shapes not recorded"),
        ([[1, 1, 1, 1, 1, 2]], OPAQUE.format(4), "shapes do not fit"),
        ([[4, 8]], TYPED.format("c10::Float8_e4m3fn"), "output type not recorded"),
        ([[4, 8]], "triton_poi_cat", "output type not recorded"),
        ([[4, 8]], None, "output type not recorded"),
    ],
)
def test_what_is_not_recorded_is_not_told(dims: list[Any], kernel: str | None, reason: str) -> None:
    """Neither operations nor bytes, and why."""
    assert cat(dims, kernel)[1:] == (None, None, None, reason)
