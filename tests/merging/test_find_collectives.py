"""Collectives without args: the annotation around their launch says what they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tp_tools.alignment.collectives import UNKNOWN
from tp_tools.chrome.reader import read
from tp_tools.files.source import Source
from tp_tools.merging.annotations import annotations_around
from tp_tools.merging.find_collectives import CollectiveFinder

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.alignment.collectives import Collectives
    from tp_tools.trace.model import Trace

SEND_RECV = "ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t(ncclDevComm*, unsigned long, ncclWork*)"


def x(cat: str, name: str, ts: int, dur: int, tid: int = 1, **args: object) -> dict[str, Any]:
    """A slice; kernels are on GPU 0."""
    pid = 0 if cat == "kernel" else 9
    return {
        "ph": "X", "cat": cat, "name": name, "pid": pid, "tid": tid, "ts": ts, "dur": dur,
        "args": args,
    }  # fmt: skip


def launched(number: int, ts: int, name: str = SEND_RECV, tid: int = 1) -> list[dict[str, Any]]:
    """A launch call and its kernel, which starts 100 us later."""
    return [
        x("cuda_runtime", "cudaLaunchKernel", ts, 5, tid, correlation=number),
        x("kernel", name, ts + 100, 20, 7, stream=7, correlation=number),
    ]


def trace_of(folder: Path, events: list[dict[str, Any]]) -> tuple[Source, Trace]:
    """The events as a trace that was read."""
    path = folder / "t.json"
    path.write_text(json.dumps({"traceEvents": events}))
    source = Source(path, "t.json")
    return source, read(source)


def recognised(folder: Path, events: list[dict[str, Any]]) -> Collectives:
    """Find the collectives in a trace of these events."""
    source, trace = trace_of(folder, events)
    return CollectiveFinder(None).collectives(source, trace, 0)


@pytest.mark.parametrize(
    ("annotation", "kernel", "kind"),
    [
        ("nccl:all_to_all", SEND_RECV, "all_to_all"),
        ("nccl:send 0->1", SEND_RECV, "send"),
        ("nccl:_all_gather_base", "ncclDevKernel_Generic_4(ncclDevKernelArgs)", "all_gather"),
        ("nccl:_reduce_scatter_base", "ncclDevKernel_Generic(int)", "reduce_scatter"),
        ("nccl:coalesced", SEND_RECV, "send_recv"),
        ("forward", SEND_RECV, "send_recv"),
    ],
)
def test_the_annotation_names_the_kind(
    annotation: str, kernel: str, kind: str, tmp_path: Path
) -> None:
    """Where the kernel has no args; an annotation that names no kind leaves it to the name."""
    table = recognised(
        tmp_path, [x("user_annotation", annotation, 10, 20), *launched(1, 15, kernel)]
    )
    assert table.kind == [kind]
    assert table.recognised == ["annotation" if annotation.startswith("nccl:") else "name"]


def test_the_args_of_record_param_comms_name_the_group(tmp_path: Path) -> None:
    """Kind, group and size are those of the call inside which the kernel was launched."""
    said = {"Collective name": "all_to_allv", "Process Group Name": "3", "Group size": 4, "Seq": 8}
    said |= {"In msg nelems": 10, "Out msg nelems": 20, "dtype": "Float"}
    table = recognised(
        tmp_path, [x("cpu_op", "record_param_comms", 10, 20, **said), *launched(1, 15)]
    )
    assert table.kind == ["all_to_all"]
    assert (table.group, table.size[0], table.seq[0], table.nbytes[0]) == (["3"], 4, 8, 80)
    assert table.stream[0] == 7


def test_a_kernel_of_51_days_is_no_collective(tmp_path: Path) -> None:
    """Perfetto rounds such a duration, so that parts of it may cross it; a time must be wrong."""
    spans = [(1, 1 << 42), (9, (1 << 42) - 1)]
    events = [x("kernel", "ncclDevKernel_AllReduce_Sum_f32", *span) for span in spans]
    assert recognised(tmp_path, events).ts.tolist() == [9_000]


def test_numbers_of_more_than_64_bits_are_unknown(tmp_path: Path) -> None:
    """A damaged number is no size, stream or sequence number, and costs nothing else."""
    large = 10**20
    said = {"Collective name": "allreduce", "Process Group Name": "3", "Group size": large}
    said |= {"In msg nelems": 1 << 62, "Seq": -large, "dtype": "Float", "stream": large}
    table = recognised(tmp_path, [x("kernel", SEND_RECV, 100, 20, 7, **said)])
    assert (table.kind, table.group) == (["all_reduce"], ["3"])
    numbers = (table.size, table.seq, table.stream, table.nbytes)
    assert [int(it[0]) for it in numbers] == [UNKNOWN] * 4


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("c10d::alltoall_base_", "all_to_all"),
        ("_c10d_functional::all_gather_into_tensor", "all_gather"),
        ("c10d_functional::reduce_scatter_tensor", "reduce_scatter"),
    ],
)
def test_an_op_of_the_dispatcher_names_the_kind(name: str, kind: str, tmp_path: Path) -> None:
    """It counts less than `record_param_comms`, and less than an annotation."""
    outer = x("cpu_op", name, 5, 40)
    table = recognised(tmp_path, [outer, *launched(1, 15)])
    assert (table.kind, table.recognised) == ([kind], ["annotation"])
    params = x("cpu_op", "record_param_comms", 10, 20, **{"Collective name": "scatter"})
    assert recognised(tmp_path, [outer, params, *launched(1, 15)]).kind == ["scatter"]
    annotation = x("user_annotation", "nccl:gather", 12, 10)
    assert recognised(tmp_path, [outer, params, annotation, *launched(1, 15)]).kind == ["gather"]


def test_what_the_kernel_says_itself_counts_more(tmp_path: Path) -> None:
    """Args of the kernel are not overruled by the annotation."""
    call, kernel = launched(1, 15)
    kernel["args"] |= {"Collective name": "all_gather"}
    table = recognised(tmp_path, [x("user_annotation", "nccl:all_to_all", 10, 20), call, kernel])
    assert (table.kind, table.recognised) == (["all_gather"], ["args"])


def test_other_kernels_in_an_annotation_are_no_collectives(tmp_path: Path) -> None:
    """A scaling kernel, say, that is launched with the collective."""
    events = [x("user_annotation", "nccl:all_reduce", 10, 20), *launched(1, 15, "vectorized_add")]
    assert not len(recognised(tmp_path, events))


def test_only_what_is_open_on_the_thread_of_the_launch_is_around_it(tmp_path: Path) -> None:
    """Innermost first; not what ended before, begins behind, or runs on another thread."""
    events = [
        x("user_annotation", "nccl:before", 0, 9),
        x("user_annotation", "nccl:outer", 10, 30),
        x("cpu_op", "record_param_comms", 11, 10),
        x("user_annotation", "nccl:behind", 20, 5),
        x("user_annotation", "nccl:other", 0, 99, tid=2),
        *launched(1, 15),
        *launched(2, 50),
    ]
    _, trace = trace_of(tmp_path, events)
    kernels = np.flatnonzero([trace.cats[code] == "kernel" for code in trace.cat])
    around = annotations_around(trace, kernels)
    assert around == {6: [2, 1]}


def test_a_kernel_with_a_short_name_goes_by_its_full_one(tmp_path: Path) -> None:
    """That stands in its args; it is no description of the collective, and an annotation counts."""
    events = launched(1, 15, "short") + launched(2, 1015, "other")
    for event in events:
        if event["cat"] == "kernel":
            event["args"]["tpt_name"] = {"short": SEND_RECV, "other": "gemm"}[event["name"]]
    table = recognised(tmp_path, events)
    assert (table.kind, table.recognised) == (["send_recv"], ["name"])
    annotated = recognised(tmp_path, [x("user_annotation", "nccl:all_to_all", 10, 20), *events])
    assert (annotated.kind, annotated.recognised) == (["all_to_all"], ["annotation"])
