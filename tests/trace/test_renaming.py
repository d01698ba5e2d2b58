"""Kernels with their short names: in JSON and .pftrace, alone and merged, and back."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command_line import TpTools, kernel, write_trace
from tests.support.gpu_traces import answer
from tp_tools.chrome import read
from tp_tools.engine import load, query_rows
from tp_tools.files.source import Source
from tp_tools.trace.renaming import FULL_NAME, is_renamed, kernel_names, new_names, renamed
from tp_tools.trace.short_names import short_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ADD = "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>>(int)"
TRANSPOSE = "void ns::transpose<{}>(float*)"
NAMES = """SELECT name, EXTRACT_ARG(arg_set_id, 'args.tpt_name'),
    EXTRACT_ARG(arg_set_id, 'debug.args.tpt_name')
  FROM slice WHERE category = 'kernel' ORDER BY ts"""
EXPECTED = [
    ("elementwise CUDAFunctor_add f32", ADD),
    ("transpose [8]", TRANSPOSE.format(8)),
    ("transpose [16]", TRANSPOSE.format(16)),
    ("gemm", None),
]


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


def events() -> list[dict[str, Any]]:
    """Four kernels, and an op that has the name of one."""
    names = [ADD, TRANSPOSE.format(8), TRANSPOSE.format(16), "gemm"]
    made = [kernel(name, 10 * i, 5, args={"grid": [i]}) for i, name in enumerate(names)]
    return [*made, {**kernel(ADD, 0, 1), "cat": "cpu_op", "pid": 9, "tid": 9}]


def shown(path: Path) -> list[tuple[str, str | None]]:
    """The name of each kernel, and the full one in its args."""
    with load([path.read_bytes()], source=path.name) as tp:
        return [(name, one or other) for name, one, other in query_rows(tp, NAMES).rows]


@pytest.mark.parametrize("suffix", ["json", "pftrace"])
def test_fix_writes_them(tmp_path: Path, tp_tools: TpTools, suffix: str) -> None:
    """The full name is in args; other events of that name keep it; it is counted and verified."""
    trace, out = write_trace(tmp_path / "a.json", *events()), tmp_path / f"out.{suffix}"
    options = ("--short-names", "--verify", "--summary", "json")
    ran = tp_tools("fix", trace, "-o", out, *options)
    assert ran.code == 0, ran.err
    summary = json.loads(ran.out)
    assert (summary["short_names"], summary["verified"]) == (3, True)
    assert "named    3 kernels by 3 short names; the full ones are in args" in ran.err
    assert shown(out) == EXPECTED
    with load([out.read_bytes()], source=out.name) as tp:
        ops = query_rows(tp, "SELECT name FROM slice WHERE category = 'cpu_op'").rows
        kernels = {row["name"] for row in answer("kernels", tp)}
    assert ops == [(ADD,)]
    assert kernels == {full or short for short, full in EXPECTED}


def test_fix_leaves_all_else_as_it_is(tmp_path: Path, tp_tools: TpTools) -> None:
    """Names and one arg are all that changes, and twice is once."""
    trace, out, again = (tmp_path / name for name in ("a.json", "b.json", "c.json"))
    write_trace(trace, *events())
    assert tp_tools("fix", trace, "-o", out, "--short-names").code == 0
    before, after = (json.loads(path.read_text())["traceEvents"] for path in (trace, out))
    for event in after:
        if FULL_NAME in event.get("args", {}):
            event["name"] = event["args"].pop(FULL_NAME)
    assert after == before
    assert tp_tools("fix", out, "-o", again, "--short-names").code == 0
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("suffix", ["json", "pftrace"])
def test_merge_gives_all_ranks_the_same(tmp_path: Path, tp_tools: TpTools, suffix: str) -> None:
    """A kernel that only another rank has is told apart on this one too."""
    one = kernel(TRANSPOSE.format(8), 0, 5)
    other = kernel(TRANSPOSE.format(16), 0, 5)
    for rank, made in enumerate((one, other)):
        write_trace(tmp_path / f"rank{rank}.json", made, rank=rank)
    out = tmp_path / f"all.{suffix}"
    ran = tp_tools("merge", tmp_path, "-o", out, "--short-names", "--summary", "json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["short_names"] == 2
    assert "named    2 kernels by 2 short names" in ran.err
    assert sorted(shown(out)) == sorted([EXPECTED[1], EXPECTED[2]])


def test_contradictions_are_refused(tmp_path: Path, tp_tools: TpTools) -> None:
    """Nothing is named where nothing is written."""
    trace = write_trace(tmp_path / "rank0.json", *events(), rank=0)
    assert tp_tools("fix", trace, "--check", "--short-names").code == 2


def test_columns_with_short_names(tmp_path: Path) -> None:
    """Kernels alone are marked, and a short name that is there already is used again."""
    path = write_trace(tmp_path / "a.json", *events())
    trace = read(Source(path, path.name))
    names = kernel_names(trace)
    assert names == {ADD, TRANSPOSE.format(8), TRANSPOSE.format(16), "gemm"}
    short = new_names(names)
    assert is_renamed(trace, short).sum() == 3
    columns = renamed(trace, short)
    after = Counter(columns.names[code] for code in columns.name.tolist())
    assert after[ADD] == 1
    assert after["transpose [8]"] == 1
    assert renamed(trace, {}) is trace


def test_on_a_recorded_trace(
    real_trace: Callable[[str], Path], tmp_path: Path, tp_tools: TpTools
) -> None:
    """Queries give the full names of a trace that was written with short ones."""
    path, out = real_trace("b200_vllm_tp8_rank0.json.gz"), tmp_path / "short.json"
    assert tp_tools("fix", path, "-o", out, "--short-names").code == 0
    for query in ("kernels", "kernel_families", "collectives"):
        answers = [tp_tools("query", query, it, "--format", "json").rows() for it in (path, out)]
        assert answers[0] == answers[1]
    named = {name for name, _ in shown(out)}
    assert max(map(len, named)) <= 70
    assert short_names(named) == {name: name for name in named}
