"""Durations and overlaps of matched kernels, worked out by hand."""

from __future__ import annotations

from msgspec.structs import replace

from tests.support.crosschecking import column
from tp_tools.crosscheck.figures import durations, overlaps
from tp_tools.crosscheck.model import KINETO, NSYS, Pairs, Recording


def kernels(*times: tuple[int, int], stream: int = 7) -> Recording:
    """Kernels by start and end, in order."""
    count = len(times)
    return Recording(
        "file",
        ["gemm"] * count,
        ["gemm"] * count,
        [()] * count,
        column([begin for begin, _ in times]),
        column([end - begin for begin, end in times]),
        column([begin for begin, _ in times]),
        column([stream] * count),
        column([]),
    )


def all_pairs(count: int) -> Pairs:
    """Each kernel matches the one of its number."""
    return Pairs(column(range(count)), column(range(count)))


def test_durations_by_name() -> None:
    """Medians of each side, and of the ratio kernel by kernel."""
    one = kernels((0, 100), (200, 300), (400, 600))
    other = kernels((0, 110), (200, 300), (400, 640))
    [row] = durations(one, other, all_pairs(3))
    assert (row.count, row.kineto_ns, row.nsys_ns, row.ratio) == (3, 100, 110, 1.1)
    assert (round(row.ratio_low or 0, 3), round(row.ratio_high or 0, 3)) == (1.01, 1.19)


def test_names_in_order_of_time() -> None:
    """The kernel that takes most time of Kineto comes first, each with both spellings."""
    one = replace(kernels((0, 100), (200, 500)), names=["gemm<1>", "norm<2>"])
    other = replace(one, names=["gemm<(int)1>", "norm<(int)2>"])
    found = durations(one, other, all_pairs(2))
    assert [(it.name, it.nsys_name) for it in found] == [
        ("norm<2>", "norm<(int)2>"),
        ("gemm<1>", "gemm<(int)1>"),
    ]


def test_overlaps_of_each() -> None:
    """The second kernel overlaps the first in both, the third the second in Kineto alone."""
    one = kernels((0, 100), (90, 200), (150, 300), (300, 400))
    other = kernels((0, 100), (95, 200), (200, 300), (300, 400))
    found = overlaps(one, other, all_pairs(4))
    assert found.kernels == {KINETO: 2, NSYS: 1}
    assert found.total_ns == {KINETO: 10 + 50, NSYS: 5}
    assert (found.both, found.only) == (1, {KINETO: 1, NSYS: 0})


def test_overlaps_are_those_of_a_stream() -> None:
    """Kernels of two streams run at once without overlapping in this sense."""
    one = replace(kernels((0, 100), (50, 150)), streams=column([7, 8]))
    assert overlaps(one, one, all_pairs(2)).kernels == {KINETO: 0, NSYS: 0}


def test_a_long_kernel_is_overlapped_by_several() -> None:
    """What counts is the one of the latest end, for the time in which both run."""
    one = kernels((0, 300), (50, 100), (200, 350))
    found = overlaps(one, one, all_pairs(3))
    assert (found.kernels[KINETO], found.total_ns[KINETO], found.both) == (2, 50 + 100, 2)
