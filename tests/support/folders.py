"""Folders as frameworks leave them: names and `distributedInfo` that fit, and what lies beside."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KERNEL = {"ph": "X", "cat": "kernel", "name": "k", "pid": 0, "tid": 7, "ts": 1, "dur": 1}
CALL = {**KERNEL, "cat": "cuda_runtime", "pid": 99}


def trace(said: tuple[int, int] | None, *, behind: bool = False) -> str:
    """A trace with a kernel.

    Args:
        said: rank and world size as its distributedInfo says them; None if it has none.
        behind: whether that stands behind the events, as in on-demand profiles.
    """
    job = dict(zip(("rank", "world_size"), said or (), strict=bool(said)))
    parts: list[dict[str, Any]] = [
        {"distributedInfo": {"backend": "nccl", **job}} if said else {},
        {"traceEvents": [KERNEL]},
    ]
    return json.dumps(
        {k: v for part in (parts[::-1] if behind else parts) for k, v in part.items()}
    )


BESIDE = {
    "server_args.json": '{"model_path": "m", "tp_size": 2}',
    "et_rank0.json": '{"schema": "1.1.1-chakra.0.0.4", "nodes": [{"id": 1, "name": "root"}]}',
    "rank0_memory-timeline.json": "[[1, 2, 3], [[0, 4], [5, 6]]]",
    "kernels.json": '[{"rank": 0, "name": "k", "count": 3}]',
    "metrics.json": '{"ts": [1, 2], "s": {"t": 3}}',
    "baseline.json.gz": '{"metrics": {"step_ns": 5}}',
    "merged-17.5.trace.json.gz": json.dumps({"traceEvents": [{**KERNEL, "pid": "[TP00] 0"}]}),
    "all.json.gz": json.dumps({"tpToolsMerge": {}, "traceEvents": [KERNEL]}),
    "node0_4242.async_llm.1764012345677.pt.trace.json.gz": json.dumps({"traceEvents": [CALL]}),
    "pod-worker-0_7.async_llm.1764012345677.pt.trace.json": json.dumps({"traceEvents": [CALL]}),
    "rank0_memory-timeline.raw.json.gz": "[[1, 2, 3, 4]]",
    "chakra_et.rank1.json": '{"schema": "1.0", "nodes": [{"id": 1, "name": "root", "rf_id": 2}]}',
}
"""Files that are no ranks, by name."""


class Folder(Struct, frozen=True):
    """The files of one job.

    Attributes:
        said: rank and world size that each file says, by name; None where it says none.
        ranks: the rank that each is.
        behind: whether files say it behind their events.
        beside: names of other files.
    """

    said: dict[str, tuple[int, int] | None]
    ranks: dict[str, int]
    behind: bool = False
    beside: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Writes all files."""
        texts = {name: trace(said, behind=self.behind) for name, said in self.said.items()}
        texts |= {name: BESIDE[name] for name in self.beside}
        for name, text in texts.items():
            data = text.encode()
            (folder / name).write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)


class Sizes(Struct, frozen=True):
    """Of the parallel axes, and the time that names say."""

    dp: int
    pp: int
    tp: int
    time: int = 1764012345

    def places(self) -> Iterator[tuple[int, int, int]]:
        """(DP, PP, TP) of each rank, in order."""
        for dp in range(self.dp):
            for pp in range(self.pp):
                for tp in range(self.tp):
                    yield dp, pp, tp

    @property
    def engine(self) -> int:
        """Ranks of one replica."""
        return self.pp * self.tp


def sglang_replicas(it: Sizes, stage: str = "") -> Folder:
    """Replicas that are jobs of their own."""
    end = f"-{stage}" if stage else ""
    names = {
        f"{it.time}.25-TP-{tp}-DP-{dp}-PP-{pp}-EP-{tp}{end}.trace.json.gz": (pp * it.tp + tp, dp)
        for dp, pp, tp in it.places()
    }
    said = {name: (rank, it.engine) for name, (rank, _) in names.items()}
    return Folder(said, {name: dp * it.engine + rank for name, (rank, dp) in names.items()})


def sglang_attention(it: Sizes, stage: str = "") -> Folder:
    """Data parallel attention: DP lies within TP."""
    world, end = it.dp * it.tp, f"-{stage}" if stage else ""
    ranks = {
        f"{it.time}.75-TP-{rank}-DP-{rank // it.tp}-EP-{rank}{end}.trace.json.gz": rank
        for rank in range(world)
    }
    return Folder({name: (rank, world) for name, rank in ranks.items()}, ranks)


def _vllm(it: Sizes) -> dict[str, int]:
    return {
        f"dp{dp}_pp{pp}_tp{tp}_dcp0_ep{tp}_rank{pp * it.tp + tp}"
        f".{it.time}{at:03}.pt.trace.json.gz": at
        for at, (dp, pp, tp) in enumerate(it.places())
    }


def vllm_experts(it: Sizes) -> Folder:
    """Ranks count over all engines in distributedInfo, within one in the name."""
    ranks = _vllm(it)
    return Folder({name: (rank, len(ranks)) for name, rank in ranks.items()}, ranks)


def vllm_dense(it: Sizes) -> Folder:
    """Engines that are jobs of their own."""
    ranks = _vllm(it)
    said = {name: (rank % it.engine, it.engine) for name, rank in ranks.items()}
    return Folder(said, ranks)


def _plain(it: Sizes, pattern: str, *, says: bool) -> Folder:
    world = it.dp * it.engine
    ranks = {
        pattern.format(
            rank=rank,
            time=it.time * 1000 + rank,
            node=rank // 4,
            local=rank % 4,
            pid=300 + rank,
        ): rank
        for rank in range(world)
    }
    return Folder({name: (rank, world) if says else None for name, rank in ranks.items()}, ranks)


NAMED = (
    "trace-rank-{rank}.json",
    "rank-{rank}.json.gz",
    "rank{rank}_trace.json",
    "prof_step_3_rank_{rank}.json.gz",
    "2026-11-28_lora-rank16_llama-70b_tp8_rank{rank}.json",
    "primus-exp[a rank-7]-rank[{rank}].{time}.pt.trace.json.gz",
    "worker{rank}_step_12.{time}.pt.trace.json.gz",
    "run_2025-11-24_10-11-12-rank-{rank}.json",
    "rank_{rank}.{time}.pt.trace.json",
    "nemo_global_rank_{rank}_local_rank_{local}.json.gz",
    "ds_trace_node{node}_local{local}_rank{rank:04}.json",
    "e2e_{rank}_rank_{rank}_20251124_101112.json.gz",
    "xdit_rank_{rank}_world_64.json",
    "rank{rank}.24.pt.trace.json",
    "b6b1-4f-denoise-global-rank{rank}.trace.json.gz",
    "prof_start_1_end_3_rank_{rank}.json",
    "job_991_node{node}_rank{rank}_gpu{local}.json",
    "ray::Worker.execute_pid={pid}_rank={rank}.json",
)
"""Names that say the rank: TensorRT-LLM, Megatron, torchtitan, verl, jobs, Primus, DLRM, NeMo,
DeepSpeed, xDiT, Composer, SGLang's diffusion, Slurm, Ray."""

HOSTS = (
    "node{node}_{pid}.{time}.pt.trace.json",
    "train-worker-{node}_{pid}.{time}.pt.trace.json.gz",
    "job-worker-{node}-0_{pid}.{time}.pt.trace.json",
    "ray-worker-0_{pid}.{time}.pt.trace.json.gz",
    "node_rank{node}_local_rank{local}.json",
    "profile_gpu{local}_{pid}.json.gz",
    "ip-10-0-1-{node}.ec2.internal_{pid}.{time}.pt.trace.json",
    "libkineto_trace_{pid}.json",
    "profile_{rank}.json",
    "fit-trace[Strategy]DDPStrategy_{rank}.pt.trace.json",
)
"""Names of machines and pods, of tensorboard_trace_handler; of Dynolog, Accelerate, Lightning."""


@st.composite
def jobs(draw: st.DrawFn, time: int = 1764012345) -> Folder:
    """A job of any framework, with others' files beside."""
    sizes = Sizes(*(draw(st.integers(1, 3), label=axis) for axis in ("dp", "pp", "tp")), time)
    makers = [sglang_replicas, sglang_attention, vllm_experts, vllm_dense]
    makers += [lambda it, n=name: _plain(it, n, says=True) for name in (*NAMED, *HOSTS)]
    makers += [lambda it, n=name: _plain(it, n, says=False) for name in NAMED]
    made: Folder = draw(st.sampled_from(makers))(sizes)
    beside = draw(st.lists(st.sampled_from(sorted(BESIDE)), unique=True))
    return Folder(made.said, made.ranks, draw(st.booleans()), beside)
