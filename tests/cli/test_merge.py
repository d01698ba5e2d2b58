"""`tp-tools merge` as it is called: files, exit codes, what it says where."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command_line import TpTools
from tests.support.generated import write_rank
from tests.support.launched import info, kernel, launched
from tp_tools import engine
from tp_tools.files.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USAGE, INPUT = 2, 3


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """A folder with two ranks."""
    for rank in range(2):
        events = [e for i in range(10) for e in launched(1000 + 50 * i, i + 1)]
        write_rank(tmp_path / "traces", f"rank{rank}.json.gz", events, **info(rank))
    return tmp_path / "traces"


def test_a_merge_of_recorded_ranks_needs_no_repair(
    tp_tools: TpTools, tmp_path: Path, real_trace: Callable[[str], Path]
) -> None:
    """Its new numbers of flows are not taken for correlations, of which they equal some."""
    folder = real_trace("llama2_pcie/rank0.json.gz").parent
    assert tp_tools("merge", folder, "-o", tmp_path / "m.json").code == 0
    checked = tp_tools("fix", "--check", tmp_path / "m.json")
    assert checked.code == 0, checked.err


def events_of(path: Path) -> list[dict[str, Any]]:
    """Events of a merged file."""
    found: dict[str, Any] = json.loads(b"".join(Source(path, "it").blocks()))
    return found["traceEvents"]  # type: ignore[no-any-return]


def test_a_folder_becomes_one_trace(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """Compressed as the suffix says; the talk is on stderr."""
    out = tmp_path / "all.json.gz"
    ran = tp_tools("merge", traces, "-o", out)
    assert (ran.code, ran.out) == (0, b"")
    assert "2 ranks" in ran.err
    assert sum(e["ph"] == "X" for e in events_of(out)) == 40


@pytest.mark.parametrize("window", [(), ("--start", "0.2"), ("--start", "999")])
def test_every_suffix_holds_the_same(
    tp_tools: TpTools, traces: Path, tmp_path: Path, window: tuple[str, ...]
) -> None:
    """Compressed by the workers or at the end; also where nothing is left of the ranks."""
    texts = []
    for suffix in (".json", ".json.gz", ".json.zst"):
        for jobs in (1, 2):
            out = tmp_path / f"{jobs}{suffix}"
            assert tp_tools("merge", traces, "-o", out, "-j", jobs, *window).code == 0
            texts.append(b"".join(Source(out, "it").blocks()))
    assert set(texts) == {texts[0]}
    assert len(json.loads(texts[0])["traceEvents"]) > 0 or window == ("--start", "999")
    packed = [tmp_path / f"{name}.pftrace.gz" for name in (1, 2)]
    for jobs, out in enumerate(packed, start=1):
        assert tp_tools("merge", traces, "-o", out, "-j", jobs, *window).code == 0
    assert packed[0].read_bytes() == packed[1].read_bytes()
    assert tp_tools("merge", traces, "-o", tmp_path / "a.pftrace", *window).code == 0
    with engine.load(Source(tmp_path / "a.pftrace", "a").blocks(), source="a") as tp:
        plain = engine.rows(tp, "SELECT ts, dur, name FROM slice ORDER BY 1, 2, 3")
    with engine.load(Source(packed[0], "b").blocks(), source="b") as tp:
        assert engine.rows(tp, "SELECT ts, dur, name FROM slice ORDER BY 1, 2, 3") == plain


def test_the_summary_is_the_contract(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """One JSON object on stdout with the keys of the contract, ranks in order."""
    out = tmp_path / "all.json"
    files = sorted(traces.glob("*"), reverse=True)
    ran = tp_tools("merge", *files, "-o", out, "--summary", "json", "-q")
    told = json.loads(ran.out)
    assert [it["rank"] for it in told["ranks"]] == [0, 1]
    wanted = {"rank", "file", "labels", "offset_ns", "drift_ppb", "residual_ns", "collectives"}
    assert wanted <= told["ranks"][0].keys()
    assert (told["events"], told["slices"], told["flows"]) == (80, 40, 20)
    assert (told["align"], told["output"]) == ("auto", str(out))
    assert ran.err == ""


def test_an_earlier_output_in_the_folder_is_no_rank(tp_tools: TpTools, traces: Path) -> None:
    """Merging again into the same folder gives the same."""
    out = traces / "all.json"
    assert tp_tools("merge", traces, "-o", out).code == 0
    first = out.read_bytes()
    assert tp_tools("merge", traces, "-o", out, "--force").code == 0
    assert out.read_bytes() == first


def test_nothing_is_overwritten_unasked(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """An existing file needs --force."""
    out = tmp_path / "all.json"
    out.write_text("mine")
    assert tp_tools("merge", traces, "-o", out).code == USAGE
    assert out.read_text() == "mine"


def test_missing_ranks_stop_it(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """Exit 3, the missing rank named, nothing written; --allow-missing goes on and says so."""
    (traces / "rank0.json.gz").unlink()
    out = tmp_path / "all.json"
    ran = tp_tools("merge", traces, "-o", out)
    assert ran.code == INPUT
    assert "1 of 2 ranks have no file: 0" in ran.err
    assert not out.exists()
    ran = tp_tools("merge", traces, "-o", out, "--allow-missing", "--summary", "json")
    assert json.loads(ran.out)["missing_ranks"] == [0]
    assert "missing  0" in ran.err


def test_only_the_wanted_ranks_are_read(tp_tools: TpTools, tmp_path: Path) -> None:
    """They keep their numbers and names; the others are counted, and one that is missing fails."""
    for rank in range(5):
        events = [e for i in range(4) for e in launched(1000 + 50 * i, i + 1)]
        write_rank(tmp_path / "traces", f"rank{rank}.json.gz", events, **info(rank, size=6))
    damaged = tmp_path / "traces" / "rank1.json.gz"
    damaged.write_bytes(damaged.read_bytes()[:200])
    out = tmp_path / "cut.json"
    ran = tp_tools(
        *("merge", tmp_path / "traces", "-o", out, "--ranks", "2-3,0", "--summary", "json")
    )
    told = json.loads(ran.out)
    assert [it["rank"] for it in told["ranks"]] == [0, 2, 3]
    assert {it["file"] for it in told["left_out"]} == {"rank1.json.gz", "rank4.json.gz"}
    assert told["missing_ranks"] == []
    assert "Left out: rank1.json.gz, rank4.json.gz: ranks that --ranks does not name." in ran.err
    assert {e["pid"] // 100_000 for e in events_of(out) if e["ph"] == "X"} == {1, 3, 4}
    ran = tp_tools("merge", tmp_path / "traces", "-o", out, "--force", "--ranks", "4-7")
    assert (ran.code, "3 of 4 ranks have no file: 5, 6, 7" in ran.err) == (INPUT, True)
    ran = tp_tools("merge", tmp_path / "traces", "-o", out, "--force", "--ranks", "9")
    assert (ran.code, "there are 0, 1, 2, 3, ... 4." in ran.err) == (INPUT, True)


def test_a_damaged_rank_is_named(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """Exit 3, the file, and no output, also from a worker of its own."""
    (traces / "rank1.json.gz").write_bytes(b"\x1f\x8bnonsense")
    ran = tp_tools("merge", traces, "-o", tmp_path / "all.json", "--jobs", "2")
    assert ran.code == INPUT
    assert "rank1.json.gz" in ran.err
    assert not (tmp_path / "all.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", "5", "--end", "5"), "not before"),
        (("--start", "x"), "no number of milliseconds"),
        (("--summary", "json", "-o", "-"), "both want stdout"),
        (("--jobs", "0"), "jobs"),
        (("--ranks", "3-1"), "is no rank and no range of ranks"),
        (("--ranks", "0,,1"), "is no rank and no range of ranks"),
        (("--format", "archive", "--gpu-only", "-o", "a.zip"), "holds the ranks whole"),
        (("--verify", "-o", "all.pftrace"), "--verify proves a merge as JSON, or an archive"),
        (("-o", "all.txt"), "suffix"),
    ],
)
def test_impossible_wishes_are_refused(
    tp_tools: TpTools, traces: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """Exit 2, and a reason."""
    ran = tp_tools("merge", traces, "-o", tmp_path / "all.json", *options)
    assert ran.code == USAGE
    assert said in ran.err


def test_a_merge_is_verified(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """The last line says so."""
    ran = tp_tools("merge", traces, "-o", tmp_path / "all.json", "--verify")
    assert ran.code == 0, ran.err
    assert f"Wrote {tmp_path / 'all.json'}, verified." in ran.err


def test_the_window_is_in_milliseconds(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """Decimals reach down to the nanosecond."""
    out = tmp_path / "all.json"
    window = ("--start", "0.099", "--end", "0.112001")
    assert tp_tools("merge", traces, "-o", out, *window).code == 0
    # of each rank the launch at 100 us and its kernel at 105 us
    assert sorted(e["dur"] for e in events_of(out) if e["ph"] == "X") == [2, 2, 10, 10]


def test_stages_are_chosen_by_option(tp_tools: TpTools, traces: Path, tmp_path: Path) -> None:
    """Two stages of the same ranks in one folder: asked for, then told apart."""
    both = tmp_path / "both"
    both.mkdir()
    for rank in range(2):
        for stage in ("prefill", "decode"):
            shutil.copy(traces / f"rank{rank}.json.gz", both / f"9-TP-{rank}-{stage}.trace.json.gz")
    ran = tp_tools("merge", both, "-o", tmp_path / "all.json")
    assert ran.code == INPUT
    assert "--stage" in ran.err
    assert tp_tools("merge", both, "-o", tmp_path / "all.json", "--stage", "decode").code == 0


def test_evenly_spaced_collectives_are_said_to_be_uncertain(
    tp_tools: TpTools, tmp_path: Path
) -> None:
    """They could be shifted against each other: base times stay, and why is said, once for all."""
    for rank in range(3):
        events = [kernel(1000 * i + 3 * rank, name="ncclDevKernel_AllReduce") for i in range(40)]
        write_rank(tmp_path / "in", f"rank{rank}.json", events, **info(rank, 3))
    ran = tp_tools("merge", tmp_path / "in", "-o", tmp_path / "all.json")
    (line,) = [line for line in ran.err.splitlines() if "base times" in line]
    assert line.endswith("ranks 0, 1, 2")
    assert "could be matched in other ways" in line
    assert "only as good as their clocks" in ran.err
    insisted = tp_tools("merge", tmp_path / "in", "-o", tmp_path / "a.json", "--align=collectives")
    assert insisted.code == INPUT
    assert "could be matched in other ways" in insisted.err


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A merge whose two workers wait for their traces, in a process group of its own."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("wants named pipes")
    pipes = [tmp_path / f"rank{rank}.json" for rank in range(2)]
    for pipe in pipes:
        os.mkfifo(pipe)
    (tmp_path / "scratch").mkdir()
    command = [sys.executable, "-m", "tp_tools", "merge", *map(str, pipes), "-j", "2", "-o"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "all.json.gz")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "scratch")},
    )
    with pipes[0].open("wb"), pipes[1].open("wb"):  # opens once a worker reads it
        yield process


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_who_ends_the_whole_group_is_told_so_once(
    number: str, code: int, waiting: subprocess.Popen[str], tmp_path: Path
) -> None:
    """A signal to the whole group, as a terminal sends it, makes one process speak, no worker."""
    os.killpg(waiting.pid, getattr(signal, number))
    said = waiting.communicate(timeout=60)[1]
    assert waiting.returncode == code
    assert len(said.splitlines()) == 1
    assert "nothing was left behind" in said
    assert not list((tmp_path / "scratch").iterdir())
    assert not (tmp_path / "all.json.gz").exists()


def test_no_worker_outlives_a_merge_that_was_killed(waiting: subprocess.Popen[str]) -> None:
    """After SIGKILL of the merge, the pipe that all workers hold closes: none is left."""
    waiting.kill()
    waiting.communicate(timeout=60)
