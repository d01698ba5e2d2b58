"""Small traces for queries: GPU work, the calls that launched it, CPU ops; times in ns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.handmade import micros, text
from tp_tools import library
from tp_tools.engine import load, query_rows
from tp_tools.library import NO_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.engine.processor import Processor
    from tp_tools.library import Values

Event = dict[str, Any]
Row = dict[str, Any]

PROCESS, THREAD = 100, 20
LINKS = ("id", "slice_id", "track_id")
"""Columns of a trace's own numbers: they differ between forms of one trace."""


def slice_of(cat: str, name: str, row: tuple[int, int], ts: int, end: int, **args: object) -> Event:
    """A complete event on a row, (pid, tid)."""
    pid, tid = row
    times = {"ts": micros(ts), "dur": micros(end - ts)}
    return {"ph": "X", "cat": cat, "name": name, "pid": pid, "tid": tid, **times, "args": args}


def work(
    name: str,
    ts: int,
    end: int,
    *,
    stream: int = 7,
    device: int = 0,
    cat: str = "kernel",
    **args: object,
) -> Event:
    """A kernel, or what `cat` says."""
    given = {"device": device, "stream": stream, **args}
    return slice_of(cat, name, (device, stream), ts, end, **given)


def copy(name: str, ts: int, end: int, **more: Any) -> Event:  # noqa: ANN401  as work takes it
    """A copy, or a memset by its name."""
    cat = "gpu_memset" if name.startswith("Memset") else "gpu_memcpy"
    return work(name, ts, end, cat=cat, **more)


def call(
    name: str, ts: int, end: int, correlation: int, *, thread: int = THREAD, cat: str = ""
) -> Event:
    """A runtime call."""
    row = (PROCESS, thread)
    return slice_of(cat or "cuda_runtime", name, row, ts, end, correlation=correlation)


def op(name: str, ts: int, end: int, *, thread: int = THREAD, **args: object) -> Event:
    """A CPU op."""
    return slice_of("cpu_op", name, (PROCESS, thread), ts, end, **args)


def note(name: str, ts: int, end: int, *, thread: int = THREAD, **args: object) -> Event:
    """An annotation on the CPU."""
    return slice_of("user_annotation", name, (PROCESS, thread), ts, end, **args)


def process_name(pid: int | str, name: str) -> Event:
    """Metadata event that names a process."""
    return {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}


def ask(query: str, events: Iterable[Event], values: Values = NO_VALUES) -> list[Row]:
    """The rows of a query of the library on a trace of these events, which must load whole."""
    with load([text(events)], source="trace.json") as tp:
        return answer(query, tp, values)


def answer(query: str, tp: Processor, values: Values = NO_VALUES) -> list[Row]:
    """The rows of a query of the library with values of parameters, without `LINKS`."""
    path = library.queries()[query]
    rows = query_rows(tp, library.read(path, values), path.name)
    return [
        {k: v for k, v in zip(rows.columns, row, strict=True) if k not in LINKS}
        for row in rows.rows
    ]
