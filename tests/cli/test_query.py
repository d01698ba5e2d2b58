"""`tp-tools query`: the rows that are asked for, in every format, of one trace or of all ranks."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from fixtures.make import HERE, truth_of
from tests.support.command_line import KERNELS, TpTools, kernel, write_trace
from tests.support.reporters import Recorder
from tp_tools.cli.main import main
from tp_tools.errors import OutputError
from tp_tools.merging import job_files
from tp_tools.querying import LoadOptions, lookup, runner

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"
COUNT = "SELECT COUNT(*) AS kernels, SUM(dur) AS ns FROM slice WHERE category = 'kernel'"
VALUES = """SELECT 9007199254740993 AS big, NULL AS unset, 0.1 AS tenth, 'a "b", c' AS text
UNION ALL SELECT 1, 2, 3.0, NULL"""


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """One kernel of 5 us that a second one overlaps by 2 us: Perfetto v52 drops the second."""
    return write_trace(tmp_path / "t.json", kernel("first", 10, 5), kernel("second", 13, 5))


@pytest.fixture
def ranks(tmp_path: Path) -> Path:
    """A folder with ranks 2 and 10 of a job, whose kernels take 2 and 10 us."""
    folder = tmp_path / "traces"
    folder.mkdir()
    for rank in (10, 2):
        write_trace(folder / f"rank{rank}.json", kernel(f"k{rank}", 1, rank), rank=rank)
    return folder


def test_nothing_is_missing(tp_tools: TpTools) -> None:
    """Kernels that Perfetto v52 would have dropped are counted."""
    ran = tp_tools("query", "-e", COUNT, DECODE, "--format", "json")
    truth = truth_of(DECODE.name)
    assert ran.rows() == [{"kernels": 64, "ns": truth["kernel_ns"]}]
    assert (ran.code, ran.err) == (0, "")


def test_raw_is_the_file_as_it_is(tp_tools: TpTools) -> None:
    """--raw shows what the embedded v52 made of the file, and warns of what it lost."""
    ran = tp_tools(
        "query", "-e", COUNT, DECODE, "--raw", "--format", "json", "--engine", "embedded"
    )
    hidden = truth_of(DECODE.name)["hidden"]
    assert ran.rows()[0]["kernels"] == 64 - sum(it["cat"] == "kernel" for it in hidden)
    assert f"{len(hidden)} x slice_drop_overlapping_complete_event" in ran.err
    assert ran.code == 0


def test_csv(tp_tools: TpTools, trace: Path) -> None:
    """CSV has integers whole, floats exact, NULL empty, text quoted where it must be."""
    ran = tp_tools("query", "-e", VALUES, trace, "--format", "csv")
    assert ran.out == b'big,unset,tenth,text\n9007199254740993,,0.1,"a ""b"", c"\n1,2,3.0,\n'


def test_json(tp_tools: TpTools, trace: Path) -> None:
    """JSON is an array of objects with whole integers and null."""
    ran = tp_tools("query", "-e", VALUES, trace, "--format", "json")
    assert ran.rows() == [
        {"big": 2**53 + 1, "unset": None, "tenth": 0.1, "text": 'a "b", c'},
        {"big": 1, "unset": 2, "tenth": 3.0, "text": None},
    ]
    assert tp_tools("query", "-e", "SELECT 1 AS x WHERE 0", trace, "--format", "json").rows() == []


def test_parquet(tp_tools: TpTools, trace: Path) -> None:
    """Parquet has a type per column, and NULL does not make floats of integers."""
    ran = tp_tools("query", "-e", VALUES, trace, "--format", "parquet")
    table = parquet.read_table(io.BytesIO(ran.out))
    assert table.to_pylist() == json.loads(
        tp_tools("query", "-e", VALUES, trace, "--format", "json").out
    )
    assert [str(field.type).removeprefix("large_") for field in table.schema] == [
        "int64",
        "int64",
        "double",
        "string",
    ]


def test_parquet_without_pyarrow(
    tp_tools: TpTools, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow, one line says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ran = tp_tools("query", "-e", VALUES, trace, "--format", "parquet")
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err == "tp-tools: Parquet needs pyarrow: pip install pyarrow.\n"


@pytest.mark.parametrize(
    ("sql", "form"),
    [
        ("SELECT 1 AS x UNION ALL SELECT 'a'", "parquet"),
        ("SELECT 1 AS x, 2 AS x", "parquet"),
        ("SELECT 1 AS x, 2 AS x", "json"),
    ],
)
def test_what_a_format_cannot_hold(
    tp_tools: TpTools, trace: Path, tmp_path: Path, sql: str, form: str
) -> None:
    """An answer that does not fit the format is an error that names the column; no file is left."""
    before = set(tmp_path.iterdir())
    ran = tp_tools("query", "-e", sql, trace, "-o", tmp_path / f"out.{form}")
    assert ran.code == 2
    assert "x" in ran.err
    assert set(tmp_path.iterdir()) == before


def test_the_suffix_decides(tp_tools: TpTools, trace: Path, tmp_path: Path) -> None:
    """Without --format the suffix of -o says the format and the compression."""
    names = ["o.csv", "o.json", "o.csv.gz", "o.parquet", "o.txt"]
    for name in names:
        ran = tp_tools("query", "-e", KERNELS, trace, "-o", tmp_path / name)
        assert (ran.code, ran.out) == (0, b"")
        assert ran.err == f"Wrote {tmp_path / name}: 2 rows.\n"
    csv, json_, packed, columns, text = [(tmp_path / name).read_bytes() for name in names]
    assert csv == b"name,dur\nfirst,5000\nsecond,5000\n" == gzip.decompress(packed)
    assert json.loads(json_) == parquet.read_table(io.BytesIO(columns)).to_pylist()
    assert text.splitlines()[0].split() == [b"name", b"dur"]


def test_format_beats_the_suffix(tp_tools: TpTools, trace: Path, tmp_path: Path) -> None:
    """--format holds whatever the file is called."""
    out = tmp_path / "rows.data"
    assert tp_tools("query", "-e", KERNELS, trace, "-o", out).code == 2
    assert tp_tools("query", "-e", KERNELS, trace, "-o", out, "--format", "csv").code == 0
    assert out.read_text().startswith("name,dur\n")


def test_nothing_is_replaced_unasked(tp_tools: TpTools, trace: Path, tmp_path: Path) -> None:
    """An existing file stays, unless --force is given; a failed query leaves it as it was."""
    out = tmp_path / "o.csv"
    out.write_text("mine")
    assert tp_tools("query", "-e", KERNELS, trace, "-o", out).code == 2
    assert tp_tools("query", "-e", "SELECT nothing", trace, "-o", out, "--force").code == 2
    assert out.read_text() == "mine"
    assert tp_tools("query", "-e", KERNELS, trace, "-o", out, "--force").code == 0
    assert out.read_text() == "name,dur\nfirst,5000\nsecond,5000\n"


def test_a_table_fits_the_terminal(
    tp_tools: TpTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider than the terminal; a long kernel name keeps both of its ends."""
    monkeypatch.setenv("COLUMNS", "60")
    trace = write_trace(tmp_path / "t.json", kernel("begin_" + "x" * 300 + "_end", 10, 1234.567))
    lines = tp_tools("query", "-e", KERNELS, trace).out.decode().splitlines()
    assert max(map(len, lines)) == 60
    assert lines[-1].startswith("begin_")
    assert lines[-1].endswith("_end  1,234.6")


def test_columns_without_room_are_named(
    tp_tools: TpTools, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that do not fit the terminal are left out on the right, and stderr says so."""
    monkeypatch.setenv("COLUMNS", "20")
    row = "SELECT 123456789012 AS a, 2 AS b, 345678 AS c"
    ran = tp_tools("query", "-e", f"{row} UNION ALL {row}", trace)
    assert ran.out.decode().splitlines()[0].split() == ["a", "b"]
    assert ran.err.startswith("No room for c: ")


def test_rows_are_sorted_and_cut(tp_tools: TpTools, trace: Path) -> None:
    """--sort and -n hold for every format: the largest first, then so many."""
    rows = "SELECT 1 AS a, 'x' AS t UNION SELECT 3, 'y' UNION SELECT 2, NULL"
    ran = tp_tools("query", "-e", rows, trace, "--sort", "a", "-n", "2", "--format", "csv")
    assert ran.out == b"a,t\n3,y\n2,\n"
    ran = tp_tools("query", "-e", rows, trace, "--sort", "t", "--format", "csv")
    assert ran.out == b"a,t\n1,x\n3,y\n2,\n"
    ran = tp_tools("query", "-e", rows, trace, "--sort", "b")
    assert (ran.code, ran.err) == (2, "tp-tools: --sort b: the columns are a, t.\n")


def test_a_table_of_markdown(tp_tools: TpTools, trace: Path) -> None:
    """--format md gives whole values; a bar in a text ends no cell."""
    ran = tp_tools(
        "query", "-e", "SELECT 1234567 AS a, 'x|y' AS t, NULL AS n", trace, "--format", "md"
    )
    assert ran.out.decode().splitlines() == [
        "| a | t | n |",
        "| --- | --- | --- |",
        "| 1234567 | x\\|y |  |",
    ]


def test_no_rows(tp_tools: TpTools, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty table has its header, and stderr says that there are no rows."""
    monkeypatch.delenv("COLUMNS", raising=False)  # it stands for a terminal, which shows no header
    ran = tp_tools("query", "-e", KERNELS + " LIMIT 0", trace)
    assert ran.out.decode().splitlines() == ["name  dur", "----  ---"]
    assert ran.err == "No rows.\n"


def test_ranks_come_in_order(tp_tools: TpTools, ranks: Path) -> None:
    """Traces of several ranks give their rows rank by rank, by number, in a first column."""
    expected = b"rank,name,dur\n2,k2,2000\n10,k10,10000\n"
    for traces in ([ranks], [ranks / "*.json"], [ranks / "rank10.json", ranks / "rank2.json"]):
        ran = tp_tools("query", "-e", KERNELS, *traces, "--format", "csv")
        assert (ran.code, ran.out) == (0, expected)


def test_a_single_trace_has_no_rank(tp_tools: TpTools, ranks: Path) -> None:
    """One trace gives what the Query tab of the viewer gives: no column is added."""
    ran = tp_tools("query", "-e", KERNELS, ranks / "rank2.json", "--format", "csv")
    assert ran.out == b"name,dur\nk2,2000\n"


def test_a_query_may_know_the_rank(tp_tools: TpTools, ranks: Path) -> None:
    """A column `rank` of the query's own stays in its place, filled in where it is NULL."""
    sql = "SELECT 1 AS x, NULL AS rank UNION ALL SELECT 2, 7"
    ran = tp_tools("query", "-e", sql, ranks, "--format", "csv")
    assert ran.out == b"x,rank\n1,2\n2,7\n1,10\n2,7\n"


def test_what_fix_left_is_no_other_rank(tp_tools: TpTools, ranks: Path) -> None:
    """A folder in which `fix` was run holds each rank once."""
    (ranks / "rank2.fixed.json.gz").write_bytes(gzip.compress((ranks / "rank2.json").read_bytes()))
    ran = tp_tools("query", "-e", KERNELS, ranks, "--format", "csv")
    assert ran.out == b"rank,name,dur\n2,k2,2000\n10,k10,10000\n"


@pytest.mark.parametrize(
    ("name", "rank", "complaint"),
    [
        ("another.json", 2, "both of rank 2"),
        ("another.json", None, "rank is unknown"),
    ],
)
def test_ranks_that_do_not_fit(
    tp_tools: TpTools, ranks: Path, name: str, rank: int | None, complaint: str
) -> None:
    """A rank twice or no rank at all is an error that names the file."""
    write_trace(ranks / name, kernel("k", 1, 1), rank=rank)
    ran = tp_tools("query", "-e", KERNELS, ranks)
    assert (ran.code, ran.out) == (3, b"")
    assert complaint in ran.err
    assert name in ran.err


def test_job_scope(tp_tools: TpTools, ranks: Path, tmp_path: Path) -> None:
    """A query about a job runs on one trace, and on all ranks at once where there are several."""
    path = tmp_path / "job.sql"
    path.write_text(f"-- Job: all of it.\n--\n-- Scope: job\n{KERNELS}")
    alone = tp_tools("query", path, ranks / "rank2.json", "--format", "csv")
    assert alone.out == b"name,dur\nk2,2000\n"
    together = tp_tools("query", path, ranks, "--format", "csv")
    assert (together.code, together.out) == (0, b"name,dur\nk10,10000\nk2,2000\n")
    assert "missing: 0, 1, 3, 4, ... 9." in together.err
    raw = tp_tools("query", path, ranks, "--raw")
    assert (raw.code, raw.out) == (2, b"")
    assert "--raw" in raw.err


def test_limit_is_per_rank(tp_tools: TpTools, tmp_path: Path) -> None:
    """--limit keeps the first rows of each rank, so no rank is lost."""
    for rank in (0, 1):
        events = [kernel(f"k{i}", i, 0.5) for i in range(5)]
        write_trace(tmp_path / f"rank{rank}.json", *events, rank=rank)
    ran = tp_tools("query", "-e", KERNELS, tmp_path, "--format", "csv", "--limit", "1")
    assert ran.out == b"rank,name,dur\n0,k0,500\n1,k0,500\n"


def test_stdin(tp_tools: TpTools, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """- is a trace on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(trace.read_bytes())))
    ran = tp_tools("query", "-e", KERNELS, "-", "--format", "csv")
    assert ran.out == b"name,dur\nfirst,5000\nsecond,5000\n"


def test_unknown_queries(tp_tools: TpTools, trace: Path) -> None:
    """A misspelt name is a usage error that offers what was meant."""
    ran = tp_tools("query", "overlap", trace)
    assert ran.code == 2
    assert "did you mean overlaps" in ran.err


def test_refused_sql_is_its_writers_fault(tp_tools: TpTools, trace: Path, tmp_path: Path) -> None:
    """TraceProcessor's message is shown; the exit code tells the command line from a file."""
    own = tmp_path / "own.sql"
    own.write_text("SELECT missing FROM slice")
    for code, what in ((2, ["-e", own.read_text()]), (3, [str(own)])):
        ran = tp_tools("query", *what, trace)
        assert (ran.code, ran.out) == (code, b"")
        assert "no such column: missing" in ran.err
        assert "t.json" in ran.err


def test_a_wrong_header_is_an_input_error(tp_tools: TpTools, trace: Path, tmp_path: Path) -> None:
    """A header that says something unknown is not passed over."""
    own = tmp_path / "own.sql"
    own.write_text("-- Scope: world\nSELECT 1")
    ran = tp_tools("query", own, trace)
    assert ran.code == 3
    assert "Scope: world" in ran.err


@pytest.mark.parametrize("arguments", [[], ["overlaps"], ["-e", "SELECT 1"]])
def test_nothing_to_ask(tp_tools: TpTools, arguments: list[str]) -> None:
    """Without a query or a trace, the error shows how it is done."""
    ran = tp_tools("query", *arguments)
    assert ran.code == 2
    assert "tp-tools query kernels rank0.json.gz" in ran.err


def test_unusable_traces(tp_tools: TpTools, tmp_path: Path) -> None:
    """A missing file, an empty folder and an empty glob are input errors that name them."""
    for name in (tmp_path / "no.json", tmp_path, tmp_path / "*.json"):
        ran = tp_tools("query", "overlaps", name)
        assert ran.code == 3
        assert str(name) in ran.err


def test_only_what_is_needed_is_loaded(tp_tools: TpTools, tmp_path: Path) -> None:
    """Of a trace, the categories of the header; if asked for, all."""
    own = tmp_path / "own.sql"
    own.write_text("-- Needs: gpu_memcpy\nSELECT name FROM slice ORDER BY ts")
    events = [
        kernel("k", 1, 1),
        kernel("c", 3, 1, cat="gpu_memcpy"),
        kernel("p", 5, 1, cat="cpu_op"),
    ]
    trace = write_trace(tmp_path / "t.json", *events)
    everything = b"name\nk\nc\np\n"
    assert tp_tools("query", own, trace, "--format", "csv").out == b"name\nc\n"
    ran = tp_tools("query", own, trace, "--format", "csv", "--all-categories")
    assert ran.out == everything


def test_ids_of_a_part_are_those_of_the_viewer(tp_tools: TpTools, tmp_path: Path) -> None:
    """Ids are those of the whole trace; of ranks asked at once they are NULL, which is said."""
    for rank in (0, 1):
        events = [kernel("p", 1, 9, cat="cpu_op"), kernel("c", 3, 1, cat="gpu_memcpy")]
        write_trace(tmp_path / f"rank{rank}.json", *events, rank=rank)
    own = tmp_path / "own.sql"
    own.write_text("-- Needs: gpu_memcpy\nSELECT id, track_id, name FROM slice ORDER BY ts")
    ran = tp_tools("query", own, tmp_path, "--format", "csv")
    assert ran.out == b"rank,id,track_id,name\n0,1,0,c\n1,1,0,c\n"
    assert ran.err == ""
    own.write_text(f"-- Scope: job\n{own.read_text()}")
    ran = tp_tools("query", own, tmp_path, "--format", "csv")
    assert ran.out == b"id,track_id,name\n,,c\n,,c\n"
    assert ran.err.count("id, track_id: NULL, since only the events that the query needs") == 1
    ran = tp_tools("query", own, tmp_path, "--all-categories", "--format", "csv")
    assert ran.err == ""
    assert b",," not in ran.out


def test_several_queries_in_one_call(tp_tools: TpTools, ranks: Path, tmp_path: Path) -> None:
    """Names with commas between them: JSON is an object by name, other texts have headings."""
    own = tmp_path / "own.sql"
    own.write_text("-- Own: all of it.\n--\n-- Scope: job\nSELECT COUNT(*) AS n FROM slice")
    both = f"gpu_time,{own},gpu_time"
    ran = tp_tools("query", both, ranks, "--format", "json", "-q")
    answers = json.loads(ran.out)
    assert list(answers) == ["gpu_time", "own"]
    assert [row["rank"] for row in answers["gpu_time"]] == [2, 10]
    assert answers["own"] == [{"n": 2}]
    heads = [
        line for line in tp_tools("query", both, ranks).out.decode().splitlines() if ": " in line
    ]
    assert heads[0].startswith("gpu_time: ")
    assert heads[1] == "own: all of it."
    ran = tp_tools("query", both, ranks, "--format", "md")
    assert ran.out.startswith(b"## gpu_time\n\n| rank |")
    assert b"\n\n## own\n\n| n |\n" in ran.out


def test_several_answers_in_a_folder(tp_tools: TpTools, ranks: Path, tmp_path: Path) -> None:
    """A folder gets a file per query; a format of one table goes nowhere else."""
    out = tmp_path / "answers"
    out.mkdir()
    ran = tp_tools("query", "gpu_time,streams", ranks, "-o", out)
    assert (ran.code, ran.out) == (0, b"")
    assert sorted(path.name for path in out.iterdir()) == ["gpu_time.csv", "streams.csv"]
    alone = tp_tools("query", "streams", ranks, "--format", "csv").out
    assert (out / "streams.csv").read_bytes() == alone
    again = tp_tools("query", "streams,kernels", ranks, "-o", out)
    assert (again.code, "streams.csv: exists" in again.err) == (2, True)
    assert not (out / "kernels.csv").exists()
    ran = tp_tools("query", "gpu_time,streams", ranks, "--format", "csv")
    assert (ran.code, ran.out) == (2, b"")
    assert "-o FOLDER/" in ran.err


def test_a_folder_that_is_missing_is_made(tp_tools: TpTools, ranks: Path, tmp_path: Path) -> None:
    """A name that ends in / is a folder; one that was made for nothing does not stay."""
    assert tp_tools("query", "gpu_time,streams", ranks, "-o", f"{tmp_path}/new/").code == 0
    assert sorted(it.name for it in (tmp_path / "new").iterdir()) == ["gpu_time.csv", "streams.csv"]
    mine = tmp_path / "mine.sql"
    mine.write_text("SELECT nothing")
    assert tp_tools("query", mine, ranks, "-o", f"{tmp_path}/other/").code == 3
    assert not (tmp_path / "other").exists()
    ran = tp_tools("query", "streams", ranks, "-o", f"{tmp_path}/no/such/")
    assert (ran.code, ran.err) == (
        4,
        (
            f"tp-tools: {tmp_path}/no/such/: cannot be written: No such file or directory. "
            "Nothing was left behind.\n"
        ),
    )


def test_wrong_names_among_several(tp_tools: TpTools, ranks: Path, tmp_path: Path) -> None:
    """An unknown name and two files of one name are usage errors."""
    ran = tp_tools("query", "gpu_time,gpu_tim", ranks)
    assert (ran.code, "did you mean gpu_time" in ran.err) == (2, True)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.sql").write_text(f"SELECT '{folder}'")
    ran = tp_tools("query", f"{tmp_path}/a/mine.sql,{tmp_path}/b/mine.sql", ranks)
    assert (ran.code, ran.err) == (2, "tp-tools: two queries are named mine: rename a file.\n")
    assert tp_tools("query", ",", ranks).code == 2


def test_a_trace_is_loaded_once_for_several(ranks: Path) -> None:
    """Two queries about a rank read its file no oftener than one does."""
    counts = list[int]()
    for names in ("streams", "streams,gpu_time,kernels"):
        stages = Recorder()
        job = job_files.find([str(ranks / "rank2.json")])
        runner.run_queries(lookup.from_names(names), job, LoadOptions(), reporter=stages)
        counts.append(sum("reading" in stage for stage in stages.stages))
    assert counts == [1, 1]


def test_parameters_are_set(tp_tools: TpTools, ranks: Path, tmp_path: Path) -> None:
    """--set selects ranks before they are loaded, and rows; what is not declared is refused."""
    ran = tp_tools("query", "kernels", ranks, "--set", "rank=..5", "--format", "json")
    assert [row["rank"] for row in ran.rows()] == [2]
    ran = tp_tools("query", "kernels,streams", ranks, "--set", "rank=10", "--format", "json")
    assert [[row["rank"] for row in rows] for rows in json.loads(ran.out).values()] == [[10], [10]]
    ran = tp_tools("query", "kernels", ranks, "--set", "name=k1*", "--format", "json")
    assert [row["name"] for row in ran.rows()] == ["k10"]
    for wrong, why in (
        ("rank=3", "no trace is of a rank in 3..3; there are 2, 10"),
        ("ranks=3", "has no parameter ranks; those that it declares: rank (RANGE), steps (RANGE)"),
        ("rank=x", "--set rank=x: it must be a whole number or a range such as 3..5"),
        ("rank", "write NAME=VALUE"),
    ):
        ran = tp_tools("query", "kernels", ranks, "--set", wrong)
        assert (ran.code, ran.out) == (2, b"")
        assert why in ran.err
    ran = tp_tools("query", "kernels", ranks / "rank2.json", "--set", "rank=3")
    assert (ran.code, "there are 2." in ran.err) == (2, True)
    own = tmp_path / "own.sql"
    own.write_text("-- Own: x.\n--\n-- Set: n INT = 3\n\nSELECT tpt_set_n!() AS n")
    assert tp_tools("query", own, ranks / "rank2.json", "--format", "json").rows() == [{"n": 3}]
    ran = tp_tools("query", own, ranks / "rank2.json", "--set", "n=4", "--format", "json")
    assert ran.rows() == [{"n": 4}]


def test_peak_is_the_parameter_peak(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--peak is short for --set peak; a query without that parameter refuses it."""
    own = tmp_path / "own.sql"
    own.write_text("-- Own: x.\n--\n-- Set: peak FLOAT\n\nSELECT tpt_set_peak!() AS peak")
    main(["query", str(own), str(trace), "--peak", "600", "--format", "json"])
    assert json.loads(capsys.readouterr().out) == [{"peak": 600.0}]
    with pytest.raises(SystemExit) as ended:
        main(["query", "kernels", str(trace), "--peak", "600"])
    assert ended.value.code == 2
    assert "kernels.sql has no parameter peak" in capsys.readouterr().err


def test_quiet(tp_tools: TpTools, trace: Path, tmp_path: Path) -> None:
    """--quiet leaves stderr empty."""
    out = tmp_path / "o.csv"
    assert tp_tools("query", "-q", "-e", KERNELS + " LIMIT 0", trace).err == ""
    assert tp_tools("query", "-q", "-e", KERNELS, trace, "-o", out).err == ""


@pytest.mark.parametrize(
    ("events", "named"),
    [
        ([{"cat": "mtia_ccp_events"}, {"cat": "mtia_ccp_events"}], "2 x mtia_ccp_events"),
        ([{"cat": "privateuse1_runtime"}], "1 x privateuse1_runtime"),
        (
            [
                {"cat": "", "args": {"Task Type": "AI_CORE"}},
                {"ph": "M", "name": "process_name", "args": {"name": "Ascend Hardware"}},
            ],
            "1 x Ascend Hardware",
        ),
    ],
)
def test_devices_that_are_not_known_are_named(
    tp_tools: TpTools, tmp_path: Path, events: list[dict[str, object]], named: str
) -> None:
    """Questions about GPU work, the diagnosis and the report say which device it is of."""
    work = [kernel("MatMul", 10 * i, 5) | event for i, event in enumerate(events)]
    trace = write_trace(tmp_path / "t.json", *work)
    said = f"no GPU work, but events of a device that the library does not know: {named}."
    ran = tp_tools("query", "gpu_time", trace)
    assert (ran.code, said in ran.err) == (0, True)
    ran = tp_tools("diagnose", trace)
    assert (ran.code, said in " ".join(ran.out.decode().split())) == (0, True)
    ran = tp_tools("report", trace, "-o", "-")
    assert (ran.code, said in ran.out.decode()) == (0, True)


def test_devices_of_ranks_that_are_not_known_are_named(tp_tools: TpTools, tmp_path: Path) -> None:
    """Of a job those of all ranks count."""
    for rank in range(2):
        work = [kernel("MatMul", 10 * i, 5, cat="mtia_ccp_events") for i in range(rank + 1)]
        write_trace(tmp_path / f"rank{rank}.json", *work, rank=rank)
    said = "library does not know: 3 x mtia_ccp_events."
    ran = tp_tools("diagnose", tmp_path)
    assert (ran.code, said in " ".join(ran.out.decode().split())) == (0, True)
    ran = tp_tools("report", tmp_path, "-o", "-")
    assert (ran.code, said in ran.out.decode()) == (0, True)


def test_known_devices_are_not_named(tp_tools: TpTools, trace: Path) -> None:
    """A trace with kernels but without collectives has no rows, and that is all."""
    assert tp_tools("query", "collectives", trace).err == "No rows.\n"


def test_one_trace_imports_nothing_of_jobs() -> None:
    """A query of one trace loads neither the merge, its clocks nor the repair of damaged text."""
    script = (
        "import sys\n"
        "from tp_tools.cli.main import main\n"
        f"main(['query', 'kernels', {str(DECODE)!r}])\n"
        "others = {'alignment', 'merging.output', 'chrome.salvage'}\n"
        "loaded = {f'tp_tools.{name}' for name in others} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_caller_in_python_may_take_words_alone(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stdout without bytes below it, as of contextlib.redirect_stdout, gets the rows as well."""
    words = io.StringIO()
    monkeypatch.setattr(sys, "stdout", words)
    main(["query", "-e", "SELECT 'Größe' AS name", str(DECODE), "--format", form])
    assert "Größe" in words.getvalue()


def test_a_caller_who_takes_words_alone_gets_no_bytes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parquet is refused in one line."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(SystemExit) as left:
        main(["query", "-e", "SELECT 1 AS x", str(DECODE), "--format", "parquet"])
    assert left.value.code == OutputError.exit_code
    assert "takes text here, and no bytes" in capsys.readouterr().err
