"""Small traces of several ranks, as `tp-tools merge` and as other mergers write them; times in us.

Ours: "rank 3 GPU 3", ids of its own per rank, the number of the match on the kernels, and a process
with a slice per match. Others: "[TP03] 0" for the process, and nothing about collectives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.gpu_traces import Event, Row, ask, process_name, slice_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CPU = 60_000
"""The pid of a rank's Python process; its GPU has its number."""

THREAD = CPU + 1
NCCL = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"
CUSTOM = "void vllm::cross_device_reduce_1stage<__nv_bfloat16, 2>(vllm::RankData*, int)"
IDS_PER_RANK = 100_000


@dataclass(frozen=True)
class Slice:
    """A slice of a rank; `row` is its stream, or its thread."""

    rank: int
    name: str
    ts: float
    end: float
    cat: str = "kernel"
    row: int = 7
    args: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_on_gpu(self) -> bool:
        """Whether it stands in the process of the rank's GPU."""
        return self.cat.startswith(("kernel", "gpu_"))


def work(rank: int, ts: float, end: float, name: str = "gemm", **more: Any) -> Slice:  # noqa: ANN401  as Slice takes it
    """A kernel, or what `cat` says."""
    return Slice(rank, name, ts, end, **more)


def reduction(
    rank: int, ts: float, end: float, args: Mapping[str, object], *, row: int = 7
) -> Slice:
    """A collective that says what it is."""
    return Slice(rank, NCCL, ts, end, "kernel", row, args)


def custom(rank: int, ts: float, end: float, row: int = 7, name: str = CUSTOM) -> Slice:
    """An all-reduce that says nothing, as in CUDA graphs."""
    return Slice(rank, name, ts, end, "kernel", row)


def told(
    kind: str = "allreduce", elements: tuple[int, int] = (1024, 1024), size: int = 2, **more: object
) -> dict[str, object]:
    """The five args that Kineto writes together."""
    return {
        "Collective name": kind,
        "In msg nelems": elements[0],
        "Out msg nelems": elements[1],
        "Group size": size,
        "dtype": "BFloat16",
        **{name.replace("_", " "): value for name, value in more.items()},
    }


def group(name: str, *members: int, description: str = "tp") -> dict[str, object]:
    """The args that name a process group."""
    return {
        "Process Group Name": name,
        "Process Group Description": description,
        "Process Group Ranks": str(list(members)),
    }


def foreign(slices: Iterable[Slice]) -> list[Event]:
    """Events as SGLang's and torch_utils' mergers write them."""
    events: list[Event] = []
    for it in slices:
        pid = 0 if it.is_on_gpu else CPU
        event = slice_of(it.cat, it.name, (pid, it.row), _ns(it.ts), _ns(it.end), **_args(it))
        events.append({**event, "pid": f"[TP{it.rank:02d}] {pid}"})
    return events


def ours(
    slices: Iterable[Slice],
    matches: Mapping[int, tuple[Iterable[Slice], Mapping[str, object]]] | None = None,
) -> list[Event]:
    """Events as `tp-tools merge` writes them.

    Args:
        slices: of all ranks.
        matches: by number: the parts, and what the slice of the match says, such as `matched_by`.
    """
    matches = matches or {}
    numbers = {id(part): number for number, (parts, _) in matches.items() for part in parts}
    events: list[Event] = []
    for it in slices:
        own = (it.rank + 1) * IDS_PER_RANK
        pid = own + (it.rank % 8 if it.is_on_gpu else CPU)
        label = f"GPU {it.rank % 8}" if it.is_on_gpu else "CPU python3"
        note = {"tpt_collective": numbers[id(it)]} if id(it) in numbers else {}
        times = (_ns(it.ts), _ns(it.end))
        events += [
            process_name(pid, f"rank {it.rank} {label}"),
            slice_of(it.cat, it.name, (pid, own + it.row), *times, **_args(it), **note),
        ]
    for number, (parts, said) in matches.items():
        since, until = min(it.ts for it in parts), max(it.end for it in parts)
        about = {"kind": "all_reduce", **said, "tpt_collective": number}
        row = (1, 2 + number)
        events.append(slice_of("collective", "all_reduce", row, _ns(since), _ns(until), **about))
    return events


def _args(it: Slice) -> dict[str, object]:
    where = {"device": it.rank % 8, "stream": it.row} if it.is_on_gpu else {}
    return {**where, **it.args}


def _ns(us: float) -> int:
    return round(us * 1000)


def rows(query: str, events: Iterable[Event], *columns: str) -> list[Any]:
    """The rows of a query as tuples of some columns; of one column, its values."""
    answer: list[Row] = ask(query, events)
    if len(columns) == 1:
        return [row[columns[0]] for row in answer]
    return [tuple(row[column] for column in columns) for row in answer]
