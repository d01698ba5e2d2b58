"""Recipes of docs/bisect.md: their scripts find the slow commit, with stand-ins for the engines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.slow_repository import Plan, make
from tests.support.command_line import TpTools

PAGE = (Path(__file__).parents[2] / "docs" / "bisect.md").read_text("utf-8")
SCRIPTS = {
    name: text
    for text, name in re.findall(
        r"^```bash\n(# (\w+\.sh): .*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
}
COMMANDS = re.findall(r"^tp-tools bisect .*$", PAGE, re.MULTILINE)

# Logs its name and arguments; a client or a batch that profiles writes the trace of the commit.
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
case "$*" in
  *launch_server*) echo up > "$LOG.server"; trap 'echo down > "$LOG.server"; exit' TERM
    while :; do sleep 0.05; done;;
  *health*) [ "$(cat "$LOG.server")" = up ];;
  *bench_serving*--profile*) TP_TOOLS_TRACE_DIR=$SGLANG_TORCH_PROFILER_DIR exec {python} bench.py;;
  *bench\\ latency*--profile*) exec {python} bench.py;;
esac
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the scripts, stand-ins on the PATH, and a repository beside them."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("python", "vllm", "pip", "curl", "make"):
        (tools / name).write_text(STAND_IN.format(python=sys.executable))
        (tools / name).chmod(0o755)
    (tools / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.05\n")
    (tools / "sleep").chmod(0o755)
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("PATH", f"{tools}:{Path('/usr/bin')}:{Path('/bin')}")
    for name, value in {
        "LOG": f"{tmp_path}/log",
        "MODEL": "m",
        "FLASHINFER_WORKSPACE_BASE": f"{tmp_path}",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BENCH_SEED", "20")
    return tmp_path


def arguments(engine: str, runs: int) -> list[str]:
    """The options and the command of a recipe, as the page has them, but for good and phase."""
    (line,) = (it for it in COMMANDS if f"record_{engine}.sh" in it)
    build = re.search(r"--build '([^']*)'", line)
    assert build is not None
    command = line.partition(" -- ")[2].split()
    return ["--runs", str(runs), "--warm-ups", "0", "--build", build[1], "--", *command]


@pytest.mark.parametrize("engine", ["sglang", "vllm"])
def test_a_recipe_finds_the_slow_commit(
    place: Path,
    engine: str,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its build and its record script run for each commit, and leave no server behind."""
    folder = place / "repository"
    commits = make(folder, Plan(commits=4, slow=2, broken=()))
    monkeypatch.setenv("GOOD", commits[0])
    ran = TpTools(capfdbinary)(
        *("bisect", "--good", commits[0], "-C", folder, "--summary", "json"),
        *arguments(engine, runs=3),
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["first_bad"] == commits[2]
    calls = (place / "log").read_text()
    built = {"sglang": "pip install -e python", "vllm": "pip install -e ."}[engine]
    assert calls.count(built) == 4
    if engine == "sglang":
        assert (place / "log.server").read_text() == "down\n"
        assert "make" not in calls  # no commit changes the kernels
        assert calls.count("--profile") * 2 == calls.count("bench_serving")


def test_a_server_that_ends_skips_the_commit(
    place: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script fails as soon as the server is gone, instead of waiting for it."""
    folder = place / "repository"
    commits = make(folder, Plan(commits=3, slow=2, broken=()))
    monkeypatch.setenv("GOOD", commits[0])
    (place / "bin" / "python").write_text("#!/bin/sh\nexit 3\n")
    (place / "bin" / "curl").write_text("#!/bin/sh\nexit 7\n")
    ran = TpTools(capfdbinary)(
        "bisect", "--good", commits[0], "-C", folder, *arguments("sglang", runs=3)
    )
    assert ran.code == 3
    assert "the command ended with 1" in ran.err


def test_kernels_that_changed_are_built(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit whose sgl-kernel differs from that of the good one builds its own wheel."""
    folder = place / "repository"
    commits = make(folder, Plan(commits=2, slow=9, broken=()))
    (folder / "sgl-kernel").mkdir()
    (folder / "sgl-kernel" / "a.cu").write_text("x")
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "kernel"], check=True)
    monkeypatch.setenv("GOOD", commits[0])
    cache = place / ".cache" / "flashinfer"
    cache.mkdir(parents=True)
    script = str(place / "build_sglang.sh")
    subprocess.run(["/bin/bash", script], check=True, cwd=folder)
    assert "make -C sgl-kernel build" in (place / "log").read_text()
    assert not cache.exists()
