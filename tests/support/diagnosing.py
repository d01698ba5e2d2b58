"""Make the numbers of a diagnosis by hand."""

from __future__ import annotations

from typing import Any

from tp_tools.diagnosis import Numbers, TraceFacts
from tp_tools.diagnosis.numbers import PARTS
from tp_tools.engine import Rows
from tp_tools.repair.summary import Hidden

MS = 1_000_000


def numbers(
    *windows: dict[str, Any], traces: tuple[TraceFacts, ...] = (), **queries: list[dict[str, Any]]
) -> Numbers:
    """Make numbers of rows: those of `verdict`, and those of other queries by name."""
    rows = {"verdict": list(windows), **queries}
    results = {
        name: Rows(tuple(them[0]) if them else (), [tuple(row.values()) for row in them])
        for name, them in rows.items()
    }
    return Numbers(results, traces)


def window(rank: int | None = None, **parts: Any) -> dict[str, Any]:  # noqa: ANN401  ns by part
    """Make the row of `verdict` for all the time of a GPU, from its parts in ns."""
    profiler, waiting = parts.pop("profiler", None), parts.pop("waiting_percent", None)
    every = {f"{name}_ns": parts.get(name, 0) for name in PARTS}
    about = {"rank": rank, "device": rank or 0, "part": "all", "dur": sum(every.values())}
    return {**about, **every, "profiler": profiler, "waiting_percent": waiting}


def cause(name: str, ns: int, rank: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  columns
    """Make a row of `idle`: one gap, that begins at 5, before the kernel k."""
    row = {"rank": rank, "device": rank or 0, "cause": name, "idle_ns": ns, "gaps": 1}
    row |= {"long_ns": ns if ns >= MS else 0, "mostly": None, "mostly_ns": None}
    row |= {"longest_ns": ns, "longest_ts": 5, "longest_dur": ns, "longest_after": "k"}
    return row | more


def late(rank: int, caused_us: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401  columns
    """Make a row of `stragglers`."""
    row: dict[str, Any] = {"rank": rank, "collectives": 8, "times_last": 5}
    row |= {"caused_wait_us": caused_us, "late_work_us": None, "late_gaps_us": None}
    return row | {"cause": None, "caused_by": None, "caused_by_us": None} | more


def collective(
    kind: str, ns: int, rank: int = 0, wait_us: float = 0, number: int = 0
) -> dict[str, Any]:
    """Make a row of `collectives_by_rank` that begins at 0; the rank arrives at its number."""
    row = {"rank": rank, "kind": kind, "name": "nccl", "ts": 0, "ts_end": ns}
    row |= {"collective": number, "arrival": number}
    return row | {"wait_us": wait_us, "transfer_us": ns / 1000 - wait_us}


def facts(
    rank: int | None = None,
    *,
    world_size: int | None = None,
    hidden_percent: float | None = None,
    options: tuple[str, ...] = (),
    is_aligned: bool = True,
) -> TraceFacts:
    """Make the facts of a trace of which Perfetto hides two kernels."""
    hidden = None
    if hidden_percent is not None:
        hidden = Hidden(3, 2, 2 * MS, hidden_percent / 100, [("gemm", 2, 2 * MS)])
    return TraceFacts(rank, world_size, hidden, options, is_aligned)
