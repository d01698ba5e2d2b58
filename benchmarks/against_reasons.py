"""Say why numbers of peers and of tp-tools differ: found out once each, by hand."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, Protocol

UNEXPLAINED = "not explained"


class Numbers(Protocol):
    """A number of a peer and that of tp-tools, as `against.Pair`."""

    trace: str
    label: str
    name: str
    theirs: float | None
    ours: float | None


@dataclass(frozen=True)
class Reason:
    """Why some numbers differ.

    Attributes:
        peer: hta, tracelens, or plugin.
        why: the reason, as the page shows it.
        labels: pattern of what the numbers are.
        traces: patterns of traces.
        names: patterns of kernels or ops.
        only: the side that alone has a number; None: both have one, or either.
    """

    peer: str
    why: str
    labels: str = "*"
    traces: tuple[str, ...] = ("*",)
    names: tuple[str, ...] = ("*",)
    only: Literal["theirs", "ours"] | None = None

    def fits(self, peer: str, numbers: Numbers) -> bool:
        """Tell whether the numbers differ for this reason."""
        missing = {(True, False): "ours", (False, True): "theirs"}.get(
            (numbers.theirs is None, numbers.ours is None)
        )
        return (
            peer == self.peer
            and (self.only is None or self.only == missing)
            and fnmatchcase(numbers.label, self.labels)
            and any(fnmatchcase(numbers.trace, it) for it in self.traces)
            and any(fnmatchcase(numbers.name, it) for it in self.names)
        )


_UNRECORDED = ("h100_qwen15_chat", "mi300_resnet_ddp8_rank0")
"""Traces with work that was launched before the profile began."""

REASONS = (
    # HolisticTraceAnalysis
    Reason(
        "hta",
        "tp-tools: HTA stops at a copy whose call it does not have",
        labels="critical path: *",
        only="ours",
    ),
    Reason(
        "hta",
        "tp-tools: HTA stays on the compute stream, whose waits for all-reduces are between "
        "kernels to it: without `cuda_sync` events it knows nothing between streams. Here what "
        "ended last before a kernel that waited is what it waited for",
        labels="critical path: *",
        traces=("mi300_resnet_ddp8_rank0",),
    ),
    Reason(
        "hta",
        "the same: at times since the epoch, HTA's doubles miss up to 244 ns per kernel",
        labels="critical path: between kernels, us",
        traces=("epoch_decimals_rank0",),
    ),
    Reason(
        "hta",
        "tp-tools: between kernels HTA has time in which the stream had nothing to run, for what "
        "came next was not launched yet: 255 ms before a collective",
        labels="critical path: between kernels, us",
        traces=("train128_rank0", "train128_rank1"),
    ),
    Reason(
        "hta",
        "a matter of definition: HTA takes the longest path, wherever it begins and ends, and the "
        "CPU between two ops weighs nothing (a path of 218.7 ms of nccl_args_rank0 has a length of "
        "101.7 ms); ours goes on without holes from the end of the last work of the step before to "
        "that of the step's own",
        labels="critical path: *",
    ),
    Reason(
        "hta",
        "both: HTA leaves out work whose launch came before the profile began. It ran, so "
        "tp-tools counts it; `ops` and `steps` have it in the row `launch not recorded`",
        traces=("mi300_resnet_ddp8_rank0",),
    ),
    Reason(
        "hta",
        "tp-tools: HTA takes CPU ops for kernels where these have a `stream` among their args, as "
        "Triton's have, and knows collectives by NCCL's names only",
        traces=("b200_vllm_tp8_rank0", "mi300_xdit_sd35_rank0"),
    ),
    Reason(
        "hta",
        "tp-tools: HTA counts `cuda_sync` events, which are waits, as kernels, and a memset as "
        "compute",
        traces=("alexnet_whole_us", "critical_path_overlay"),
    ),
    # TraceLens
    Reason(
        "tracelens",
        "both: TraceLens leaves out work that was launched before the profile began; `steps` "
        "counts it for no step, `gpu_time` for the GPU",
        labels="*, us",
        traces=_UNRECORDED,
        names=("",),
    ),
    Reason(
        "tracelens",
        "tp-tools: 73 all-reduces are not NCCL's, and compute to TraceLens",
        traces=("b200_vllm_tp8_rank0",),
        names=("",),
    ),
    Reason("tracelens", "a matter of definition: memsets are compute to TraceLens", names=("",)),
    Reason(
        "tracelens",
        "no counterpart: what a fused kernel reads how often does not follow from its shapes; "
        "TraceLens estimates it, in `roofline` it has `no formula`",
        names=("triton_*", "aiter::*"),
        only="theirs",
    ),
    Reason(
        "tracelens",
        "no counterpart: the result's type, or which dimensions are reduced, is not recorded",
        names=("aten::cumsum", "aten::min", "aten::mean", "aten::sum", "aten::neg"),
        only="theirs",
    ),
    Reason("tracelens", "TraceLens has no formula for these", only="ours"),
    Reason(
        "tracelens",
        "a matter of definition: to copy is no arithmetic; TraceLens counts 1 per element",
        labels="operations",
        names=("aten::copy_",),
    ),
    Reason(
        "tracelens",
        "a matter of definition: TraceLens adds six operations per channel, which make weight and "
        "bias ready once; `roofline` has those per element",
        labels="operations",
        names=("aten::*norm*",),
    ),
    Reason(
        "tracelens",
        "tp-tools: a reduction writes all that it keeps; TraceLens counts one element per call",
        labels="bytes",
        names=("aten::mean", "aten::sum"),
    ),
    Reason(
        "tracelens",
        "tp-tools: each input has its own type, the result the wider of floats; TraceLens takes "
        "the first input's for all, and 4 bytes for a Python number",
        labels="bytes",
    ),
    Reason(
        "tracelens",
        "a matter of definition: copies from and to the host are apart (`copies`), for they move "
        "over another wire; TraceLens has some copies in the op around",
        labels="GPU time of an op, us",
        names=("aten::copy_",),
    ),
    Reason(
        "tracelens",
        "a matter of definition: the outermost op with a formula has all work to TraceLens, as "
        "convolution has the sum with its bias; to tp-tools the op that launched it",
        labels="GPU time of an op, us",
        traces=("mi300_xdit_sd35_rank0",),
        names=("aten::_convolution", "aten::add_", "aten::_flash_attention_forward"),
    ),
    Reason(
        "tracelens",
        "tp-tools: TraceLens leaves out memsets that an op launches",
        labels="GPU time of an op, us",
        traces=("mi300_resnet_ddp8_rank0",),
    ),
    # PyTorch's TensorBoard plugin
    Reason(
        "plugin",
        "a matter of definition: the plugin counts kernels alone, from the first step's start to "
        "the last one's end on the CPU; `busy_percent` copies too, from first to last work",
        labels="GPU utilization, %",
    ),
    Reason(
        "plugin",
        "tp-tools: the profiler writes 0 where its calculator finds no room for a block of a "
        "kernel that ran; the plugin takes that, and what is not recorded, for 0",
        labels="*occupancy*",
    ),
    Reason(
        "plugin",
        "tp-tools: what is not recorded is not 0",
        labels="blocks per SM of a kernel",
        only="theirs",
    ),
)
"""Reasons; the first that fits counts."""


def reason(peer: str, numbers: Numbers) -> str:
    """Return why numbers differ; `UNEXPLAINED` where nobody knows."""
    return next((it.why for it in REASONS if it.fits(peer, numbers)), UNEXPLAINED)
