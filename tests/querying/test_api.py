"""The Python API: frames of exact integers, the perfetto package's own object, nothing lost."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from perfetto.trace_processor import TraceProcessor

import tp_tools
from fixtures import pairs
from fixtures.make import HERE, truth_of
from tests.support.command_line import KERNELS, kernel, write_trace

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"
TOTAL = "SELECT SUM(dur) AS ns FROM slice WHERE category = 'kernel'"


@pytest.fixture
def ranks(tmp_path: Path) -> Path:
    """A folder with ranks 1 and 0 of a job."""
    for rank in (1, 0):
        write_trace(tmp_path / f"{rank}.json", kernel(f"k{rank}", 1, 2 + rank), rank=rank)
    return tmp_path


def test_a_trace_opens_whole() -> None:
    """An opened trace is the package's TraceProcessor, with kernels that v52 would have dropped."""
    with tp_tools.open_trace(DECODE) as tp:
        assert isinstance(tp, TraceProcessor)
        frame = tp.query(TOTAL).as_pandas_dataframe()
    assert frame["ns"].tolist() == [truth_of(DECODE.name)["kernel_ns"]]


def test_a_trace_opens_as_it_is() -> None:
    """A raw trace has its losses, and a warning says so at the caller's line."""
    with pytest.warns(tp_tools.LossWarning, match="slice_drop") as caught:
        tp_tools.open_trace(str(DECODE), raw=True, engine="embedded").close()
    assert caught[0].filename == __file__


def test_a_trace_opens_in_part(tmp_path: Path) -> None:
    """Only the categories that were asked for are loaded."""
    trace = write_trace(tmp_path / "t.json", kernel("a", 1, 1), kernel("b", 3, 1, cat="cpu_op"))
    with tp_tools.open_trace(trace, categories=["cpu_op"]) as tp:
        assert [row.name for row in tp.query("SELECT name FROM slice")] == ["b"]


def test_a_query_gives_a_frame(ranks: Path) -> None:
    """Of one trace, the rows; of several, each with its rank, in order; integers are int64."""
    one = pd.DataFrame({"name": ["k1"], "dur": [3000]})
    pd.testing.assert_frame_equal(tp_tools.query(KERNELS, ranks / "1.json"), one)
    all_of_them = pd.DataFrame({"rank": [0, 1], "name": ["k0", "k1"], "dur": [2000, 3000]})
    for traces in (ranks, str(ranks / "*.json"), [ranks / "1.json", str(ranks / "0.json")]):
        pd.testing.assert_frame_equal(tp_tools.query(KERNELS, traces), all_of_them)


def test_several_queries_give_frames(ranks: Path) -> None:
    """Each query has the frame that it has alone, by its name."""
    own = ranks / "own.sql"
    own.write_text(KERNELS)
    frames = tp_tools.query_all(["gpu_time", own], ranks)
    assert list(frames) == ["gpu_time", "own"]
    pd.testing.assert_frame_equal(frames["own"], tp_tools.query(own, ranks))
    pd.testing.assert_frame_equal(frames["gpu_time"], tp_tools.query("gpu_time", ranks))


def test_parameters_have_values(ranks: Path) -> None:
    """Params are typed; a range may be a number, text or a pair."""
    for rank in (1, "1", "1..", (1, None)):
        frame = tp_tools.query("kernels", ranks, params={"rank": rank, "name": "k*"})
        assert frame["name"].tolist() == ["k1"]
    both = tp_tools.query_all(["kernels", "streams"], ranks, params={"rank": 0})
    assert [frame["rank"].tolist() for frame in both.values()] == [[0], [0]]
    with pytest.raises(tp_tools.errors.UsageError, match="it declares: none"):
        tp_tools.query("contents", ranks, params={"rank": 0})


def test_what_a_query_is(ranks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, a path, or SQL: what has blanks and does not end in .sql is SQL."""
    trace = ranks / "0.json"
    own = ranks / "my own.sql"
    own.write_text("SELECT 7 AS x")
    monkeypatch.chdir(ranks)
    for query in (own, str(own), "my own.sql", "SELECT 7 AS x", "SELECT\n7 AS x"):
        assert tp_tools.query(query, trace)["x"].tolist() == [7]
    assert "overlap_ns" in tp_tools.query("overlaps", trace).columns
    with pytest.raises(tp_tools.errors.UsageError, match="did you mean overlaps"):
        tp_tools.query("overlapz", trace)


def test_a_query_loads_what_it_needs(ranks: Path) -> None:
    """The header of a file says what is loaded of a trace, unless everything is wanted."""
    own = ranks / "own.sql"
    own.write_text("-- Needs: cpu_op\nSELECT COUNT(*) AS n FROM slice")
    counts = [
        tp_tools.query(own, ranks / "0.json", all_categories=flag)["n"].tolist()
        for flag in (False, True)
    ]
    assert counts == [[0], [1]]


def test_errors_are_the_projects_own(ranks: Path) -> None:
    """Refused SQL and missing files raise what `tp_tools.errors` lists."""
    with pytest.raises(tp_tools.errors.SqlError, match="no such column: missing"):
        tp_tools.query("SELECT missing", ranks / "0.json")
    with pytest.raises(tp_tools.errors.InputError, match=r"no\.json"):
        tp_tools.open_trace("no.json")


@pytest.mark.filterwarnings("ignore:The job has more ranks")
def test_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code in docs/python.md runs as printed, block after block."""
    text = (HERE.parent / "docs" / "python.md").read_text()
    pieces = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for folder in ("traces", "before", "after"):
        (tmp_path / folder).mkdir()
    same = ("large.json.gz", "good.json.gz", "new.json.gz", "before/a.json.gz", "after/a.json.gz")
    for name in ("rank0.json.gz", "traces/rank0.json.gz", *same):
        shutil.copy(DECODE, tmp_path / name)
    other = gzip.decompress(DECODE.read_bytes()).replace(b'"rank": 0', b'"rank": 1')
    for name in ("rank1.json.gz", "traces/rank1.json.gz"):
        (tmp_path / name).write_bytes(gzip.compress(other))
    pairs.example(tmp_path / "pair")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for piece in pieces:
        exec(piece, names)  # noqa: S102  the project's own docs
    assert len(pieces) == 15
    assert names["kernels"]["count"].sum() == 67
    assert names["per_rank"].columns[0] == "rank"
    assert set(names["per_rank"]["rank"]) == {0, 1}
    assert len(names["frame"]) > 0


def test_what_is_not_used_as_it_is_is_a_warning(ranks: Path) -> None:
    """At the caller's line: files left out, ranks cut short, mended or missing."""
    (ranks / "server_args.json").write_text('{"tp_size": 4}')
    job = '{"distributedInfo": {"rank": %d, "world_size": 4}, "traceEvents": ['
    event = '{"ph":"X","cat":"kernel","name":"k","pid":0,"tid":7,"ts":1,"dur":2}'
    (ranks / "0.json").write_text(job % 0 + event + "," + event[:30])
    (ranks / "1.json").write_text(job % 1 + event.replace('"k"', '"a "k""') + "]}")
    calls = [
        lambda: tp_tools.query(KERNELS, ranks),
        lambda: tp_tools.query_all(["allreduce"], str(ranks)),
    ]
    for call in calls:
        with pytest.warns(tp_tools.InputWarning) as caught:
            call()
        said = {str(it.message).replace(f"{ranks}/", ""): it.category for it in caught}
        kinds = {line.split(":")[0].split(";")[0].lower(): kind for line, kind in said.items()}
        assert said["Left out: server_args.json: no trace: it has no traceEvents."] is (
            tp_tools.InputWarning
        )
        assert kinds["0.json"] is tp_tools.LossWarning
        assert kinds["1.json"] is tp_tools.InputWarning
        assert "the job has more ranks than there are files" in kinds
        assert {it.filename for it in caught} == {__file__}
    with pytest.warns(tp_tools.LossWarning, match="was cut short"):
        tp_tools.open_trace(ranks / "0.json").close()
    with pytest.warns(tp_tools.InputWarning, match="is mended: unescaped quotes"):
        tp_tools.open_trace(ranks / "1.json").close()


def test_importing_is_light() -> None:
    """`import tp_tools` brings none of the packages that take long to import, nor does --help."""
    heavy = "{'numpy', 'pandas', 'perfetto', 'wasmtime', 'google.protobuf', 'rich', 'pyarrow'}"
    for command in ("import tp_tools", "import tp_tools.cli.query, tp_tools.cli.sql"):
        check = f"{command}, sys; print({heavy} & sys.modules.keys() or '')"
        done = subprocess.run(
            [sys.executable, "-c", check], check=True, capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "\n"


def test_what_there_is() -> None:
    """`dir` shows the API before it is used; anything else is an attribute error."""
    assert {"query", "open_trace", "InputWarning", "LossWarning", "errors"} <= set(dir(tp_tools))
    with pytest.raises(AttributeError, match="no attribute 'qery'"):
        tp_tools.qery  # noqa: B018
