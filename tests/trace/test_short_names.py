"""Short names of kernels: readable, one per kernel, the same ones each time."""

from __future__ import annotations

import gzip
import json
import string
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.trace.short_names import short_name, short_names

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = [
    line.split("\t")
    for line in Path(__file__).with_name("kernel_names.tsv").read_text("utf-8").splitlines()
]
ADD = "at::native::CUDAFunctor_add<float>"
SOFTMAX = "void (anonymous namespace)::softmax_warp<float, float, {}, {}>(float*, int)"


@pytest.mark.parametrize(("short", "name"), TABLE, ids=[name[:60] for _, name in TABLE])
def test_a_name_by_itself(short: str, name: str) -> None:
    """A kernel is named by its function or by family, tile and types."""
    assert short_name(name) == short


@pytest.mark.parametrize("short", [short for short, _ in TABLE])
def test_a_short_name_stays(short: str) -> None:
    """What was shortened before is not shortened again."""
    assert short_name(short) == short


def test_kernels_that_differ_keep_different_names() -> None:
    """Template arguments in which kernels differ are added, and only these."""
    names = [SOFTMAX.format(size, flag) for size, flag in ((8, "true"), (10, "true"), (8, "false"))]
    assert list(map(short_names(names).get, names)) == [
        "softmax_warp [8, true]",
        "softmax_warp [10, true]",
        "softmax_warp [8, false]",
    ]


def test_loops_of_elementwise_kernels_tell_them_apart() -> None:
    """Of kernels with one functor, the way of looping is added."""
    names = [
        f"void at::native::{kind}_elementwise_kernel<{vector}{ADD}, std::array<char*, 3ul> >(int)"
        for kind, vector in (("vectorized", "4, "), ("unrolled", ""))
    ]
    assert list(map(short_names(names).get, names)) == [
        "elementwise CUDAFunctor_add f32 [vectorized]",
        "elementwise CUDAFunctor_add f32 [unrolled]",
    ]


def test_words_of_generated_names_tell_them_apart() -> None:
    """Of GEMMs with one tile, the parameter is added in which they differ."""
    name = "Cijk_Alik_Bljk_BBS_BH_Bias_MT64x64x32_MI16x16x1_SN_NTA{}_PGR2"
    assert short_names([name.format(0), name.format(4)]) == {
        name.format(0): "Cijk_Alik_Bljk bf16 64x64x32 [NTA0]",
        name.format(4): "Cijk_Alik_Bljk bf16 64x64x32 [NTA4]",
    }


def test_names_without_a_difference_in_words_are_numbered() -> None:
    """Kernels that differ in nothing but punctuation are numbered in the order of their names."""
    assert short_names(["void f<int>(int*)", "void f<int>(int&)"]) == {
        "void f<int>(int&)": "f",
        "void f<int>(int*)": "f #2",
    }


@given(
    st.lists(st.text(string.ascii_letters + string.digits + " <>(){}:,*&_-#$\u00fc", max_size=60))
)
def test_any_text_gets_a_name_of_its_own(names: list[str]) -> None:
    """No text is refused, no two share a short name, and the order of the names does not matter."""
    found = short_names(names)
    assert found.keys() == set(names)
    assert len(set(found.values())) == len(found)
    assert found == short_names(reversed(names))


@given(st.sampled_from([name for _, name in TABLE]), st.integers(1, 200))
def test_a_name_that_was_cut_off_gets_a_name(name: str, length: int) -> None:
    """Profilers cut long names off; what is left is named, by words of it or as it stands."""
    cut = name[:length]
    assert short_name(cut) or not cut.strip()


@pytest.mark.parametrize(
    "trace",
    [
        "b200_vllm_tp8_rank0",
        "epoch_decimals_rank0",
        "mi300_xdit_sd35_rank0",
        "mi300_resnet_ddp8_rank0",
        "resnet50_2021",
        "train128_rank0",
        "vllm_decode_graph",
    ],
)
def test_recorded_kernels(trace: str, real_trace: Callable[[str], Path]) -> None:
    """Short names of a recorded trace are one per kernel, and fit in a table."""
    data = json.loads(gzip.decompress(real_trace(f"{trace}.json.gz").read_bytes()))
    names = {event["name"] for event in data["traceEvents"] if event.get("cat") == "kernel"}
    found = short_names(names)
    assert len(set(found.values())) == len(names)
    assert all(len(short) <= 100 for short in found.values())
    assert not any(mark in short for short in found.values() for mark in ("void ", "<", "("))
