"""Find kernels that use little of the GPU: no tensor cores, few blocks, far from the peak.

Their time is part of that in which GPUs compute, so these findings cost nothing of their own: a
finding weighs the share of the GPU time in which its kernels ran. Kernels may run at once, so that
share is theirs of the durations of all kernels that compute, of the time in which GPUs compute.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.diagnosis.evidence import some
from tp_tools.diagnosis.model import Evidence, Finding
from tp_tools.formatting import percent, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.diagnosis.numbers import Numbers, Row

FAR_PERCENT = 30
"""Below so much of both peaks kernels count as far from them: half of the 60 % below which Nsight
Compute's rule on the speed of light (SpeedOfLight.py) says that latency holds a kernel back. Half,
for it measures what units do, and here what the op needs at least is held against data sheets."""

_SHORT_NS = 20_000
"""Calls of an op that are shorter on average are too small for a GPU, not badly computed."""

_BESIDE = 0.1
"""Collectives that run beside this share of computing are worth telling."""


def plain_products(numbers: Numbers) -> Finding | None:
    """Find products of fp32 that no tensor core computes."""
    families = [row for row in numbers.rows("kernel_families") if row["plain_product_ns"]]
    ns = sum(row["plain_product_ns"] for row in families)
    if not ns:
        return None
    by_family = Counter[str]()
    for row in families:
        by_family[row["family"]] += row["plain_product_ns"]
    kinds = ", ".join(f"{name} {percent(part / ns)}" for name, part in by_family.most_common(3))
    top = max(families, key=lambda row: row["plain_product_ns"])
    return Finding(
        kind="tensor cores",
        title="Products without tensor cores",
        says=f"Products in fp32 that no tensor core computes, as the names of their kernels say, "
        f"take {_of_computing(numbers, ns)}: {kinds}.",
        next_step="If the model bears it, let tensor cores compute them: torch.autocast with fp16 "
        "(Volta, Turing) or bf16, or torch.set_float32_matmul_precision('high') and "
        "torch.backends.cudnn.allow_tf32 (Ampere and later).",
        cost_ns=None,
        evidence=(Evidence("kernel_families", some(top, ("rank", "family", "plain_product_ns"))),),
        weight=_weight(numbers, ns),
    )


def far_from_peak(numbers: Numbers) -> Finding | None:
    """Find ops of known arithmetic that reach little of what the GPU can do."""
    known = [row for row in numbers.rows("roofline") if row["bound"] and row["gpu_ns"]]
    slow = [row for row in known if _reached(row) < FAR_PERCENT]
    if not slow:
        return None
    ns, top = sum(row["gpu_ns"] for row in slow), max(slow, key=lambda row: row["gpu_ns"])
    mean_ns = top["gpu_ns"] / top["calls"]
    columns = ("rank", "op", "dims", "dtype", "calls", "gpu_ns", "bound")
    shares = ("mfu_percent", "bandwidth_percent")
    return Finding(
        kind="far from the peak",
        title="Kernels far from the peak",
        says=f"Ops that reach less than {FAR_PERCENT} % of what the GPU can compute and of what "
        f"its memory can move take {_of_computing(numbers, ns)}. The largest part of that is "
        f"{span(top['gpu_ns'])} of {top['op']} ({top['dims']}): {top['calls']:,} calls of "
        f"{span(round(mean_ns))} on average reach {_reached_of(top)}.",
        next_step=_nearer(mean_ns),
        cost_ns=None,
        evidence=(Evidence("roofline", some(top, columns + shares)),),
        doubts=tuple(_peak_doubts(numbers, known)),
        weight=_weight(numbers, ns),
    )


def few_blocks(numbers: Numbers) -> Finding | None:
    """Find kernels with fewer blocks than the GPU has multiprocessors."""
    rows = [
        row for row in numbers.rows("occupancy") if row["kind"] == "compute" and row["empty_ns"]
    ]
    if not rows:
        return None
    empty = sum(row["empty_ns"] for row in rows)
    ns, top = sum(row["underfilled_ns"] for row in rows), max(rows, key=lambda row: row["empty_ns"])
    columns = ("rank", "name", "count", "total_ns", "blocks_per_sm", "underfilled_ns", "empty_ns")
    return Finding(
        kind="few blocks",
        title="Multiprocessors without blocks",
        says=f"Kernels with fewer blocks than the GPU has multiprocessors take "
        f"{_of_computing(numbers, ns)}; {percent(empty / ns)} of the multiprocessors have no block "
        f"of them. Above all {numbers.kernel(top['name'])}, mostly with a grid of {top['grid']}.",
        next_step="Give a kernel more to do at once: larger batches, products of several inputs in "
        "one, split-K; or run small kernels side by side: streams, branches of a graph.",
        cost_ns=None,
        evidence=(Evidence("occupancy", some(top, columns)),),
        doubts=("Kernels that run at once fill what one alone leaves empty.",)
        if _runs_at_once(numbers)
        else (),
        weight=_weight(numbers, empty),
    )


def _reached(row: Row) -> float:
    """Return the larger share of the peaks that an op reached, per cent."""
    shares: tuple[float, float] = (row["mfu_percent"] or 0.0, row["bandwidth_percent"] or 0.0)
    return max(shares)


def _reached_of(row: Row) -> str:
    if row["bound"] == "compute":
        of = f"{row['peak_tflops']:,.1f} TFLOP/s in {row['dtype']}"
        return f"{row['tflops']:,.1f} of {of} ({row['mfu_percent']:.1f} %)"
    return f"{row['gbps']:,.0f} of {row['peak_gbps']:,.0f} GB/s ({row['bandwidth_percent']:.1f} %)"


def _nearer(mean_ns: float) -> str:
    if mean_ns < _SHORT_NS:
        return (
            "Such short calls cannot fill a GPU: larger batches, or fused ops (torch.compile). "
            "`tp-tools query roofline` has every op."
        )
    return (
        "Try another kernel: a newer library or another backend, torch.compile with "
        "mode='max-autotune', channels_last, sizes that are multiples of 64. `tp-tools query "
        "roofline` has every op."
    )


def _peak_doubts(numbers: Numbers, known: list[Row]) -> Iterator[str]:
    yield "The peaks are those of data sheets; the best kernels stay below them."
    told = sum(row["gpu_ns"] for row in known) / _computing_ns(numbers)
    if told < 1 - _BESIDE:
        yield f"Of the other ops ({percent(1 - told)} of computing) no arithmetic is known."
    beside = _beside_ns(numbers)
    if beside > _BESIDE * numbers.part("compute"):
        yield f"Collectives run beside computing for {span(beside)}, which slows both."


def _computing_ns(numbers: Numbers) -> int:
    """Return the durations of all kernels that compute, summed, ns."""
    apart = {"communication", "copy"}
    rows = [row for row in numbers.rows("kernel_families") if row["family"] not in apart]
    return sum(int(row["total_ns"]) for row in rows)


def _beside_ns(numbers: Numbers) -> int:
    """Return the durations of collectives that are not exposed, ns."""
    rows = numbers.rows("kernel_families")
    every = sum(int(row["total_ns"]) for row in rows if row["family"] == "communication")
    return max(0, every - numbers.part("communication") - numbers.part("waiting"))


def _runs_at_once(numbers: Numbers) -> bool:
    return _computing_ns(numbers) > (1 + _BESIDE) * numbers.part("compute")


def _of_computing(numbers: Numbers, ns: int) -> str:
    share = percent(ns / _computing_ns(numbers))
    return f"{span(ns)}, {share} of the durations of all kernels that compute"


def _weight(numbers: Numbers, ns: int) -> float:
    """Return the share of the GPU time that a part of the durations of kernels stands for."""
    return ns / _computing_ns(numbers) * numbers.part("compute") / numbers.gpu_ns
