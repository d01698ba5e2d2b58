"""List the rules: what each looks for, from which share of the GPU time on, and why from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.diagnosis import (
    collective_findings,
    gpu_findings,
    idle_findings,
    kernel_findings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.diagnosis.model import Finding
    from tp_tools.diagnosis.numbers import Numbers


class Rule(Struct, frozen=True):
    """A rule.

    Attributes:
        kind: its name, and the kind of its findings.
        find: makes the finding from the numbers; None where there is nothing.
        min_percent: the finding is given if it costs at least this share of the GPU time, per cent;
            where it costs none, if it weighs as much.
        counts: what its cost is, in the words of the queries.
        source: where the threshold comes from.
    """

    kind: str
    find: Callable[[Numbers], Finding | None]
    min_percent: float
    counts: str
    source: str


TENSORBOARD = "PyTorch's TensorBoard plugin (torch_tb_profiler, profiler/data.py)"
SAME = "own choice, as for data loading"

RULES = (
    Rule(
        "data loading",
        idle_findings.data_loading,
        5,
        "`idle`: data loading",
        f"{TENSORBOARD} advises from 5 % of the step time",
    ),
    Rule("synchronisation", idle_findings.synchronisation, 5, "`idle`: synchronisation", SAME),
    Rule("memory", idle_findings.memory, 5, "`idle`: memory", SAME),
    Rule("set-up", idle_findings.set_up, 5, "`idle`: set-up", SAME),
    Rule("launches", idle_findings.launches, 5, "`idle`: cpu, launch call, front end", SAME),
    Rule("waits", idle_findings.waits, 5, "`idle`: dependency, late start", SAME),
    Rule("unknown", idle_findings.unknown, 5, "`idle`: unknown", SAME),
    Rule("copies", gpu_findings.copies, 5, "`verdict`: copy_ns", SAME),
    Rule("waiting", collective_findings.waiting, 5, "`verdict`: waiting_ns, without bubbles", SAME),
    Rule(
        "communication",
        collective_findings.communication,
        10,
        "`verdict`: communication_ns, without bubbles",
        f"{TENSORBOARD} advises from 10 % of the step time",
    ),
    Rule("pipeline", collective_findings.pipeline, 5, "`pipeline`: bubble_ns", SAME),
    Rule(
        "compute",
        gpu_findings.compute,
        50,
        "`verdict`: compute_ns",
        f"{TENSORBOARD} calls a GPU that is busy for less than 50 % lowly utilised",
    ),
)
"""Rules about time. Their costs are parts of the GPU time that do not overlap."""

KERNELS = (
    Rule(
        "tensor cores",
        kernel_findings.plain_products,
        10,
        "part of compute: `kernel_families`: plain_product_ns",
        f"own choice; {TENSORBOARD} advises where no kernel uses tensor cores",
    ),
    Rule(
        "far from the peak",
        kernel_findings.far_from_peak,
        10,
        f"part of compute: `roofline`: gpu_ns below {kernel_findings.FAR_PERCENT} % of both peaks",
        "own choice; half of the 60 % below which Nsight Compute (SpeedOfLight) says that latency "
        "holds a kernel back, since the peaks are those of data sheets",
    ),
    Rule(
        "few blocks",
        kernel_findings.few_blocks,
        10,
        "part of compute: `occupancy`: empty_ns",
        "own choice; Nsight Compute (LaunchStatistics) tells of kernels with fewer blocks than the "
        "GPU has multiprocessors",
    ),
)
"""Rules about kernels that use little of the GPU; their time is part of computing."""

HIDDEN = Rule(
    "hidden kernels",
    gpu_findings.hidden,
    1,
    "nothing: kernels that Perfetto 51 to 56 does not show, as share of the time of all kernels",
    "own choice: less hardly changes the picture",
)
"""The rule about what the timeline does not show."""

ALL = (*RULES, *KERNELS, HIDDEN)
"""Every rule, in the order of the page about them."""
