"""Jobs that are asked in parts: generated ranks, and recorded ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures import generate_ranks
from fixtures.generate_ranks import BASE_NS
from fixtures.kineto import Slice
from tests.support import generated

if TYPE_CHECKING:
    from pathlib import Path

RANKS = 4
LITTLE = 1 << 20
"""Bytes of memory in which no engine starts."""

JOBS: dict[str, dict[str, object]] = {
    "identified": {"args": "comms_id"},
    "nameless": {"args": "none"},
    "in two groups, on two machines": {"args": "seq", "groups": 2, "hosts": 2},
    "with ranks that come last together": {
        "args": "comms_id",
        "twins": True,
        "largest_offset": 0,
        "largest_drift_ppm": 0,
    },
    "with messages": {"args": "comms_id", "messages": 5},
}
"""Four ranks each; one of them lost some collectives."""

RECORDED = {
    "train128_rank0.json.gz": "train128_rank*.json.gz",
    "dlrm8_v100/worker0_step_12.1694128201545.pt.trace.json.gz": "*.json.gz",
    "llama2_pcie/rank0.json.gz": "rank*.json.gz",
}
"""The files of recorded jobs, by the first of them."""


def written(
    folder: Path,
    *,
    marked: bool = True,
    messages: int = 0,
    unlaunched: int = 0,
    elsewhere: int = 0,
    forked: int = 0,
    twins: bool = False,
    **wishes: object,
) -> list[str]:
    """Writes ranks on clocks of their own, with launches; a mark for each step if wanted.

    The first so many collectives of each are messages between two ranks, the first so many kernels
    have no launch, are on another GPU, or are launched by another process. A twin, the last rank,
    does all that the one before it does at the same time.
    """
    made = generated.job(ranks=RANKS, steps=6, only_collectives=False, straggling=0.2, **wishes)
    made.ranks[-1] = made.ranks[-2] if twins else made.ranks[-1]
    paths = []
    for rank, it in enumerate(made.ranks):
        trace = generate_ranks.trace(made, rank)
        first = (it.work[1:] < it.work[:-1]).nonzero()[0] + 1 if marked else []
        edges = [0, *(int(n) for n in first)] if marked else []
        thread = (40_000 + 7 * rank, 40_000 + 7 * rank)
        ends = [*edges[1:], len(it.ts) - 1] if edges else []
        for number, (begin, end) in enumerate(zip(edges, ends, strict=True)):
            since, until = (int(it.ts[at]) - BASE_NS - 10_000 for at in (begin, end))
            mark = Slice(
                "user_annotation", f"ProfilerStep#{7 + number}", thread, since, until - since, {}
            )
            trace.add(mark)
        path = folder / f"rank{rank}.json"
        peer = f'"{("send", "recv")[rank % 2]}", "{("Dst", "Src")[rank % 2]} Rank": {rank ^ 1}'
        text = trace.text().replace('"allreduce"', peer, messages)
        text = text.replace(f'"device": {rank}', f'"device": {rank + 9}', elsewhere)
        own, other = (f'"cudaLaunchKernel", "pid": {pid}' for pid in (thread[0], 99_000 + rank))
        text = text.replace(own, other, forked)
        path.write_text(text.replace('"cuda_runtime"', '"lost"', unlaunched))
        paths.append(str(path))
    return paths
