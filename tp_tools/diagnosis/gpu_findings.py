"""Find what GPUs do: copies that run alone, what computes, and kernels that Perfetto hides."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tp_tools.diagnosis.evidence import part_evidence, some
from tp_tools.diagnosis.model import INFO, Evidence, Finding
from tp_tools.formatting import percent, plural, size, span

if TYPE_CHECKING:
    from tp_tools.diagnosis.numbers import Numbers, Row


def copies(numbers: Numbers) -> Finding | None:
    """Find copies beside which nothing else ran."""
    ns, top = numbers.part("copy"), numbers.top("copies", "total_ns")
    if not ns or top is None:
        return None
    amount = f", {size(top['bytes'])}" if top["bytes"] is not None else ""
    speed = f" at {top['mean_gbps']:.1f} GB/s" if top["mean_gbps"] is not None else ""
    columns = ("rank", "name", "count", "bytes", "total_ns", "mean_gbps")
    return Finding(
        kind="copies",
        title="Copies alone",
        says=f"Copies and memsets run for {numbers.of_whole(ns)} while nothing else runs. Most "
        f"time of all takes {top['name']}: {top['count']:,} times, {span(top['total_ns'])}{amount}"
        f"{speed}.",
        next_step=_copy_advice(top),
        cost_ns=ns,
        evidence=(part_evidence(numbers, "copy"), Evidence("copies", some(top, columns))),
    )


def _copy_advice(top: Row) -> str:
    name = top["name"]
    if "Pageable" in name:
        return (
            "Copy from and to pinned memory (pin_memory=True, non_blocking=True), so that copies "
            "are faster and run beside kernels."
        )
    if top["kind"] in {"HtoD", "DtoH"}:
        return "Copy the next batch on a stream of its own, while this one is computed."
    return "Leave out copies within the GPU: .contiguous(), .clone(), torch.cat, zeroing."


def compute(numbers: Numbers) -> Finding | None:
    """Find what GPUs compute."""
    ns, family = numbers.part("compute"), _family(numbers)
    if not ns or family is None:
        return None
    name, family_ns, total, top, top_ns = family
    gpus = "The GPUs compute" if len(numbers.devices) > 1 else "The GPU computes"
    columns = {"family": name, "total_ns": family_ns, "top_name": top, "top_ns": top_ns}
    return Finding(
        kind="compute",
        title="GPU-bound",
        says=f"{gpus} for {numbers.of_whole(ns)}. Of the durations of all kernels that compute, "
        f"{percent(family_ns / total)} is {name}, above all {numbers.kernel(top)} "
        f"({percent(top_ns / total)}).",
        next_step=_faster(name),
        cost_ns=ns,
        evidence=(part_evidence(numbers, "compute"), Evidence("kernel_families", columns)),
        is_fault=False,
    )


_FUSED = frozenset({"elementwise", "norm", "layout", "reduction", "softmax", "rope"})
"""Families of kernels that mostly move memory, which fewer, fused kernels move less often."""


def _faster(family: str) -> str:
    first = "Fuse them (torch.compile, fused ops): they mostly move memory. " * (family in _FUSED)
    return f"{first}`tp-tools query kernels` lists what takes the time, `modules` says whose it is."


def _family(numbers: Numbers) -> tuple[str, int, int, str, int] | None:
    """Return the family with most time: name, ns, ns of all, its largest kernel, ns of that."""
    rows = [
        row
        for row in numbers.rows("kernel_families")
        if row["family"] not in {"communication", "copy"}
    ]
    time = Counter[str]()
    for row in rows:
        time[row["family"]] += row["total_ns"]
    if not time.total():
        return None
    name, ns = time.most_common(1)[0]
    of_family = [row for row in rows if row["family"] == name]
    kernel = max(of_family, key=lambda row: row["top_ns"])["top_name"]
    same = sum(row["total_ns"] for row in numbers.rows("kernels") if row["name"] == kernel)
    return name, ns, time.total(), kernel, same


def hidden(numbers: Numbers) -> Finding | None:
    """Find kernels that Perfetto v51 to v56 does not show."""
    known = [it for it in numbers.traces if it.hidden is not None and it.hidden.kernels]
    if not known:
        return None
    most = max(known, key=lambda it: it.hidden.share if it.hidden else 0.0)
    counts = most.hidden
    assert counts is not None
    kernels = sum(it.hidden.kernels for it in known if it.hidden)
    ns = sum(it.hidden.kernel_ns for it in known if it.hidden)
    on = "" if len(numbers.traces) == 1 else f", most on rank {most.rank}:"
    name = numbers.kernel(counts.names[0][0])
    only = len(known) == len(counts.names) == 1
    which = f"above all {name}" if not only else name if kernels == 1 else f"all {name}"
    row = {"kernels": counts.kernels, "kernel_ns": counts.kernel_ns, "share": counts.share}
    return Finding(
        kind="hidden kernels",
        title="The timeline hides kernels",
        says=f"Perfetto 51 to 56 does not show {plural(kernels, 'kernel')} of {span(ns)}{on}"
        f"{',' if not on else ''} {percent(counts.share)} of kernel time, {which}: what "
        "looks idle there is not.",
        next_step="Look at the repaired trace: `tp-tools fix`, or `tp-tools view`.",
        cost_ns=None,
        evidence=(Evidence(INFO, row),),
        weight=counts.share,
    )
