"""Progress of long work is shown on a terminal, and nowhere else."""

from __future__ import annotations

import gzip
import json
import random
import signal
from typing import TYPE_CHECKING

import pytest

from fixtures import generate_ranks
from fixtures.make import HERE
from tests.support import generated, terminal
from tests.support.command_line import kernel
from tp_tools.chrome.parallel_reader import WORTH_IT
from tp_tools.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"
BUILDING = "building TraceProcessor's tables"
ANALYSIS = ["reading {}", "placing slices", "asking SQL about overlaps"]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two ranks."""
    folder = tmp_path_factory.mktemp("job")
    made = generated.job(ranks=2, steps=2, straggling=0.2, only_collectives=False, args="comms_id")
    assert len(list(generate_ranks.written(made, folder))) == 2
    return folder


def stages_of(ranks: Path) -> dict[str, tuple[list[str], list[str]]]:
    """By command: its arguments, and what it says that it does."""
    one, two = sorted(map(str, ranks.iterdir()))
    loaded = [*ANALYSIS, "loading {}", BUILDING]
    job = ["reading 2 ranks", "aligning clocks", "merging the ranks", "writing collectives"]
    listing, comparing = (f"verifying: {it} slices and arrows" for it in ("listing", "comparing"))
    return {
        "fix": (
            ["fix", str(DECODE), "-o", "out.json", "--verify"],
            [
                *ANALYSIS,
                "writing out.json",
                "verifying: reading out.json",
                listing,
                "verifying: loading out.json",
                BUILDING,
                comparing,
            ],
        ),
        "fix to .pftrace": (
            ["fix", str(DECODE), "-o", "out.pftrace", "--verify"],
            [
                *ANALYSIS,
                "writing out.pftrace",
                listing,
                "verifying: loading out.pftrace",
                BUILDING,
                comparing,
            ],
        ),
        "merge": (
            ["merge", str(ranks), "-o", "out.json"],
            [*job[:2], "writing out.json", "writing collectives"],
        ),
        "query": (
            ["query", "kernels", str(DECODE), "--format", "csv"],
            [*loaded, "asking kernels.sql"],
        ),
        "query of ranks": (
            ["query", "kernels", str(ranks), "--format", "csv"],
            [
                "telling ranks apart",
                "2 ranks",
                *(it.format(one) for it in loaded),
                f"reading {two}",
            ],
        ),
        "query of a job": (
            ["query", "allreduce", str(ranks), "--format", "csv"],
            [*job, "loading the job", BUILDING, "asking allreduce.sql"],
        ),
        "info": (["info", str(DECODE)], ["reading {}", "counting", "looking for defects"]),
        "report": (
            ["report", "-j", "1", str(ranks), "-o", "out.html"],
            [*job, "loading the job", BUILDING, "asking about the job", "2 ranks", "drawing"],
        ),
        "report in two processes": (
            ["report", "-j", "2", str(ranks), "-o", "out.html"],
            [*job, "asking about the job", "2 ranks", "drawing"],
        ),
    }


BEGUN, ENDED = b"\x1b[?25l", b"\x1b[?25h"
"""While there are bars, the cursor is hidden."""

COMMANDS = [
    "fix",
    "fix to .pftrace",
    "merge",
    "query",
    "query of ranks",
    "query of a job",
    "info",
    "report",
    "report in two processes",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_stage_is_named_and_nothing_of_it_stays(
    name: str, ranks: Path, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The final text on a terminal, and stdout, are the same as where there is none."""
    arguments, stages = stages_of(ranks)[name]
    seen = terminal.tp_tools(*arguments)
    assert seen.code == 0
    wanted = [it.format(DECODE) for it in stages]
    assert [it for it in seen.stages if it in wanted] == wanted
    for path in folder.iterdir():
        path.unlink()
    capfdbinary.readouterr()
    main(arguments, patience_s=0)
    written = capfdbinary.readouterr()
    assert b"\x1b" not in written.err
    assert seen.lines == written.err.decode().splitlines()
    assert seen.out == written.out
    assert seen.has_cursor


def test_view_names_its_stages_and_then_waits_without_one(folder: Path) -> None:
    """While the page is open the terminal shows what was repaired, and no bar."""
    seen = terminal.on_terminal(
        terminal.PROGRAM, "0", "view", DECODE, "--no-browser", until="Ctrl-C", then=signal.SIGINT
    )
    wanted = [*(it.format(DECODE) for it in ANALYSIS), f"repairing {DECODE}"]
    assert (seen.code, seen.stages) == (0, wanted)
    assert seen.lines[0] == "371 events, 222 slices, 64 kernels"
    assert seen.lines[-1] == "Ctrl-C ends this; so does closing the page."
    assert seen.has_cursor
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("fix", DECODE, "-o", "-", "--verify"),
        ("merge", "{}", "-o", "-"),
        ("query", "kernels", DECODE, "--format", "json"),
        ("info", DECODE, DECODE),
    ],
)
def test_results_on_the_same_terminal_are_whole(
    arguments: tuple[str | Path, ...], ranks: Path
) -> None:
    """No bar stands in the midst of what goes to stdout, nor is it wiped out."""
    given = [str(it).format(ranks) for it in arguments]
    seen = terminal.tp_tools(*given)
    both = terminal.PROGRAM.replace("import sys", "import os, sys\nos.dup2(2, 1)", 1)
    mixed = terminal.on_terminal(both, "0", *given)
    plain = mixed.raw.replace(b"\r\n", b"\n")
    assert seen.code == mixed.code == 0
    assert mixed.stages
    for part in seen.out.split(b"\n\n"):
        before, found, _ = plain.partition(part)
        assert found == part
        assert before.count(BEGUN) == before.count(ENDED)


@pytest.mark.parametrize("name", COMMANDS)
def test_quiet_is_silent(name: str, ranks: Path) -> None:
    """With --quiet not one byte goes to the terminal."""
    seen = terminal.tp_tools(*stages_of(ranks)[name][0], "--quiet")
    assert (seen.code, seen.raw) == (0, b"")


def test_short_work_shows_nothing() -> None:
    """Work that ends early prints no progress, not even an escape sequence."""
    seen = terminal.tp_tools("fix", DECODE, "-o", "out.json", patience=3600)
    assert b"\x1b" not in seen.raw
    assert "Wrote out.json." in seen.lines


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_a_terminal_that_takes_nothing_back_gets_no_progress(kind: str) -> None:
    """Such as that of an editor: it would be full of half lines."""
    seen = terminal.tp_tools("fix", DECODE, "-o", "out.json", TERM=kind)
    assert b"\x1b" not in seen.raw
    assert seen.stages == []


def program(body: str) -> str:
    """A program that speaks while a stage of 1000 bytes is under way, until stdin ends."""
    return (
        "import sys, threading\n"
        "from tp_tools.cli.console import Console\n"
        "talk = Console(quiet=False, patience_s=0)\n"
        "with talk.stage('counting [b]sheep[/b]', 1000, 'dreaming') as stage:\n"
        f"    {body}\n"
        "    sys.stdin.read()\n"
    )


def test_a_count_says_how_long_it_will_take() -> None:
    """Bytes done, bytes in all, time that remains; a name in brackets is no markup."""
    shown = r"counting \[b\]sheep\[/b\] .* 0\.5/1\.0 kB +\d:\d\d:\d\d"
    seen = terminal.on_terminal(program("stage.advance(500)"), until=shown)
    assert (seen.code, seen.lines, seen.stages) == (0, [], ["counting [b]sheep[/b]"])


def test_what_comes_behind_the_last_byte_is_named() -> None:
    """A full bar that stands still would look like a fault."""
    seen = terminal.on_terminal(program("stage.advance(1000)"), until="dreaming +0:00:0")
    assert seen.stages == ["counting [b]sheep[/b]", "dreaming"]
    assert seen.lines == []


def test_lines_said_meanwhile_stay_whole_and_above() -> None:
    """Also longer ones than the terminal is wide, and such as look like markup."""
    line = "[red]x[/red] :smile: " + "long " * 80
    seen = terminal.on_terminal(
        program(f"talk.say({line!r}); talk.warn('lost'); stage.advance(1)"), until="counting"
    )
    text = "".join(it.ljust(terminal.COLUMNS) for it in seen.lines)
    assert " ".join(text.split()) == " ".join(f"{line} tp-tools: warning: lost".split())


def test_bytes_may_be_told_from_any_thread() -> None:
    """None of them is lost."""
    body = (
        "tell = lambda: list(map(stage.advance, [1] * 100))\n"
        "    told = [threading.Thread(target=tell) for _ in range(8)]\n"
        "    [it.start() for it in told], [it.join() for it in told]"
    )
    assert terminal.on_terminal(program(body), until=r"0\.8/1\.0 kB").lines == []


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "tp-tools: interrupted; nothing was left behind."),
        (signal.SIGTERM, 143, "tp-tools: terminated; nothing was left behind."),
    ],
)
def test_an_end_amid_work_leaves_a_clean_terminal(
    number: signal.Signals, code: int, said: str, folder: Path
) -> None:
    """Ctrl-C and a scheduler's signal: one line, the cursor back, no file."""
    stuck = terminal.PROGRAM.replace(
        "run(",
        "from tp_tools.repair import analysis\nimport time\n"
        "analysis.place_slices = lambda _: time.sleep(600)\nrun(",
    )
    seen = terminal.on_terminal(
        stuck, "0", "fix", DECODE, "-o", "out.json", until="placing slices", then=number
    )
    assert (seen.code, seen.lines, seen.has_cursor) == (code, [said], True)
    assert not list(folder.iterdir())


def test_workers_are_started_before_any_thread(tmp_path: Path) -> None:
    """Else they could not be forked, which is faster."""
    names = random.Random(1)
    events = [kernel(names.randbytes(128).hex(), i, 1) for i in range(20_000)]
    trace = tmp_path / "large.json.gz"
    trace.write_bytes(gzip.compress(json.dumps({"traceEvents": events}).encode(), 1))
    assert trace.stat().st_size > WORTH_IT[".gz"]
    counting = terminal.PROGRAM.replace(
        "run(",
        "import os, threading\n"
        "os.register_at_fork(before=lambda: print(threading.active_count()))\nrun(",
    )
    seen = terminal.on_terminal(
        counting, "0", "fix", trace, "-o", "out.json", "--jobs", "2", OPENBLAS_NUM_THREADS="1"
    )
    assert (seen.code, seen.out) == (0, b"1\n")
    assert f"reading {trace}" in seen.stages
