"""The package as a user gets it: built, installed elsewhere, run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*words: str | Path) -> None:
    """Run a module of this environment; uv installs for a tenth of the CPU that pip takes."""
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment with the wheel of what the Dockerfile copies."""
    wheels, source = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("src")
    for names in re.findall("^COPY (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        *given, target = names.split()
        for name in given:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / target)
            else:
                shutil.copy(ROOT / name, source / target)
    run("build", "--installer", "uv", "--wheel", "--outdir", wheels, source)
    (wheel,) = wheels.glob("*.whl")
    home = tmp_path_factory.mktemp("elsewhere") / "env"
    run("uv", "venv", "--quiet", home)
    run("uv", "pip", "install", "--quiet", "--python", home / "bin/python", wheel)
    return home / "bin"


def test_the_wheel_repairs_a_trace_in_a_fresh_environment(installed: Path, tmp_path: Path) -> None:
    """`tp-tools fix` works where only the wheel is installed: sql/ came with it."""
    trace = ROOT / "fixtures/pdl_decode.json.gz"
    out = tmp_path / "fixed.json.gz"
    command = [str(installed / "tp-tools"), "fix", str(trace), "-o", str(out), "--verify"]
    done = subprocess.run(
        [*command, "--summary", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )
    summary = json.loads(done.stdout)
    assert summary["verified"] is True
    assert summary["hidden"]["kernels"] == 6
    assert out.is_file()


def test_help_imports_nothing_heavy() -> None:
    """`tp-tools --help` answers at once: it loads none of the libraries that commands need."""
    script = (
        "import sys\n"
        "from tp_tools.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'perfetto', 'wasmtime', 'msgspec', 'rich', 'viztracer'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
