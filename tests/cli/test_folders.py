"""Folders as frameworks leave them: every command takes the same files and says the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools, kernel
from tests.support.viewing import viewing

if TYPE_CHECKING:
    from pathlib import Path

INPUT = 3
KERNELS = "SELECT COUNT(*) AS n FROM slice WHERE category = 'kernel'"
COUNT = ("query", "-e", KERNELS, "--format", "json")


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


def text(rank: int, size: int = 2, kernels: int = 8) -> str:
    """A trace of a rank."""
    events = [kernel(f"k{i}", 100 * i, 50) for i in range(kernels)]
    job = {"backend": "nccl", "rank": rank, "world_size": size}
    return json.dumps({"distributedInfo": job, "traceEvents": events}, indent=1)


def written(folder: Path, texts: dict[str, str]) -> Path:
    """A folder with these files."""
    folder.mkdir()
    for name, it in texts.items():
        (folder / name).write_text(it)
    return folder


def of_folder(folder: Path, *options: str) -> list[tuple[str | Path, ...]]:
    """Every command that takes a job, but for view."""
    return [
        ("merge", folder, "-o", folder.parent / "m.json", "--force", "-j", "1", *options),
        (*COUNT, folder, *options),
        ("query", "stragglers", folder, *options),
        ("report", folder, "-o", folder.parent / "r.html", "--force", *options),
        ("info", folder, *options),
    ]


@pytest.mark.parametrize(
    ("names", "key", "chosen"),
    [
        (("17.5-TP-{}-DP-{}.trace.json", "18.5-TP-{}.trace.json"), "profile", "18.5"),
        (("17.5-TP-{}-prefill.trace.json", "17.5-TP-{}-decode.trace.json"), "stage", "decode"),
    ],
)
def test_two_jobs_get_one_message_and_one_choice(
    tp_tools: TpTools, tmp_path: Path, names: tuple[str, str], key: str, chosen: str
) -> None:
    """Every command says the same of them; info goes on, the others want one to be chosen."""
    folder = written(
        tmp_path / "in", {name.format(r, r): text(r) for name in names for r in range(2)}
    )
    for command in of_folder(folder):
        ran = tp_tools(*command)
        assert f"the files are of 2 {key}s: " in ran.err
        assert f"{chosen} (2)" in ran.err
        assert f"Choose one with --{key}, or give the files of one only." in ran.err
        assert ran.code == (0 if command[0] == "info" else INPUT)
        assert command[0] != "info" or ran.out.count(b"8 X") == 4
    for command in of_folder(folder, f"--{key}", chosen):
        ran = tp_tools(*command)
        assert (ran.code, f"{key}s" in ran.err) == (0, False)
        assert command[0] != "info" or ran.out.count(b"8 X") == 2
    assert tp_tools(*COUNT, folder, f"--{key}", chosen).rows() == [
        {"rank": rank, "n": 8} for rank in range(2)
    ]


def test_what_is_no_rank_is_left_out_and_said(tp_tools: TpTools, tmp_path: Path) -> None:
    """In every command, by one line for each reason, and in the summary of merge."""
    call = {**kernel("cudaLaunchKernel", 1, 1), "cat": "cuda_runtime"}
    beside = {
        "server_args.json": '{"tp_size": 2}',
        "n_1.async_llm.1764012345677.pt.trace.json": json.dumps({"traceEvents": [call]}),
    }
    folder = written(tmp_path / "in", {**beside, **{f"rank{r}.json": text(r) for r in range(2)}})
    for command in of_folder(folder):
        ran = tp_tools(*command)
        assert ran.code == 0
        assert "Left out: server_args.json: no trace: it has no traceEvents.\n" in ran.err
        assert ("async_llm" in ran.err) == (command[0] != "info")
    ran = tp_tools(*of_folder(folder)[0], "--summary", "json")
    assert [it["file"] for it in json.loads(ran.out)["left_out"]] == list(beside)


@pytest.mark.parametrize(
    ("damaged", "said", "count"),
    [
        (text(1)[:-100], "was cut short: ", 7),
        (text(1, kernels=0), "holds no events. Was the profiler stopped", 0),
        (text(1).replace("k3", "k\x01"), "its text was damaged, and is mended: control", 8),
        (text(1).replace('"nccl"', '"n"cl"'), "its text was damaged, and is mended: unescaped", 8),
        (text(1).replace('Events":', "Events:"), "1 damaged member around the events was left", 8),
    ],
)
def test_a_damaged_rank_is_named(
    tp_tools: TpTools, tmp_path: Path, damaged: str, said: str, count: int
) -> None:
    """Every command says once which file is damaged and how, and the summary of merge, too."""
    folder = written(tmp_path / "in", {"rank0.json": text(0), "rank1.json": damaged})
    for command in of_folder(folder):
        ran = tp_tools(*command)
        assert ran.code == 0
        assert ran.err.count(f"{folder / 'rank1.json'}: {said}") == 1
        assert f"{folder / 'rank0.json'}:" not in ran.err
    assert tp_tools(*COUNT, folder).rows()[1]["n"] == count
    ran = tp_tools(*of_folder(folder)[0], "--summary", "json")
    whole, broken = (it["damage"] for it in json.loads(ran.out)["ranks"])
    sound = {"cut_short": False, "lost_bytes": 0, "mended": {}, "left_out": "", "first": []}
    assert whole == {**sound, "events": 8}
    assert broken["events"] == count
    assert broken["cut_short"] == (count == 7)
    assert bool(broken["mended"]) == (count > 0)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("", "is empty. Was the profiler stopped before it wrote?"),
        ("\0" * 99, "holds no text. Was the profiler stopped before it wrote?"),
        (text(1)[:40], "is cut short at byte 40 of its text, before its traceEvents."),
    ],
)
def test_a_rank_that_cannot_be_read_costs_no_other(
    tp_tools: TpTools, tmp_path: Path, broken: str, said: str
) -> None:
    """It is left out with a warning; merge asks for it, unless ranks may be missing."""
    folder = written(tmp_path / "in", {"rank0.json": text(0), "rank1.json": broken})
    line = f"warning: Left out: rank1.json: {said}"
    for command in of_folder(folder):
        ran = tp_tools(*command)
        is_merge = command[0] == "merge"
        assert ran.code == (3 if is_merge else 0)
        assert ran.err.count(line) == 1
        assert ("1 of 2 ranks have no file: 1." in ran.err) == is_merge
    merge = tp_tools(*of_folder(folder)[0], "--allow-missing", "--summary", "json")
    assert [it["file"] for it in json.loads(merge.out)["left_out"]] == ["rank1.json"]
    alone = tp_tools("merge", folder / "rank0.json", folder / "rank1.json", "-o", folder / "m.json")
    assert alone.code == 3


def test_brackets_in_names(tp_tools: TpTools, tmp_path: Path) -> None:
    """Names with brackets work as names, as a folder and in a pattern."""
    folder = written(tmp_path / "run[1]", {f"exp[a]-rank[{r}].json": text(r) for r in range(2)})
    rows = [{"rank": rank, "n": 8} for rank in range(2)]
    for given in ([folder], sorted(folder.iterdir()), [folder / "exp[a]-rank[*].json"]):
        assert tp_tools(*COUNT, *given).rows() == rows


def test_a_folder_is_viewed_as_its_job(tmp_path: Path) -> None:
    """Its one trace, or all its ranks on one clock; of several stages the one that is chosen."""
    files = {f"1.5-TP-{r}-{s}.trace.json": text(r) for r in range(2) for s in ("decode", "prefill")}
    folder = written(tmp_path / "in", {**files, "server_args.json": "{}"})
    with viewing("--stage", "decode", folder) as view:
        assert view.data("trace") == "trace/job.json"
        events = json.loads(view.fetch(view.data("trace")))["traceEvents"]
    assert {it["pid"] // 100_000 for it in events if it["ph"] == "X"} == {1, 2}
    (one,) = written(tmp_path / "one", {"17-TP-0.trace.json": text(0, 1)}).iterdir()
    with viewing(one.parent) as view:
        assert view.data("trace") == f"trace/{one.name}"


def test_several_files_are_viewed_as_one_job(tmp_path: Path) -> None:
    """As by `merge`, so that `diagnose` of several files can name the command to see them."""
    ranks = sorted(written(tmp_path / "in", {f"rank{r}.json": text(r) for r in range(2)}).iterdir())
    with viewing(*ranks) as view:
        events = json.loads(view.fetch(view.data("trace")))["traceEvents"]
    assert {it["pid"] // 100_000 for it in events if it["ph"] == "X"} == {1, 2}
