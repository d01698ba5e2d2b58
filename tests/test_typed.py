"""Commands of README.md and `docs/` as a reader types them: they run, or are parsed at least."""

from __future__ import annotations

import argparse
import contextlib
import gzip
import importlib
import re
import shutil
import sys
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from fixtures import nsys, rocpd, samples, serving, xplane
from tests.support import shell_blocks
from tp_tools.cli.main import group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.shell_blocks import Command

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FINDINGS = {"--check": {0, 1}, "gate": {0, 1, 125}}
"""Exit codes of commands that judge, by a word of theirs; 0 of all others."""

NOT_RUN = {
    "a browser": re.compile(r"(view|\S+\.json\.gz)( |$)|.* --open( |$)"),
    "a repository with a slow commit": re.compile(r"bisect "),
    "a network": re.compile(r".*(s3|gs|hf|https)://"),
    "a cluster": re.compile(r".* --ray "),
}
"""What commands need that are only parsed here; tests of their own run each of these kinds."""

NOT_PARSED = {"tools.fuzz.guided": "imports atheris, which developers install by themselves"}
"""Modules of `python -m` whose arguments are not looked at, and why."""

STAGE = "1764460800.1-TP-{{}}-{}.trace.json.gz"
"""A rank of a profile by stage, as SGLang names it."""

EXTRA = re.compile(r"'([^'\s]+)\[(\w+)\]'")
"""A package with an extra, in quotes."""

READERS = {"query", "info", "diagnose", "diff", "report"}
"""Commands whose output no other reads: one run of each line will do, but to replace a file."""

OTHERS = {
    *("python", "python3", "pip", ".venv/bin/pip", ".venv/bin/python", ".", "cd", "export", "eval"),
    *("docker", "git", "curl", "nsys", "rocprofv3", "vllm", "trtllm-serve", "trtllm-bench"),
    "./record.sh",
    "exit",
}
"""Programs beside tp-tools that blocks call."""


def _write_ranks(folder: Path, name: str, ranks: int = 2, attention: float = 1.0) -> None:
    """Write a short profile of some ranks, by names with the number of the rank."""
    run = serving.Run(ranks=ranks, steps=4, layers=1, slow_rank=1, attention=attention)
    serving.write(run, folder)
    for rank, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / name.format(rank))


def _write_prefill(path: Path) -> None:
    """Write a trace with steps of prefill."""
    text = gzip.decompress(path.with_name("before.json.gz").read_bytes())
    path.write_bytes(gzip.compress(text.replace(b"step[DECODE", b"step[EXTEND"), 1))


def _write_node(path: Path) -> None:
    """Write an export of Nsight Systems in which two processes use GPUs."""
    kernels = [nsys.kernel(1_000, 2_000, pid=100, device=0)]
    kernels.append(nsys.kernel(3_000, 5_000, pid=200, device=1))
    nsys.write(path, {nsys.KERNEL: kernels})


@pytest.fixture(scope="module")
def ran() -> set[str]:
    """Commands of `READERS` that were run, without the files that they wrote."""
    return set()


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m fixtures.samples` writes, beside the fixtures of a clone."""
    folder = tmp_path_factory.mktemp("sampled")
    samples.write(folder)
    shutil.copytree(ROOT / "fixtures", folder / "fixtures")
    return folder


@pytest.fixture(scope="module")
def shelf(sampled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces by the names that pages of `docs/` use."""
    folder = tmp_path_factory.mktemp("shelf")
    for name in ("rank0.json.gz", "report.sqlite"):
        shutil.copy(sampled / name, folder)
    shutil.copytree(ROOT / "fixtures", folder / "fixtures")
    stages = folder / "traces/1764460800.1"
    _write_ranks(folder / "traces", "rank{}.json.gz")
    _write_ranks(stages, STAGE.format("EXTEND"))
    for job, attention in (("before", 1.0), ("after", 2.5)):
        _write_ranks(folder / job, STAGE.format("DECODE"), 1, attention)
        shutil.copy(folder / job / STAGE.format("DECODE").format(0), folder / f"{job}.json.gz")
    shutil.copytree(folder / "before", stages, dirs_exist_ok=True)
    for copy in ("good", "good2", "run1", "run2"):
        shutil.copy(folder / "before.json.gz", folder / f"{copy}.json.gz")
    for copy in ("bad", "bad2", "new", "t"):
        shutil.copy(folder / "after.json.gz", folder / f"{copy}.json.gz")
    for name in ("before", "after"):
        shutil.copy(folder / "report.sqlite", folder / f"{name}.sqlite")
    for name in ("a", "b"):
        _write_prefill(folder / f"{name}.json.gz")
    for name in ("node0", "node1"):
        _write_node(folder / f"{name}.sqlite")
    (folder / "traces/HOST").mkdir()
    rocpd.write(folder / "traces/HOST/PID_results.db", rocpd.job())
    (folder / "traces/plugins/profile/time").mkdir(parents=True)
    (folder / "traces/plugins/profile/time/host.xplane.pb").write_bytes(xplane.job())
    return folder


def _texts(page: Path) -> Iterator[list[Command]]:
    """Yield commands that are typed one after the other: all of README.md, else each block."""
    found = shell_blocks.blocks(page.read_text("utf-8"))
    yield from [[*chain.from_iterable(found)]] if page.name == "README.md" else found


def _parse(arguments: list[str], *ignored: type[Exception]) -> None:
    """Let click parse the arguments of tp-tools, and run nothing."""
    with group.make_context("tp-tools", list(arguments)) as outer:
        name, command, rest = group.resolve_command(outer, [*outer._protected_args, *outer.args])
        assert command is not None
        with contextlib.suppress(*ignored):
            command.make_context(name, rest, parent=outer)


def _is_new(command: Command, ran: set[str]) -> bool:
    """Tell whether a command has to be run, and remember it."""
    line, _, out = str(command).partition(" -o ")
    is_known = line in ran and not (out and Path(out).exists())
    if command.words[1] in READERS:
        ran.add(line)
    return not is_known


def _run(command: Command) -> None:
    expected = next((it for word, it in FINDINGS.items() if word in command.words), {0})
    typed = Path(command.stdin).read_bytes() if command.stdin else None
    environment = {"COLUMNS": "92", "TP_TOOLS_ENGINE": None}
    done = CliRunner().invoke(
        group, command.arguments(), typed, prog_name="tp-tools", env=environment
    )
    assert done.exit_code in expected, f"{command}: {done.exception}\n{done.output}"


@pytest.fixture
def given(page: Path, request: pytest.FixtureRequest) -> Path:
    """What a reader of a page has: of README.md, what it has its readers write."""
    folder: Path = request.getfixturevalue("sampled" if page.name == "README.md" else "shelf")
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_run_as_typed(
    page: Path, given: Path, ran: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command of a block runs behind those above it; what cannot run here is parsed."""
    for number, commands in enumerate(_texts(page)):
        folder = tmp_path / str(number)
        shutil.copytree(given, folder)
        monkeypatch.chdir(folder)
        for command in commands:
            if command.words[0] != "tp-tools":
                assert command.words[0] in OTHERS, f"{command}: an unknown program"
            elif any(it.match(" ".join(command.words[1:])) for it in NOT_RUN.values()):
                _parse(command.arguments())
            elif _is_new(command, ran):
                _run(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_in_prose_are_understood(page: Path) -> None:
    """Commands within sentences exist, with the options that they name."""
    for command in shell_blocks.inline(page.read_text("utf-8")):
        arguments = command.arguments()
        if arguments[0] != "COMMAND" and arguments != ["--help"]:
            _parse(arguments, click.MissingParameter)


def _modules() -> list[tuple[str, tuple[str, ...]]]:
    """Modules of this repository that blocks start by `python -m`, with their arguments."""
    commands = [
        it
        for page in PAGES
        for block in shell_blocks.blocks(page.read_text("utf-8"))
        for it in block
    ]
    started = [it.words[2:] for it in commands if it.words[:2] == ("python", "-m")]
    ours = [
        it for it in started if it[0].startswith(("tools", "benchmarks", "fixtures", "tp_tools"))
    ]
    return [(name, tuple(given)) for name, *given in ours if name not in NOT_PARSED]


class _ParsedError(Exception):
    """Ends a module once its arguments are parsed."""


@pytest.mark.parametrize(("name", "given"), _modules())
def test_modules_take_their_arguments(
    name: str, given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools and benchmarks know the options that pages give them; none is run."""
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser) -> None:
        parse(parser)
        raise _ParsedError

    is_package = (ROOT / name.replace(".", "/")).is_dir()
    module = importlib.import_module(f"{name}.__main__" if is_package else name)
    monkeypatch.setattr(sys, "argv", [name, *given])
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    with pytest.raises(_ParsedError):
        module.main()


def test_installs_name_extras_that_exist() -> None:
    """`pip install '.[NAME]'` on a page names an extra of this package; none is asked of PyPI."""
    extras = metadata.metadata("tp-tools").get_all("Provides-Extra")
    named = {it for page in PAGES for it in EXTRA.findall(page.read_text("utf-8"))}
    assert named
    assert named <= {(".", extra) for extra in extras or []}
