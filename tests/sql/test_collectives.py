"""`collectives`, and the one list of names by which all of `sql/` tells them."""

from __future__ import annotations

import pytest

from tests.support.gpu_traces import THREAD, Event, ask, call, copy, note, op, work
from tests.support.handmade import text
from tp_tools import engine, library
from tp_tools.engine import load, rows

NCCL = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"
ARGS = {
    "Collective name": "_reduce_scatter_base",
    "In msg nelems": 1_000,
    "Out msg nelems": 125,
    "Group size": 8,
    "dtype": "BFloat16",
    "Process Group Name": "3",
    "Process Group Description": "TP",
    "Process Group Ranks": "[0, 1, 2, 3, 4, 5, 6, 7]",
    "Seq": 41,
}

NAMES = {
    "all_reduce": [
        "void flashinfer::trtllm_mnnvl_allreduce::twoshotAllreduceKernel<8, half>(p)",
        "void tensorrt_llm::kernels::mnnvl::oneshotAllreduceFusionKernel<4, float, false>(p)",
        "allReduceStreamed(float*)",
        "void userbuffers_fp16_sum_inplace_gpu_rw<4>(int, int)",
        NCCL,
        "ncclKernel_AllReduce_RING_LL_Sum_float(ncclDevComm*, unsigned long, ncclWork*)",
        "ncclSymkDevKernel_AllReduce_RSxLD_AGxST(ncclSymkDevWorkArgs)",
        "void vllm::cross_device_reduce_1stage<__nv_bfloat16, 8>(vllm::RankData*, int)",
        "void sglang::cross_device_reduce_2stage<half, 4>(sglang::RankData*, int)",
        "void (anonymous namespace)::multimem_all_reduce_kernel<c10::BFloat16, 16>(c10::BFloat16*)",
        "void multimem_one_shot_all_reduce_kernel<float>(float*)",
        "void c10d::symmetric_memory::one_shot_all_reduce_kernel<float, 16, 8>(float**)",
        "void two_shot_all_reduce_kernel_inplace<float>(float**)",
        "all_reduce_one_shot_push_kernel",
        "all_reduce_2shot_kernel",
        "void flashinfer::trtllm_allreduce_fusion::allreduce_fusion_kernel_oneshot_lamport<1>(p)",
        "void tensorrt_llm::kernels::ar_fusion::allreduce_fusion_kernel_twoshot_sync<(x)0>(p)",
        "void moereduction_allreduce_fusion_kernel<a>(p)",
        "void tensorrt_llm::kernels::oneShotAllReduceKernel<__nv_bfloat16, 8, false>(p)",
        "void tensorrt_llm::kernels::twoShotAllReduceKernel<half, 4>(p)",
        "void tensorrt_llm::kernels::lamport_style_one_shot_all_reduce_norm_kernel<half>(p)",
        "void quickreduce::allreduce_prototype_twoshot<quickreduce::X<1>>(a)",
        "allreduce_1shotLL_kernel",
        "_ZN4vllm26cross_device_reduce_1stageIfLi8EEEvPNS_8RankDataE",
    ],
    "reduce_scatter": [
        "void userbuffers_fp16_sum_inplace_gpu_rr_rs_oop_fp8<8, __nv_fp8_e4m3>(int)",
        "void userbuffers_fp16_sum_inplace_gpu_mc_rs<2>(int)",
        "ncclDevKernel_ReduceScatter_Sum_f32_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        "void reduce_scatter_kernel<float>(float*)",
        "void aiter::cross_device_reduce_scatter<half>(a)",
    ],
    "all_gather": [
        "void userbuffers_fp16_sum_inplace_gpu_rw_ag<2>(int, int)",
        "ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        "void multimem_all_gather_kernel<8>(a)",
        "_all_gather_kernel",
        "void allgather_lamport<half>(a)",
        "void aiter::cross_device_all_gather<half>(a)",
    ],
    "all_to_all": ["void tensorrt_llm::kernels::moeAllToAllKernel<4>(p)"],
    "broadcast": ["ncclDevKernel_Broadcast_RING_LL(ncclDevKernelArgsStorage<4096ul>)"],
    "reduce": ["ncclDevKernel_Reduce_Sum_f32_RING_LL(ncclDevKernelArgsStorage<4096ul>)"],
    "send_recv": [
        "ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t(ncclDevComm*, unsigned long)",
        "kuserbuffers_pushsendrecv(int*, int*, int4*)",
    ],
    "dispatch": [
        "void deep_ep::internode::notify_dispatch<true, 4>(int const*)",
        "void uccl::intranode::cached_notify_dispatch<4>(int const*)",
        "void mori::moe::EpDispatchInterNodeV1Kernel<hip_bfloat16>(x)",
        "void hybrid_ep::dispatch_kernel<true, 4>(p)",
        "a2a_dispatch_recv_kernel(p)",
        "void deep_ep::elastic::hybrid_dispatch_impl<true, 8>(p)",
        "void deep_ep::intranode::dispatch<8, 768, 4096>(int4*, float*)",
        "void deep_ep::internode::dispatch<true, 2>(int4*)",
        "void deep_ep::internode_ll::dispatch<true, false, 7168>(void*)",
        "void tensorrt_llm::kernels::moe_comm::moeA2ADispatchKernel<int>(p)",
    ],
    "combine": [
        "void deep_ep::intranode::cached_notify_combine<4>(void**)",
        "EpCombineIntraNodeKernel_fp8",
        "void hybrid_ep::combine_kernel<true, 4>(p)",
        "void (anonymous namespace)::combineKernel<8u>(p)",
        "void deep_ep::elastic::combine_impl<true, 8>(p)",
        "void deep_ep::intranode::combine<__nv_bfloat16, 8, 768, 4096>(a)",
        "void deep_ep::internode_ll::combine<false, 7168, 9>(void*)",
        "void tensorrt_llm::kernels::moe_comm::moeA2ACombineKernel<int>(p)",
    ],
    "unknown": [
        "void deep_ep::internode::cached_notify<false, 16384>(int)",
        "ncclDevKernel_Generic(ncclDevKernelArgsStorage<4096ul>)",
        "ncclDevKernel_Generic_4(ncclDevKernelArgsStorage<4096ul>)",
        "mscclKernel_Sum_half_Simple_true(ncclDevComm*, mscclAlgo*)",
    ],
    "send": ["kuserbuffers_pushsend(int*, int*, int4*, int4*, int)"],
    "recv": ["kuserbuffers_pushrecv(int, int, int*, int*, int)"],
    "barrier": [
        "void hybrid_ep::device_sync_kernel<4>(p)",
        "void deep_ep::intranode::barrier<4>(p)",
        "void barrier_on_stream_kernel_threadgroup<(threadgroup_t)1>(int, int)",
        "void deep_ep::elastic::barrier_impl<8>(p)",
        "void c10d::symmetric_memory::barrier_kernel(unsigned int**, int, int)",
    ],
    None: [
        "void cub::DeviceReduceKernel<cub::AllReducePolicy>(x)",
        "void thrust::cuda_cub::core::allReduceAgent<x>(x)",
        "void DeviceAllReduceSingleTileKernel<float>(x)",
        "void blockAllReduceSumKernel<float>(x)",
        "WarpAllReduceMax(float*)",
        "void clusterAllReduce<float>(x)",
        "void mori::moe::EpDispatchCombineResetKernel<float>(x)",
        "void hybrid_ep::scan<8>(x)",
        "void deep_ep::elastic::dispatch_copy_epilogue_impl<true, 8>(p)",
        "void deep_ep::intranode::query_layout<8>(x)",
        "void paged_attention_ll4mi_reduce_kernel<__hip_bfloat16, 128, 256, 3>(x)",
        "void splitKreduce_kernel<32, 16, int, float, float>(cublasSplitKParams<float>)",
        "void cublasLt::splitKreduce_kernel<32, 16, int, float>(x)",
        "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, all_reduce>>(x)",
        "kn_mla_reduce_v1_ps",
        "triton_red_fused_all_reduce_mean_mul_pow_rsqrt_0",
        "void at::native::vectorized_gather_kernel<16, long>(char*, char*)",
        "void at::native::_scatter_gather_elementwise_kernel<128, 4>(x)",
        "void deep_ep::intranode::get_dispatch_layout<256>(x)",
        "void tensorrt_llm::kernels::moe_comm::moeA2APrepareDispatchKernel(x)",
        "void (anonymous namespace)::groupnorm_kernel_dispatch_up<__hip_bfloat16, 1024u>(x)",
        "void flashinfer::trtllm_allreduce_fusion::lamport_initialize_kernel<half>(x)",
        "void gemm<cutlass::AllReduce>(x)",
        "Memcpy DtoD (Device -> Device)",
    ],
}


@pytest.mark.parametrize("kind", NAMES)
def test_by_name(kind: str | None) -> None:
    """Every name that libraries use for this kind is told, and nothing that only looks like one."""
    events = [work(name, 10 * i, 10 * i + 1) for i, name in enumerate(NAMES[kind])]
    told = {row["name"]: row["kind"] for row in ask("collectives", events)}
    assert told == ({} if kind is None else dict.fromkeys(NAMES[kind], kind))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("allreduce", "all_reduce"),
        ("allreduce_coalesced", "all_reduce"),
        ("_allgather_base", "all_gather"),
        ("all_gather_into_tensor_coalesced", "all_gather"),
        ("reduce_scatter_tensor_coalesced", "reduce_scatter"),
        ("all_to_allv", "all_to_all"),
        ("alltoall_base", "all_to_all"),
        ("_broadcast_oop", "broadcast"),
        ("_reduce_oop", "reduce"),
        ("gather", "gather"),
        ("scatter", "scatter"),
        ("send", "send"),
        ("recv", "recv"),
        ("barrier", "barrier"),
    ],
)
def test_by_args(said: str, kind: str) -> None:
    """PyTorch's args beat the kernel's name: RCCL and coalesced calls share kernels."""
    kernel = "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)"
    (row,) = ask("collectives", [work(kernel, 0, 5, **{"Collective name": said})])
    assert (row["kind"], row["recognised_by"]) == (kind, "args")


SEND_RECV = "ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t(ncclDevComm*, unsigned long, ncclWork*)"
GENERIC = "ncclDevKernel_Generic_4(ncclDevKernelArgs)"


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("nccl:all_to_all", "all_to_all"),
        ("nccl:gather", "gather"),
        ("nccl:_all_gather_base", "all_gather"),
        ("nccl:send 0->3", "send"),
        ("nccl:coalesced", "send_recv"),
    ],
)
def test_by_the_annotation_around_the_launch(annotation: str, kind: str) -> None:
    """A kernel without args is what the annotation says in which its call lies, if it says it."""
    events = [
        note(annotation, 0, 20),
        call("cudaLaunchKernel", 5, 10, 1),
        work(SEND_RECV, 30, 40, correlation=1),
    ]
    (row,) = ask("collectives", events)
    assert (row["kind"], row["recognised_by"]) == (kind, "annotation")


def test_annotations_elsewhere_say_nothing() -> None:
    """Neither one of another thread, nor one that is over, nor one of another kind of work."""
    events = [
        note("nccl:all_to_all", 0, 20, thread=21),
        note("nccl:all_to_all", 0, 4),
        note("forward", 0, 20),
        call("cudaLaunchKernel", 5, 10, 1),
        work(SEND_RECV, 30, 40, correlation=1),
    ]
    (row,) = ask("collectives", events)
    assert (row["kind"], row["recognised_by"]) == ("send_recv", "name")


def test_the_innermost_annotation_that_is_open_counts() -> None:
    """One that has ended within an outer one leaves the launch after it to the outer one."""
    events = [
        note("nccl:all_to_all", 0, 40),
        note("nccl:all_gather", 2, 12),
        call("cudaLaunchKernel", 5, 10, 1),
        call("cudaLaunchKernel", 20, 25, 2),
        work(SEND_RECV, 30, 40, correlation=1),
        work(SEND_RECV, 50, 60, correlation=2),
    ]
    assert [row["kind"] for row in ask("collectives", events)] == ["all_gather", "all_to_all"]


@pytest.mark.parametrize("around", [[], [op("forward", 0, 42), op("linear", 0, 41)]])
def test_of_annotations_on_two_lanes_the_later_counts(around: list[Event]) -> None:
    """Ops, which are loaded for some queries only, give the other lane a greater depth."""
    events = [
        *around,
        note("nccl:all_to_all", 0, 40),
        note("nccl:all_gather", 2, 50, thread=99, tpt_tid=THREAD),
        call("cudaLaunchKernel", 5, 10, 1),
        work(SEND_RECV, 30, 40, correlation=1),
    ]
    assert [row["kind"] for row in ask("collectives", events)] == ["all_gather"]


def test_the_latest_of_each_lane_is_asked() -> None:
    """One of another lane that began later, and has ended, does not hide one that still runs."""
    events = [
        note("nccl:all_to_all", 0, 40),
        note("nccl:all_gather", 2, 4, thread=99, tpt_tid=THREAD),
        call("cudaLaunchKernel", 5, 10, 1),
        work(SEND_RECV, 30, 40, correlation=1),
    ]
    assert [row["kind"] for row in ask("collectives", events)] == ["all_to_all"]


def test_the_op_around_the_launch_names_the_group() -> None:
    """`record_param_comms` carries the args that newer kernels carry: 2,000 bytes in, 250 out."""
    events = [
        op("record_param_comms", 0, 30, **ARGS),
        note("nccl:_reduce_scatter_base", 2, 20),
        call("cudaLaunchKernel", 5, 10, 1),
        work(NCCL, 40, 50, correlation=1),
    ]
    (row,) = ask("collectives", events)
    assert (row["kind"], row["recognised_by"]) == ("reduce_scatter", "annotation")
    told = ("process_group", "seq", "group_size", "in_bytes", "out_bytes", "dtype")
    assert [row[column] for column in told] == ["3", 41, 8, 2_000, 250, "BFloat16"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("c10d::alltoall_base_", "all_to_all"),
        ("c10d::allreduce_", "all_reduce"),
        ("_c10d_functional::all_gather_into_tensor", "all_gather"),
        ("c10d_functional::reduce_scatter_tensor", "reduce_scatter"),
        ("c10d::broadcast_", "broadcast"),
    ],
)
def test_an_op_of_the_dispatcher_names_the_kind(name: str, kind: str) -> None:
    """It says nothing of the group, and less than `record_param_comms` or an annotation in it."""
    within = [call("cudaLaunchKernel", 5, 10, 1), work(GENERIC, 40, 50, correlation=1)]
    (row,) = ask("collectives", [op(name, 0, 30, **{"Group size": 9}), *within])
    assert (row["kind"], row["recognised_by"]) == (kind, "annotation")
    assert row["group_size"] is None
    params = op("record_param_comms", 1, 29, **{**ARGS, "Collective name": "scatter"})
    (row,) = ask("collectives", [op(name, 0, 30), params, *within])
    assert (row["kind"], row["group_size"]) == ("scatter", 8)
    (row,) = ask("collectives", [op(name, 0, 30), note("nccl:gather", 2, 20), *within])
    assert (row["kind"], row["group_size"]) == ("gather", None)


def test_its_own_args_count_more_than_the_annotation() -> None:
    """A kernel that says what it is needs no annotation."""
    events = [
        note("nccl:all_to_all", 0, 20),
        call("cudaLaunchKernel", 5, 10, 1),
        work(SEND_RECV, 30, 40, correlation=1, **{"Collective name": "scatter"}),
    ]
    (row,) = ask("collectives", events)
    assert (row["kind"], row["recognised_by"]) == ("scatter", "args")


def test_its_step_is_the_one_that_launched_it() -> None:
    """Launched in step 1, it runs while the CPU is in step 2, and belongs to step 1."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 200),
        call("cudaLaunchKernel", 90, 95, 1),
        work(NCCL, 150, 160, correlation=1),
    ]
    (row,) = ask("collectives", events)
    assert row["step"] == "ProfilerStep#1"
    (row,) = ask("allreduce", events)
    assert row["step"] == "ProfilerStep#1"


def test_args_that_say_nothing_new() -> None:
    """A word that is not known leaves the name to tell, or is an unknown collective."""
    events = [
        work(NCCL, 0, 5, **{"Collective name": "coalesced"}),
        work("mine", 10, 15, **{"Collective name": "coalesced"}),
    ]
    rows_ = [(row["kind"], row["recognised_by"]) for row in ask("collectives", events)]
    assert rows_ == [("all_reduce", "args"), ("unknown", "args")]


def test_every_column_by_hand() -> None:
    """A reduce-scatter of 1,000 bf16 over 8 ranks: 2,000 bytes in, 250 out."""
    (row,) = ask("collectives", [work("k", 10, 15, stream=20, **ARGS), work("gemm", 0, 5)])
    assert row == {
        "rank": None,
        "device": 0,
        "stream": 20,
        "ts": 10,
        "dur": 5,
        "kind": "reduce_scatter",
        "recognised_by": "args",
        "process_group": "3",
        "process_group_desc": "TP",
        "seq": 41,
        "group_size": 8,
        "ranks": "[0, 1, 2, 3, 4, 5, 6, 7]",
        "in_bytes": 2_000,
        "out_bytes": 250,
        "dtype": "BFloat16",
        "step": None,
        "name": "k",
    }


def test_without_args_the_rest_is_null() -> None:
    """A custom all-reduce tells nothing but its name: no bytes are made up."""
    (row,) = ask("collectives", [work("all_reduce_one_shot_push", 10, 15)])
    assert (row["kind"], row["recognised_by"]) == ("all_reduce", "name")
    told = ("process_group", "process_group_desc", "seq", "group_size", "ranks", "in_bytes")
    assert {row[column] for column in (*told, "out_bytes", "dtype")} == {None}


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        ("Float", 4),
        ("Half", 2),
        ("BFloat16", 2),
        ("Double", 8),
        ("Long", 8),
        ("Int", 4),
        ("Byte", 1),
        ("Bool", 1),
        ("Float8_e4m3fn", 1),
        ("Float8_e5m2fnuz", 1),
        ("Float8_e8m0fnu", 1),
        ("Float4_e2m1fn_x2", 1),
        ("ComplexFloat", 8),
        ("ComplexDouble", 16),
        ("Nonsense", None),
    ],
)
def test_bytes_of_every_type(dtype: str, size: int | None) -> None:
    """fp8 too; a type that is not known makes the bytes unknown, not wrong."""
    (row,) = ask("collectives", [work("k", 0, 5, **(ARGS | {"dtype": dtype}))])
    assert row["in_bytes"] == (None if size is None else 1_000 * size)


def test_copies_are_never_collectives() -> None:
    """A copy between GPUs is a copy, whatever it is called."""
    assert ask("collectives", [copy("all_reduce", 0, 5)]) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [("18446744073709551615", "18446744073709551615"), (123, "123"), ((1 << 64) - 1, None)],
)
def test_comms_ids_are_exact_or_unknown(given: object, kept: str | None) -> None:
    """The import turns numbers above 2^63 into a negative float: better none than a wrong one."""
    event = work("k", 0, 5, **ARGS, **{"Comms Id": given})
    with load([text([event])], source="trace.json") as tp:
        engine.run_file(tp, library.queries()["collectives"])
        assert rows(tp, "SELECT comms_id FROM tpt_collective") == [(kept,)]
