"""Find what keeps GPUs idle: data, synchronisations, memory, loading of code, launches, waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.diagnosis.evidence import some
from tp_tools.diagnosis.model import Evidence, Finding, Place
from tp_tools.formatting import percent, plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.diagnosis.numbers import Idle, Numbers, Row

IDLE_COLUMNS = ("rank", "device", "cause", "idle_ns", "gaps", "mostly", "mostly_ns", "longest_ns")
_ONE_GAP = 0.8
"""A gap with this share of the idle time by a cause stands for all of it."""
_MUCH = 0.1
"""A name is worth telling from this share of the time on."""
_SHORT_NS = 10_000
"""Gaps between launched kernels that are shorter on average are their usual distance."""


def data_loading(numbers: Numbers) -> Finding | None:
    """Find waits for the next batch of a DataLoader."""
    idle = numbers.idle("data loading")
    if idle is None:
        return None
    return Finding(
        kind="data loading",
        title="Waiting for data",
        says=f"{_idles(numbers, idle)} while the thread that launches work waits for the next "
        f"batch of a DataLoader: {_gaps(idle)}.",
        next_step="Load ahead: more workers (num_workers), prefetch_factor, persistent_workers, "
        "pin_memory=True; or make a batch cheaper to read and to decode.",
        cost_ns=idle.ns,
        evidence=(_evidence(idle),),
        place=_place(numbers, idle),
        doubts=tuple(_slow_profile(numbers)),
    )


def synchronisation(numbers: Numbers) -> Finding | None:
    """Find calls in which the CPU waits for the GPU until that has nothing to do."""
    idle = numbers.idle("synchronisation")
    if idle is None:
        return None
    evidence, from_where = [_evidence(idle)], ""
    sync = numbers.top("syncs", "gpu_idle_ns")
    if sync is not None and sync["gpu_idle_ns"]:
        columns = ("rank", "name", "cpu_op", "python_line", "count", "total_ns", "gpu_idle_ns")
        evidence.append(Evidence("syncs", {key: sync[key] for key in columns}))
        around = ", ".join(filter(None, (sync["cpu_op"], sync["python_line"])))
        from_where = f"; mostly {sync['name']}" + (f" in {around}" if around else "")
    return Finding(
        kind="synchronisation",
        title="Synchronisations",
        says=f"{_idles(numbers, idle)} while the thread that launches work is in a call that waits "
        f"for the GPU, though that has nothing to do: {_gaps(idle)}{from_where}.",
        next_step="Leave out of the step what makes the CPU wait: .item(), .cpu(), printing of GPU "
        "values, copies from pageable memory. Keep values on the GPU, read them after several "
        "steps.",
        cost_ns=idle.ns,
        evidence=tuple(evidence),
        place=_place(numbers, idle),
    )


def memory(numbers: Numbers) -> Finding | None:
    """Find calls that take, map or give back memory while the GPU idles."""
    idle = numbers.idle("memory")
    if idle is None:
        return None
    return Finding(
        kind="memory",
        title="Memory calls",
        says=f"{_idles(numbers, idle)} while the thread that launches work takes or gives back "
        f"memory: {_gaps(idle)}{_mostly(numbers, idle)}.",
        next_step="If this is the start of the program, record after some steps of warm-up. Within "
        "steps, let the allocator keep its memory: no empty_cache(), no new sizes of batches, "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True.",
        cost_ns=idle.ns,
        evidence=(_evidence(idle),),
        place=_place(numbers, idle),
    )


def set_up(numbers: Numbers) -> Finding | None:
    """Find code that is loaded and graphs that are built while the GPU idles."""
    idle = numbers.idle("set-up")
    if idle is None:
        return None
    return Finding(
        kind="set-up",
        title="Loading of code",
        says=f"{_idles(numbers, idle)} while the thread that launches work loads code or builds a "
        f"graph, or is for 1 ms or longer in one launch call: {_gaps(idle)}"
        f"{_mostly(numbers, idle)}.",
        next_step="Record after some steps of warm-up: the first launch of a kernel loads its "
        "code. PyTorch: schedule(wait=1, warmup=3, active=3); nsys: "
        "--capture-range=cudaProfilerApi, or --delay.",
        cost_ns=idle.ns,
        evidence=(_evidence(idle),),
        place=_place(numbers, idle),
    )


def launches(numbers: Numbers) -> Finding | None:
    """Find idle time that the CPU causes by launching work late."""
    idle = numbers.idle("cpu", "launch call", "front end")
    if idle is None:
        return None
    is_long = 2 * idle.long_ns > idle.ns
    most = _mostly(numbers, idle) if idle.top["cause"] == "cpu" else ""
    spread = (
        f"{percent(idle.long_ns / idle.ns)} of that in pieces of 1 ms and longer"
        if is_long
        else "mostly in pieces shorter than 1 ms"
    )
    title = "CPU-bound" if is_long else "Launch-bound"
    options = numbers.profiler_options()
    advice = (
        "see what the CPU does in the longest gaps: `tp-tools query gaps` names the op and the "
        "Python line; take it off the thread that launches work."
        if is_long
        else f"launch less often: {_fewer_launches(idle)}, larger batches."
    )
    return Finding(
        kind="launches",
        title=title if idle.ns >= numbers.part("compute") else "Late launches",
        says=f"{_idles(numbers, idle)} because the CPU launches work late, {spread}{most}.",
        next_step=f"Record again without {options}; if it stays so, {advice}"
        if options
        else f"{advice[:1].upper()}{advice[1:]}",
        cost_ns=idle.ns,
        evidence=(_evidence(idle),),
        place=_place(numbers, idle),
        doubts=tuple(_slow_profile(numbers)),
    )


def _fewer_launches(idle: Idle) -> str:
    """Say how to launch less often; what is compiled already needs no torch.compile."""
    if str(idle.top["mostly"]).startswith("Torch-Compiled Region"):
        return "graphs of the compiled regions (mode='reduce-overhead')"
    return "graphs (CUDA, HIP), torch.compile, fused ops"


def waits(numbers: Numbers) -> Finding | None:
    """Find idle time before work that had been launched."""
    idle = numbers.idle("dependency", "late start")
    if idle is None:
        return None
    says = f"{_idles(numbers, idle)} though the next work had been launched: {_gaps(idle)}."
    doubts, is_short = list[str](), idle.ns < _SHORT_NS * idle.gaps
    if is_short:
        advice = (
            "The gaps are the usual distance of kernels that are short: fuse them (torch.compile, "
            "fused ops), or give each more to do."
        )
    else:
        advice = (
            "See in the timeline which stream the work waited for: an event of another stream, a "
            "collective, a copy. `tp-tools query critical_path` has the chain."
        )
        doubts.append(
            "The profiler records no event that one stream waits for, and nothing that was "
            "launched before the recording began: what the work waited for is not told."
        )
    if _is_one_gap(idle):
        advice = (
            "Look at this gap in the timeline, and whether another recording has it: if it stands "
            "at the start, what the GPU did then may have been launched before."
        )
    return Finding(
        kind="waits",
        title="Short gaps between kernels" if is_short else "Launched, and not begun",
        says=says,
        next_step=advice,
        cost_ns=idle.ns,
        evidence=(_evidence(idle),),
        place=_place(numbers, idle),
        doubts=tuple(doubts),
    )


def unknown(numbers: Numbers) -> Finding | None:
    """Find idle time of which the trace says nothing."""
    idle = numbers.idle("unknown")
    if idle is None:
        return None
    return Finding(
        kind="unknown",
        title="Idle, and the trace does not say why",
        says=f"{_idles(numbers, idle)}, and the trace has no launch of the work after: "
        f"{_gaps(idle)}.",
        next_step="Record the CPU too. PyTorch: activities=[ProfilerActivity.CPU, "
        "ProfilerActivity.CUDA]; nsys: --trace=cuda,nvtx.",
        cost_ns=idle.ns,
        evidence=(_evidence(idle),),
        place=_place(numbers, idle),
        doubts=("Nothing is known of its cause.",),
    )


def _idles(numbers: Numbers, idle: Idle) -> str:
    """Say how much of the GPU time, and of the idle time, this is."""
    gpus = "The GPUs idle" if len(numbers.devices) > 1 else "The GPU idles"
    share = percent(idle.ns / numbers.idle_ns) if numbers.idle_ns else "0.0 %"
    return f"{gpus} {span(idle.ns)} of {span(numbers.gpu_ns)} ({share} of all idle time)"


def _gaps(idle: Idle) -> str:
    longest = idle.longest["longest_ns"]
    if idle.gaps == 1:
        return "one gap"
    if _is_one_gap(idle):
        rest = f"{plural(idle.gaps - 1, 'other')} of {span(idle.ns - longest)} together"
        return f"one gap of {span(longest)}, and {rest}"
    mean = span(round(idle.ns / idle.gaps))
    return f"{plural(idle.gaps, 'gap')}, on average {mean}, the longest {span(longest)}"


def _is_one_gap(idle: Idle) -> bool:
    return bool(idle.longest["longest_ns"] > _ONE_GAP * idle.ns)


def _mostly(numbers: Numbers, idle: Idle) -> str:
    """Name what takes most: call, op or Python function, with its time; empty if it is little."""
    row = idle.top
    name, ns = row["mostly"], row["mostly_ns"]
    if name is None or ns < _MUCH * row["idle_ns"] or name.startswith("ProfilerStep#"):
        return ""
    on = f" on rank {row['rank']}" if numbers.is_job() else ""
    return f", the largest part in {name} ({span(ns)}{on})"


def _evidence(idle: Idle) -> Evidence:
    """Return the row with most of it, and count the others."""
    top = some(idle.top, IDLE_COLUMNS)
    return Evidence("idle", top, idle.rows - 1, idle.ns - idle.top["idle_ns"])


def _place(numbers: Numbers, idle: Idle) -> Place:
    """Return the gap with most of it."""
    row: Row = idle.longest
    what = f"gap before {numbers.kernel(row['longest_after'])}"
    return Place(row["rank"], row["longest_ts"], row["longest_dur"], what)


def _slow_profile(numbers: Numbers) -> Iterator[str]:
    """Doubt time of the CPU where the profiler slowed it."""
    if options := numbers.profiler_options():
        yield f"The profile was recorded with {options}, which slows the CPU."
