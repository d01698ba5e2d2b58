"""`tp-tools report`: the file that it writes, and how it fails."""

from __future__ import annotations

import gzip
import json
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE as FIXTURES
from tests.support.command_line import TpTools, kernel, write_trace
from tests.support.pages import generated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DECODE = FIXTURES / "pdl_decode.json.gz"
TRACES = (
    "alexnet_whole_us.json.gz",
    "b200_vllm_tp8_rank0.json.gz",
    "epoch_decimals_rank0.cut.json.gz",
    "h100_qwen15_chat.json.gz",
    "mi300_resnet_ddp8_rank0.cut1500.json.gz",
    "nccl_args_rank0.cut.json.gz",
    "sglang_qwen3_decode.json.gz",
    "vllm_piecewise_graph_execution.json.gz",
)


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


@pytest.mark.parametrize("name", TRACES)
def test_every_recorded_trace_has_a_report(
    tp_tools: TpTools, tmp_path: Path, real_trace: Callable[[str], Path], name: str
) -> None:
    """Whatever a profiler wrote, the page is made, small enough to be sent."""
    target = tmp_path / "report.html"
    ran = tp_tools("report", real_trace(name), "-o", target)
    assert (ran.code, ran.out) == (0, b"")
    assert ran.err.startswith(f"Wrote {target}: ")
    assert 200_000 < target.stat().st_size < 8_000_000


def test_ranks_that_are_missing_are_told(
    tp_tools: TpTools, tmp_path: Path, real_trace: Callable[[str], Path]
) -> None:
    """Two of 128 ranks are reported as that, on the page and on stderr."""
    files = [real_trace(f"train128_rank{rank}.json.gz") for rank in (0, 1)]
    target = tmp_path / "report.html"
    ran = tp_tools("report", *files, "-o", target)
    assert ran.code == 0
    assert "missing: 2, 3," in ran.err
    page = target.read_text()
    assert "<h1>2 of 128 ranks" in page
    assert "126 ranks of the job are missing: 2-127." in page


def test_eight_ranks_stay_small(tp_tools: TpTools, tmp_path: Path) -> None:
    """A page of eight ranks with thousands of collectives can be sent by mail."""
    files = generated(tmp_path / "job", 8, 120, only_collectives=True)
    target = tmp_path / "report.html"
    assert tp_tools("report", *files, "-o", target, "-q").code == 0
    assert target.stat().st_size < 6_000_000
    assert "The plot has the 900 with the largest skew, of " in target.read_text()


def test_the_same_traces_give_the_same_bytes(tp_tools: TpTools, tmp_path: Path) -> None:
    """Reports can be kept under version control, and compared."""
    first = tp_tools("report", DECODE, "-o", "-").out
    assert first.startswith(b"<!doctype html>")
    target = tmp_path / "again.html"
    assert tp_tools("report", DECODE, "-q", "-o", target) == tp_tools(
        "report", DECODE, "-q", "-o", target, "--force"
    )
    assert target.read_bytes() == first


def test_no_secret_is_told(tp_tools: TpTools, tmp_path: Path) -> None:
    """Other values of the header, and the folders of files, are not on the page."""
    folder = tmp_path / "SECRET"
    folder.mkdir()
    trace = folder / "rank0.json"
    trace.write_text(
        json.dumps(
            {
                "host_name": "SECRET",
                "environment": {"HF_TOKEN": "SECRET"},
                "distributedInfo": {"rank": 0, "token": "SECRET"},
                "traceEvents": [kernel("k", 1, 2, args={"path": "SECRET"})],
            }
        )
    )
    ran = tp_tools("report", trace, "-o", "-")
    assert ran.code == 0
    assert b"SECRET" not in ran.out


def test_an_empty_trace_has_a_report(tp_tools: TpTools, tmp_path: Path) -> None:
    """One line names every section that has nothing to show; plotly is left out."""
    trace = write_trace(tmp_path / "t.json")
    ran = tp_tools("report", trace, "-o", "-")
    assert ran.code == 0
    for line in (
        "nothing ran on a GPU",
        "neither ProfilerStep nor",
        "exchanged no data",
        "one clock",
    ):
        assert line.encode() in ran.out
    assert len(ran.out) < 500_000


def test_what_is_no_json_has_a_report(tp_tools: TpTools, tmp_path: Path) -> None:
    """A .pftrace and a merge have one too; a merge's ranks are told apart."""
    pftrace, merged = tmp_path / "t.pftrace", tmp_path / "all.json"
    assert tp_tools("fix", DECODE, "-q", "-o", pftrace).code == 0
    ran = tp_tools("report", pftrace, "-o", "-")
    assert ran.code == 0
    assert b"known only of traces as the profiler wrote them" in ran.out
    files = generated(tmp_path / "job", 2, 2)
    assert tp_tools("merge", *files, "-q", "-o", merged).code == 0
    ran = tp_tools("report", merged, "-o", "-")
    assert ran.code == 0
    assert b"<h1>2 merged ranks" in ran.out
    assert b'data-value="rank 1"' in ran.out


def test_a_trace_comes_by_stdin(
    tp_tools: TpTools, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A dash reads it from there."""
    plain = tmp_path / "t.json"
    plain.write_bytes(gzip.decompress(DECODE.read_bytes()))
    with plain.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert b"<h1>Rank 0 of 8" in tp_tools("report", "-", "-o", "-").out


@pytest.mark.parametrize(
    ("module", "name"), [("plotly.graph_objects", "plotly"), ("jinja2", "Jinja2")]
)
def test_without_its_extra_it_says_how_to_get_it(
    tp_tools: TpTools, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, name: str
) -> None:
    """The extra is named before any work is done, and nothing is written."""
    monkeypatch.setitem(sys.modules, module, None)
    target = tmp_path / "report.html"
    ran = tp_tools("report", tmp_path / "missing.json", "-o", target)
    assert ran.code == 2
    assert ran.err == f"tp-tools: a report needs {name}: pip install plotly jinja2.\n"
    assert not target.exists()


def test_what_cannot_be_written_is_refused_first(tp_tools: TpTools, tmp_path: Path) -> None:
    """An existing page, another suffix and a folder that is not there are told before the work."""
    target = tmp_path / "report.html"
    target.write_text("mine")
    for name, code in ((target, 2), ("report.json", 2), (tmp_path / "no/report.html", 4)):
        ran = tp_tools("report", tmp_path / "missing.json", "-o", name)
        assert (ran.code, len(ran.err.splitlines())) == (code, 1)
    assert target.read_text() == "mine"


def test_traces_that_cannot_be_used(tp_tools: TpTools, tmp_path: Path) -> None:
    """An unusable rank ends it with its name, and leaves no page behind."""
    target = tmp_path / "report.html"
    good = write_trace(tmp_path / "rank0.json", kernel("k", 1, 2), rank=0)
    twin = write_trace(tmp_path / "other.json", kernel("k", 1, 2), rank=0)
    broken = tmp_path / "rank1.json"
    broken.write_text("hello")
    for files in ([tmp_path / "missing.json"], [good, broken], [good, twin]):
        ran = tp_tools("report", *files, "-o", target)
        assert ran.code == 3
        assert str(files[-1].name) in ran.err
    assert not list(tmp_path.glob("*.html"))
    assert not list(tmp_path.glob(".tp-tools-*"))


def test_without_agreement_the_clocks_are_not_set(tp_tools: TpTools, tmp_path: Path) -> None:
    """--align base leaves the clocks, and the page warns that skews may be off by that."""
    files = generated(tmp_path / "job", 2, 6)
    fitted, based = (
        tp_tools("report", *files, "-o", "-", "--align", align).out for align in ("auto", "base")
    )
    assert b"taken as they are" not in fitted
    assert b"lateness may be wrong" not in fitted
    assert based.count(b"lateness may be wrong") == 2
    assert b"The clocks of 2 ranks are not set by collectives but taken as they are." in based
