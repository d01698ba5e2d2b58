"""`tp-tools diff`: table, JSON, Markdown, folders of ranks, phases, and exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command_line import TpTools
from tests.support.comparing import steps
from tests.support.gpu_traces import note, op, work
from tests.support.handmade import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.gpu_traces import Event

NOISE = [0, 300, -200, 100, -100, 250]
"""ns by which steps differ."""


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


def training(gemm: int = 50_000, norm: int = 20_000, name: str = "gemm") -> list[Event]:
    """Six steps of two kernels."""
    return steps(*({name: gemm + noise, "norm": norm - noise // 2} for noise in NOISE))


def write(path: Path, events: list[Event]) -> Path:
    """A trace of these events."""
    path.write_bytes(text(events))
    return path


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A recording."""
    return write(tmp_path / "before.json", training())


def test_a_slower_kernel_is_named(tp_tools: TpTools, tmp_path: Path, before: Path) -> None:
    """The headline says how much slower a step is, and which kernel did it."""
    ran = tp_tools("diff", before, write(tmp_path / "after.json", training(gemm=60_000)))
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.decode().splitlines()
    assert lines[0].startswith("B is slower. Step time: 70.")
    assert lines[0].endswith("6 steps against 6 steps.")
    assert lines[1] == "Slower: gemm +10.0 us (+20.0 %)."
    assert "Kernels" in lines
    assert max(map(len, lines)) <= 140


def test_json_has_every_row(tp_tools: TpTools, tmp_path: Path, before: Path) -> None:
    """One object, with both sides, the step and all changes; times are ns."""
    after = write(tmp_path / "after.json", training(gemm=40_000, name="gemm_v2"))
    made = json.loads(tp_tools("diff", before, after, "--format", "json").out)
    assert {"summary", "cannot", "notes", "a", "b", "step", "changes"} == set(made)
    assert made["step"]["verdict"] == "faster"
    assert (made["a"]["samples"], made["a"]["ranks"]) == (6, 1)
    (kernel,) = (it for it in made["changes"] if it["name"] == "gemm_v2")
    assert (kernel["was"], kernel["family"], kernel["verdict"]) == ("gemm", "gemm", "faster")
    assert kernel["diff_ns"] == pytest.approx(-10_000)
    assert (kernel["count_a"], kernel["count_b"]) == (1, 1)
    assert {it["level"] for it in made["changes"]} == {"time", "kernel", "gap"}


def test_markdown(tp_tools: TpTools, tmp_path: Path, before: Path) -> None:
    """The headline is bold; tables follow."""
    after = write(tmp_path / "after.json", training(norm=30_000))
    lines = tp_tools("diff", before, after, "--format", "md").out.decode().splitlines()
    assert lines[0].startswith("**B is slower.")
    assert "### Kernels" in lines
    assert any(line.startswith("| slower | norm | norm |") for line in lines)


def test_a_page(tp_tools: TpTools, tmp_path: Path, before: Path) -> None:
    """--format html is written whole, to a page or to stdout, and the answer is said."""
    after, out = write(tmp_path / "after.json", training(gemm=60_000)), tmp_path / "diff.html"
    command = ("diff", before, after, "--format", "html")
    ran = tp_tools(*command, "-o", out)
    assert (ran.code, ran.out) == (0, b"")
    first, *_, last = ran.err.splitlines()
    assert first.startswith("B is slower. Step time")
    assert last == f"Wrote {out}. Open it in any browser."
    assert tp_tools(*command, "-o", out, "--force", "-q").err == ""
    assert "B is slower. Step time" in out.read_text("utf-8")
    assert tp_tools(*command).out.decode() == out.read_text("utf-8")
    assert tp_tools(*command, "-o", out).code == 2
    assert tp_tools(*command, "-o", out, "--force").code == 0
    assert tp_tools(*command, "-o", tmp_path / "diff.txt").code == 2
    assert tp_tools("diff", before, after, "-o", out, "--force").code == 2


def test_a_trace_against_itself(tp_tools: TpTools, before: Path) -> None:
    """Nothing changed; --all shows that each row is the same."""
    said = tp_tools("diff", before, before).out.decode()
    assert said.endswith("Nothing changed.\n")
    assert "same" in tp_tools("diff", before, before, "--all").out.decode()


def test_folders_of_ranks(tp_tools: TpTools, tmp_path: Path) -> None:
    """A sample is the mean of the ranks: one of two is 8,000 ns slower, all of the job 4,000."""
    for folder, more in (("a", 0), ("b", 8_000)):
        (tmp_path / folder).mkdir()
        for rank in (0, 1):
            events = training(gemm=50_000 + more * rank)
            job = {"distributedInfo": {"rank": rank, "world_size": 2}}
            content = text(events).replace(b"{", json.dumps(job).encode()[:-1] + b",", 1)
            (tmp_path / folder / f"rank{rank}.json").write_bytes(content)
    made = json.loads(
        tp_tools("diff", tmp_path / "a", tmp_path / "b", "--format", "json", "-q").out
    )
    assert (made["a"]["ranks"], made["b"]["ranks"]) == (2, 2)
    (kernel,) = (it for it in made["changes"] if it["name"] == "gemm")
    assert kernel["diff_ns"] == pytest.approx(4_000)


def engine_steps(decode: int) -> list[Event]:
    """Four steps of an inference engine: a prefill and three decodes."""
    names = ["step[EXTEND bs=1 toks=9]", *["step[DECODE bs=1]"] * 3]
    events = [note(name, 1000 * i, 1000 * i + 900) for i, name in enumerate(names)]
    durs = [700, decode, decode + 2, decode + 1]
    return events + [work("k", 1000 * i + 10, 1000 * i + 10 + dur) for i, dur in enumerate(durs)]


def test_phases(tp_tools: TpTools, tmp_path: Path) -> None:
    """Decode steps by default, since they take most time; --phase chooses others."""
    a = write(tmp_path / "a.json", engine_steps(300))
    b = write(tmp_path / "b.json", engine_steps(400))

    def kernel(*more: str) -> dict[str, Any]:
        made = json.loads(tp_tools("diff", a, b, "--format", "json", *more).out)
        (row,) = (it for it in made["changes"] if it["level"] == "kernel")
        return dict(row)

    assert (kernel()["a_ns"], kernel()["b_ns"]) == (301, 401)
    assert kernel("--phase", "prefill")["verdict"] == "same"
    ran = tp_tools("diff", a, b, "--phase", "draft")
    assert ran.code == 2
    assert "there are: decode, prefill" in ran.err


def cpu_recording(mul: int) -> list[Event]:
    """Six steps of two ops, and no GPU work."""
    return [
        it
        for i, noise in enumerate(NOISE)
        for it in (
            note(f"ProfilerStep#{i}", 10**6 * i, 10**6 * i + 100_000 + mul + noise),
            op("aten::mul", 10**6 * i + 10, 10**6 * i + 10 + mul + noise),
            op("aten::add", 10**6 * i + 500_000, 10**6 * i + 500_000 + 40_000),
        )
    ]


def test_one_recording_of_a_cpu_proves_nothing(tp_tools: TpTools, tmp_path: Path) -> None:
    """Its steps are alike, and yet the next recording may take another time: unclear, said why."""
    a = write(tmp_path / "a.json", cpu_recording(50_000))
    b = write(tmp_path / "b.json", cpu_recording(90_000))
    lines = tp_tools("diff", a, b).out.decode().splitlines()
    assert lines[0].startswith("Step time on the CPU differs, but that is not sure: 150.062 us in")
    assert lines[1].endswith("compare three or more a side (--each).")
    gated = tp_tools("gate", b, "--baseline", a)
    assert gated.code == 125
    assert "on a CPU three recordings a side tell (--each)" in gated.out.decode()


def test_several_recordings_of_a_cpu(tp_tools: TpTools, tmp_path: Path) -> None:
    """Each is a sample: ops and steps are compared."""
    for name, mul in (("a", 50_000), ("b", 90_000)):
        (tmp_path / name).mkdir()
        for number in range(4):
            write(tmp_path / name / f"{number}.json", cpu_recording(mul + 300 * number))
    lines = tp_tools("diff", "--each", tmp_path / "a", tmp_path / "b").out.decode().splitlines()
    assert lines[0].startswith("B is slower. Step time on the CPU: 150.")
    assert lines[0].endswith("4 recordings against 4 recordings.")
    assert lines[1].startswith("Slower: aten::mul +40.0 us")
    again = tp_tools("diff", "--each", tmp_path / "a", tmp_path / "a").out.decode()
    assert again.startswith("Step time on the CPU is the same")


def test_what_cannot_be_compared(tp_tools: TpTools, tmp_path: Path, before: Path) -> None:
    """The reason stands in the first line; exit code 3, so that no script takes it for the same."""
    other = steps(*({"conv": 50_000 + noise, "pool": 20_000} for noise in NOISE))
    after, page = write(tmp_path / "after.json", other), tmp_path / "diff.html"
    ran = tp_tools("diff", before, after)
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.decode().startswith("Cannot compare: only 0.0 % of the time of kernels")
    ran = tp_tools("diff", before, after, "--format", "json")
    assert ran.code == 3
    assert json.loads(ran.out)["cannot"]
    assert tp_tools("diff", before, after, "--format", "md").code == 3
    assert tp_tools("diff", before, after, "--format", "html", "-o", page).code == 3
    assert "Cannot compare: " in page.read_text("utf-8")


def test_unusable_inputs(tp_tools: TpTools, tmp_path: Path, before: Path) -> None:
    """A file that is not there, and a trace with nothing to compare."""
    assert tp_tools("diff", before, tmp_path / "none.json").code == 3
    empty = write(tmp_path / "empty.json", [])
    ran = tp_tools("diff", before, empty)
    assert ran.code == 3
    assert "empty.json: " in ran.err


def test_modules(tp_tools: TpTools, before: Path) -> None:
    """--modules adds their level; without stacks, work is of the user's annotations or of none."""
    made = json.loads(tp_tools("diff", before, before, "--format", "json", "--modules").out)
    assert "module" in {it["level"] for it in made["changes"]}


def test_h100_against_itself(tp_tools: TpTools, real_trace: Callable[[str], Path]) -> None:
    """A recorded trace: nothing changed."""
    path = real_trace("h100_qwen15_chat.json.gz")
    made = json.loads(tp_tools("diff", path, path, "--format", "json").out)
    assert {it["verdict"] for it in (made["step"], *made["changes"])} == {"same"}


def test_two_ranks_of_one_job(tp_tools: TpTools, real_trace: Callable[[str], Path]) -> None:
    """Rank 1 of 128 holds larger embeddings than rank 0; two steps are too few to be sure."""
    a, b = (real_trace(f"train128_rank{rank}.json.gz") for rank in (0, 1))
    made = json.loads(tp_tools("diff", a, b, "--format", "json").out)
    assert not made["cannot"]
    largest = next(it for it in made["changes"] if it["level"] == "kernel")
    assert largest["name"].startswith("split_embedding_backward")
    assert (largest["verdict"], largest["family"]) == ("unclear", "embedding")
    assert largest["relative"] == pytest.approx(1.439, abs=0.001)
