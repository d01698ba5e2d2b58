"""A query gives the same rows when only the events that it needs are loaded."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.make import HERE
from tests.support.command_line import kernel, write_trace
from tp_tools import engine, library
from tp_tools.engine import Rows
from tp_tools.files.source import Source
from tp_tools.querying.trace_loader import LoadOptions, load_planned
from tp_tools.repair import OverlapOptions
from tp_tools.repair.analysis import analyze

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.repair.analysis import Analysis

TRACES = (
    "fixtures/pdl_decode.json.gz",
    "fixtures/amd_stream0.json.gz",
    "fixtures/torch_cpu_with_stack.json.gz",
    "b200_vllm_tp8_rank0.json.gz",
    "mi300_resnet_ddp8_rank0.cut1500.json.gz",
    "nccl_args_rank0.cut.json.gz",
    "train128_rank0.json.gz",
)
WITH_IDS = {"fixtures/pdl_decode.json.gz", "b200_vllm_tp8_rank0.json.gz"}
ARROWS = """
SELECT o.name AS origin, o.ts AS left_at, i.name AS target, i.ts AS reached_at
FROM flow
JOIN slice AS o ON o.id = flow.slice_out
JOIN slice AS i ON i.id = flow.slice_in
WHERE o.category = 'cuda_runtime' AND i.category = 'kernel'
ORDER BY 2, 4
"""


@pytest.fixture(params=TRACES)
def trace(request: pytest.FixtureRequest, real_trace: Callable[[str], Path]) -> Source:
    """Give each trace in turn: fixtures and recorded ones."""
    name: str = request.param
    path = HERE / Path(name).name if name.startswith("fixtures/") else real_trace(name)
    return Source(path, name)


@lru_cache(maxsize=1)
def analyzed(path: Path) -> tuple[Source, Analysis]:
    """Return a trace and its analysis, from which several loads are made."""
    source = Source(path, path.name)
    return source, analyze(source, OverlapOptions(engine="embedded"))


def answers(
    trace: Source,
    needs: frozenset[str] | None,
    sqls: dict[str, str],
    args: frozenset[str] | None = None,
) -> dict[str, Rows]:
    """Return the rows of each query if events of these categories are loaded, with these args."""
    options = LoadOptions("embedded", needs=needs, args=args)
    with load_planned(*analyzed(trace.path), options) as tp:
        return {name: without_ids(engine.query_rows(tp, sql, name)) for name, sql in sqls.items()}


def without_ids(answer: Rows) -> Rows:
    """Drop ids of slices and tracks, which depend on the loaded events."""
    columns = [
        i for i, name in enumerate(answer.columns) if name not in {"id", "slice_id", "track_id"}
    ]
    names = tuple(answer.columns[i] for i in columns)
    return Rows(names, [tuple(row[i] for i in columns) for row in answer.rows])


@pytest.mark.parametrize("trace", [it for it in TRACES if it not in WITH_IDS], indirect=True)
def test_the_library_needs_what_it_says(trace: Source) -> None:
    """Each query gives the same rows from the events and args it needs as from all of them.

    That it also gives the same ids is claimed of `WITH_IDS` in querying/test_trace_loader.py.
    """
    texts = {name: library.read(path) for name, path in library.queries().items()}
    needs = {name: library.parse(sql, name).needs for name, sql in texts.items()}
    full = answers(trace, None, texts)
    for categories in set(needs.values()) - {None}:
        some = {name: texts[name] for name in texts if needs[name] == categories}
        args = frozenset[str]().union(*map(library.args_read, some.values()))
        assert answers(trace, categories, some, args) == {name: full[name] for name in some}


def test_arrows_between_what_is_loaded(trace: Source) -> None:
    """If flows are needed, those between loaded slices stay, and none leads to another slice."""
    needs = frozenset({"kernel", "cuda_runtime", "flows"})
    few, all_of_them = (answers(trace, it, {"arrows": ARROWS}) for it in (needs, None))
    assert few == all_of_them
    count = "SELECT COUNT(*) AS n FROM flow"
    kept = answers(trace, needs, {"count": count})["count"].rows[0][0]
    assert kept == len(few["arrows"].rows)


def of(path: Path, *needs: str) -> list[str]:
    """Return the names of the loaded slices."""
    sql = "SELECT name FROM slice ORDER BY ts"
    return [name for (name,) in answers(Source(path, "t"), frozenset(needs), {"": sql})[""].rows]


def test_former_names_of_categories(tmp_path: Path) -> None:
    """Categories that Kineto called Kernel and Memcpy are loaded as kernel and gpu_memcpy."""
    cats = ("Kernel", "kernel", "Memcpy", "Operator", "kernels")
    events = [kernel(cat, i, 0.5, cat=cat) for i, cat in enumerate(cats)]
    loaded = partial(of, write_trace(tmp_path / "t.json", *events))
    assert loaded("kernel") == ["Kernel", "kernel"]
    assert loaded("gpu_memcpy", "cpu_op") == ["Memcpy", "Operator"]
    assert loaded("python_function") == []


def test_some_ops_are_loaded_by_name(tmp_path: Path) -> None:
    """`op_marks` loads the ops that queries about steps and collectives look for, and no others."""
    names = ("ProfilerStep#3", "aten::mm", "record_param_comms", "_c10d_functional::all_reduce")
    ops = [kernel(name, i, 0.5, cat="cpu_op") for i, name in enumerate(names)]
    former = kernel("ProfilerStep#4", 5, 0.5, cat="Operator")
    other = kernel("record_param_comms", 6, 0.5, cat="python_function")
    loaded = partial(of, write_trace(tmp_path / "t.json", *ops, former, other))
    assert loaded("op_marks") == [names[0], *names[2:], "ProfilerStep#4"]
    assert loaded("op_marks", "cpu_op") == [*names, "ProfilerStep#4"]


def call(name: str, ts: float, tid: int, correlation: object = None) -> dict[str, Any]:
    """A call of the runtime, with the correlation id that it has."""
    args = {} if correlation is None else {"correlation": correlation}
    return kernel(name, ts, 0.5, cat="cuda_runtime", pid=1, tid=tid, args=args)


def test_calls_that_ask_are_left_out(tmp_path: Path) -> None:
    """`launch_calls` loads those that launch work or may hold their thread, and one per thread."""
    events = [
        call("cudaGetDevice", 1, 1, 5),
        call("cudaLaunchKernel", 2, 1, 6),
        call("cudaGetDevice", 3, 1, 7),
        call("cudaMalloc", 4, 1),
        call("cudaPeekAtLastError", 5, 2, 0),
        call("cudaEventQuery", 6, 2, 8),
        call("cudaEventQuery", 7, 2, 9),
        kernel("gemm", 8, 1, args={"correlation": 6}),
    ]
    names = of(write_trace(tmp_path / "t.json", *events), "launch_calls")
    assert names == ["cudaGetDevice", "cudaLaunchKernel", "cudaMalloc", "cudaEventQuery"]


def test_all_calls_are_loaded_where_a_correlation_is_text(tmp_path: Path) -> None:
    """SQL reads "6" as the number 6, which the columns of a trace tell apart."""
    events = [
        call("cudaLaunchKernel", 2, 1, "6"),
        call("cudaGetDevice", 3, 1, 7),
        kernel("gemm", 8, 1, args={"correlation": 6}),
    ]
    names = of(write_trace(tmp_path / "t.json", *events), "launch_calls")
    assert names == ["cudaLaunchKernel", "cudaGetDevice"]


def test_pairs_stay_pairs(tmp_path: Path) -> None:
    """A slice of B and E events keeps its E event, which has no category."""
    begin, end = kernel("k", 1, 0, ph="B"), {"ph": "E", "pid": 0, "tid": 7, "ts": 5}
    other = [kernel("o", 7, 0, ph="B", cat="cpu_op"), end | {"ts": 8}]
    path = write_trace(tmp_path / "t.json", begin, end, *other)
    sql = "SELECT name, dur FROM slice"
    assert answers(Source(path, "t"), frozenset({"kernel"}), {"": sql})[""].rows == [("k", 4000)]


def test_arrows_are_no_category() -> None:
    """Flows are loaded as `flows` and not by their category, which would lead to missing slices."""
    source = Source(HERE / "sound.json.gz", "sound")
    sql = {"": "SELECT COUNT(*) FROM flow"}
    kinds = [frozenset({"kernel", "cuda_runtime", arrows}) for arrows in ("flows", "ac2g")]
    assert [answers(source, needs, sql)[""].rows for needs in kinds] == [[(4,)], [(0,)]]


def test_tracks_keep_their_names(tmp_path: Path) -> None:
    """Names of processes and threads are loaded for any needs."""
    name = {"ph": "M", "name": "thread_name", "pid": 0, "tid": 7, "args": {"name": "stream 7"}}
    path = write_trace(tmp_path / "t.json", kernel("k", 1, 1), name)
    sql = """SELECT thread.name FROM slice
    JOIN thread_track AS t ON t.id = track_id JOIN thread USING (utid)"""
    assert answers(Source(path, "t"), frozenset({"kernel"}), {"": sql})[""].rows == [("stream 7",)]
