"""Python's SQLite classifies collective kernels as TraceProcessor does."""

from __future__ import annotations

import pytest

from tests.support.handmade import kernel, text
from tp_tools import engine, library
from tp_tools.errors import InputError
from tp_tools.inspection import kernel_kinds

NAMES = {
    "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)": "all_reduce",
    "ncclDevKernel_ReduceScatter_Sum_f32_RING_LL(ncclDevComm*)": "reduce_scatter",
    "ncclDevKernel_Generic_4(ncclDevKernelArgsStorage<4096ul>)": "unknown",
    "void vllm::cross_device_reduce_1stage<__nv_bfloat16, 8>(RankData*)": "all_reduce",
    "void (anonymous namespace)::multimem_all_reduce_kernel<float>(float*)": "all_reduce",
    "void deep_ep::intranode::dispatch<8, 768>(int)": "dispatch",
    "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float> >(int)": None,
    "void paged_attention_ll4mi_reduce_kernel<__half, 128>(float*)": None,
    "triton_red_fused_add_all_reduce_0": None,
    "nvjet_tst_128x64_64x10_1x2_h_bz_TNT": None,
    "": None,
    "quote ' and \" and ; and -- and $name": None,
}


def test_kinds_are_found_by_name() -> None:
    """Names of collectives have the kind of the library; other names are left out."""
    assert kernel_kinds.collectives(NAMES) == {name: kind for name, kind in NAMES.items() if kind}


def test_trace_processor_agrees() -> None:
    """The query `kernels` finds the same collectives among kernels of these names."""
    events = [kernel(name, 10 * i, 10 * i + 5, i) for i, name in enumerate(NAMES) if name]
    with engine.load([text(events)], source="kernels") as tp:
        result = engine.run_file(tp, library.find("kernels"))
    name, kind = result.columns.index("name"), result.columns.index("kind")
    collectives = {row[name] for row in result.rows if row[kind] == "collective"}
    # the engine shows escaped quotes as they stand in the file
    assert collectives == set(kernel_kinds.collectives(NAMES))


def test_a_library_without_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged installation is reported as such."""
    monkeypatch.setattr(library, "modules", dict)
    with pytest.raises(InputError, match=r"defines no tpt_collective_by_name\. Install tp-tools"):
        kernel_kinds.collectives(["k"])


def test_semicolons_in_comments_and_texts_end_no_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The body of the function ends with its statement, whatever its comments and texts hold."""
    text = library.modules()[kernel_kinds.MODULE]
    changed = text.replace(
        "RETURNS STRING AS\nWITH",
        "RETURNS STRING AS\n-- one kernel; 'all' of them\nWITH /* ; */\n  a AS (SELECT '-- ;'),",
    )
    assert changed != text
    expected = kernel_kinds.collectives(NAMES)
    monkeypatch.setattr(library, "modules", lambda: {kernel_kinds.MODULE: changed})
    assert kernel_kinds.collectives(NAMES) == expected
