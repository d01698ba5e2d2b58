"""`kernel_families`: GPU time by what kernels are for, told by their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import Event, ask, call, copy, note, work
from tests.support.handmade import text
from tp_tools import engine
from tp_tools.engine import load
from tp_tools.trace.cpp_names import is_cpp, is_mangled, parse
from tp_tools.trace.kernel_families import ELEMENTWISE

if TYPE_CHECKING:
    from tp_tools.library import Value

TABLE = Path(__file__).parents[1] / "trace" / "kernel_names.tsv"
QUERY = "INCLUDE PERFETTO MODULE tpt.kernel_family; SELECT name, tpt_kernel_family(name) FROM slice"

FAMILIES = {
    "attention": [
        "void flash::flash_fwd_splitkv_kernel<flash::Flash_fwd_kernel_traits<128, 64>>(int)",
        "void cutlass::device_kernel<flash::FlashAttnFwdSm90<cutlass::gemm::Mma>>(int)",
        "fmhaSm100aKernel_QkvBfloat16OBfloat16H128PagedKvCausal",
        "_fwd_grouped_kernel_stage1",
        "triton_tem_fused_flex_attention_3",
        "void paged_attention_ll4mi_reduce_kernel<__hip_bfloat16>(int)",
    ],
    "kv cache": ["void vllm::reshape_and_cache_flash_kernel<c10::Half>(c10::Half*)"],
    "grouped gemm": [
        "fused_moe_kernel",
        "_matmul_ogs_NNT_bf16xbf16xmxfp4_64x128x128x1",
        "void cutlass::Kernel<cutlass::gemm::kernel::GemmGrouped<cutlass::half_t>>(int)",
    ],
    "moe routing": [
        "void vllm::moe::topkGatingSoftmax<8, 64>(float const*)",
        "void sglang::moe_align_block_size_kernel<int>(int*)",
        "void moe::dev::routing::routingIndicesOffsetsKernel<float>(float)",
    ],
    "convolution": [
        "sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x64x32",
        "igemm_fwd_gtcx2_nhwc_fp16_bx0_ex1_bt128x64x32",
        "void cudnn::winograd_nonfused::winogradForwardData4x4<float, float>(int)",
    ],
    "gemm": [
        "nvjet_hsh_128x256_64x4_2x1_v_bz_coopB_TNN",
        "Cijk_Alik_Bljk_HHS_BH_Bias_HA_S_SAV_UserArgs_MT128x96x64",
        "void cublasLt::splitKreduce_kernel<32, 16, int, float>(int)",
        "std::enable_if<!(false), void>::type internal::gemvx::kernel<int, float>(int)",
        "triton_tem_fused_addmm_relu_0",
    ],
    "rope": ["void vllm::rotary_embedding_kernel<c10::BFloat16, true>(long const*)"],
    "norm": [
        "std::enable_if<(((8)>(0))), void>::type vllm::fused_add_rms_norm_kernel<c10::Half>(int)",
        "triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_2",
        "triton_poi_fused_native_layer_norm_7",
        "void cudnn::bn_bw_1C11_kernel_new<float, float, float2, 512, true, 1>(float)",
    ],
    "quantisation": [
        "void vllm::scaled_fp8_quant_kernel_strided<c10::BFloat16, c10::Float8_e4m3fn>(int)",
        "_per_token_group_quant_8bit",
        "void fbgemm_gpu::(anonymous namespace)::_get_FP8_qparam_cuda_kernel<float>(float const*)",
    ],
    "embedding": ["split_embedding_codegen_forward_unweighted_kernel<c10::Half>(int)"],
    "optimizer": [
        "void at::native::multi_tensor_apply_kernel<at::native::FusedAdamMathFunctor<float>>(int)",
    ],
    "softmax": ["void (anonymous namespace)::softmax_warp_forward<float, float, float, 8>(int)"],
    "sort": ["void cub::DeviceRadixSortOnesweepKernel<cub::DeviceRadixSortPolicy<long>>(int)"],
    "reduction": ["void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float>>(int)"],
    "elementwise": [
        "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>>(int)",
        "void at::native::vectorized_elementwise_kernel<4, at::native::sin_cuda(int)::{lambda}>()",
        "triton_poi_fused_addmm_gelu_view_15",
        "void vllm::act_and_mul_kernel<c10::Half, &(c10::Half vllm::silu_kernel<c10::Half>())>()",
    ],
    "layout": [
        "void at::native::(anonymous namespace)::CatArrayBatchedCopy<float>(int)",
        "void fbgemm_gpu::permute_2D_lengths_kernel<int>(int, int, int const*, int*)",
    ],
    "copy": ["__amd_rocclr_copyBufferAligned"],
    "other": [
        "axpy_demo",
        "void fbgemm_gpu::_offsets_range_cuda_kernel<int>(long, long, int const*, int*)",
        "void at::native::(anonymous namespace)::normal_demo<float>(int)",
    ],
}


def test_every_column_by_hand() -> None:
    """Two gemms, one twice, an all-reduce and a copy: 100 ns in all."""
    events = [
        work("ampere_sgemm_64x64_nn", 0, 30),
        work("ampere_sgemm_64x64_nn", 30, 50),
        work("volta_sgemm_32x32_tn", 50, 60),
        work("ncclDevKernel_AllReduce_Sum_f32_RING_LL(int)", 60, 90, stream=8),
        copy("Memcpy DtoD (Device -> Device)", 60, 70),
    ]
    rows = ask("kernel_families", events)
    assert [tuple(row.values()) for row in rows] == [
        (None, "gemm", 3, 2, 60, 60.0, 20, "ampere_sgemm_64x64_nn", 50, 60),
        (
            None,
            "communication",
            1,
            1,
            30,
            30.0,
            30,
            "ncclDevKernel_AllReduce_Sum_f32_RING_LL(int)",
            30,
            0,
        ),
        (None, "copy", 1, 1, 10, 10.0, 10, "Memcpy DtoD (Device -> Device)", 10, 0),
    ]


@pytest.mark.parametrize(
    ("name", "is_plain"),
    [
        ("volta_sgemm_64x64_nt", True),
        ("cudnn_infer_ampere_scudnn_128x64_relu_medium_nn_v1", True),
        ("void cutlass::Kernel2<cutlass_80_simt_sgemm_128x32_8x5_nn_align1>(int)", True),
        ("void cudnn::detail::dgrad_engine<float, 512, 6, 5, 3, 3, 3, false>(int)", True),
        ("void wgrad_alg0_engine<float, 128, 6, 7, 3, 3, 5, false, 512>(int)", True),
        ("void cudnn::winograd_nonfused::winogradForwardData4x4<float, float>(int)", True),
        ("void wgrad_alg0_engine<__half, 128, 6, 7, 3, 3, 5, false, 512>(int)", False),
        ("volta_s884gemm_fp16_128x128_ldg8_f2f_nn", False),
        ("void cutlass::Kernel<cutlass_80_tensorop_s1688gemm_256x64_16x4_nn_align4>(int)", False),
        ("sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize64x", False),
        ("Cijk_Ailk_Bljk_SB_MT64x64x16_MI16x16x4x1", False),
        ("nvjet_hsh_128x256_64x4_2x1_v_bz_coopB_TNN", False),
    ],
)
def test_products_of_which_the_name_says_that_no_tensor_core_computes_them(
    name: str, is_plain: bool
) -> None:
    """Those of fp32 by NVIDIA's libraries; names that do not say it do not count."""
    (row,) = ask("kernel_families", [work(name, 0, 10)])
    assert row["plain_product_ns"] == (10 if is_plain else 0)


def test_a_kernel_is_communication_by_its_args() -> None:
    """RCCL's one kernel for all, or any kernel that names a collective, communicates."""
    rows = ask("kernel_families", [work("custom", 0, 10, **{"Collective name": "allreduce"})])
    assert [row["family"] for row in rows] == ["communication"]


def test_kernels_of_no_time_have_no_share() -> None:
    """Where all durations are 0 there is no share to give."""
    (row,) = ask("kernel_families", [work("axpy", 5, 5)])
    assert (row["total_ns"], row["total_percent"], row["top_ns"]) == (0, None, 0)


def families(names: list[str]) -> dict[str, str]:
    """The family of each name."""
    kernels: list[Event] = [work(name, 10 * i, 10 * i + 5) for i, name in enumerate(names)]
    with load([text(kernels)], source="trace.json") as tp:
        return dict(engine.query_rows(tp, QUERY).rows)


def test_names_of_each_family() -> None:
    """Names as libraries and compilers write them, and the family that they say."""
    expected = {name: family for family, names in FAMILIES.items() for name in names}
    assert families(list(expected)) == expected


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("elementwise", {"elementwise", "norm", "optimizer", "quantisation", "layout"}),
        ("flash", {"attention"}),
        ("cutlass", {"gemm", "grouped gemm", "convolution", "attention"}),
    ],
)
def test_it_agrees_with_the_rules_for_short_names(path: str, allowed: set[str]) -> None:
    """What short names call elementwise, flash or cutlass is of a family that fits."""
    names = [line.split("\t")[1] for line in TABLE.read_text("utf-8").splitlines()]
    chosen = []
    for name in (name for name in names if is_cpp(name) and not is_mangled(name)):
        parsed = parse(name)
        fits = {
            "elementwise": bool(ELEMENTWISE.fullmatch(parsed.name)),
            "flash": parsed.name.startswith("flash_"),
            "cutlass": parsed.path[0].startswith("cutlass") and len(parsed.path) > 1,
        }
        chosen += [name] if fits[path] else []
    assert chosen
    assert set(families(chosen).values()) <= allowed


def test_only_some_steps_and_names() -> None:
    """`steps` is by launch, `name` a pattern; shares are of what is left."""
    events = [
        note("ProfilerStep#4", 0, 100),
        note("ProfilerStep#5", 100, 200),
        call("cudaLaunchKernel", 10, 20, 1),
        call("cudaLaunchKernel", 110, 120, 2),
        call("cudaLaunchKernel", 130, 140, 3),
        work("ampere_sgemm_128x64_nn", 150, 180, correlation=1),
        work("ampere_sgemm_128x64_nn", 200, 250, correlation=2),
        work("my_kernel", 300, 310, correlation=3),
    ]

    def found(**values: Value) -> list[tuple[object, ...]]:
        rows = ask("kernel_families", events, values)
        return [(row["family"], row["total_ns"], row["total_percent"]) for row in rows]

    assert found(steps=4) == [("gemm", 30, 100.0)]
    assert found(steps="5..") == [("gemm", 50, 83.333), ("other", 10, 16.667)]
    assert found(name="my_*", steps="4..5") == [("other", 10, 100.0)]
    assert found(steps=6) == []
