"""Folders that are really full, small or read-only: mounted for one command, in its own view."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
PROGRAM = Path(sys.executable).parent / "tp-tools"
FAILED = 4
ROOM = "16k"
"""Less than any output here."""

FULL = {
    "fix": ("fix a.json.gz -o small/o.json", "small/o.json: cannot be written"),
    "fix, verified": ("fix a.json.gz -o small/o.json --verify", "small/o.json: cannot be written"),
    "merge": ("merge job -o small/o.json -j 2", "small: no room for temporary files"),
    "merge, spools": ("merge job -o o.json -j 2 --tmp small", "small: no room for temporary files"),
    "report": ("report a.json.gz -o small/o.html", "small/o.html: cannot be written"),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace, the ranks of a job and a folder to mount on, in the current folder."""
    shutil.copy(FIXTURES / "pdl_decode.json.gz", tmp_path / "a.json.gz")
    shutil.copytree(FIXTURES / "gloo4", tmp_path / "job")
    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)


def run(
    words: str, folder: str, options: str, *, environment: dict[str, str] | None = None
) -> tuple[int, str, list[str]]:
    """Run a command that sees a new file system at a folder; nobody else sees it.

    Args:
        words: the command, without the program.
        folder: where the file system is mounted.
        options: of the mount, such as "size=16k".
        environment: more variables.

    Returns:
        Exit code, stderr, and the names that are left in the folder.
    """
    alone = ["unshare", "-m", "sh", "-c"]
    mount = f"mount -t tmpfs -o {options} tmpfs {folder}"
    if subprocess.run([*alone, mount], check=False, capture_output=True).returncode:
        pytest.skip("this user may mount nothing here")
    done = subprocess.run(
        [*alone, f"{mount}; {PROGRAM} {words} -q; code=$?; ls -A {folder}; exit $code"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    return done.returncode, done.stderr, done.stdout.split()


@pytest.mark.parametrize("case", FULL)
def test_a_full_disk_is_named(case: str) -> None:
    """One line that names the folder or file that does not fit, exit code 4, and nothing left."""
    words, said = FULL[case]
    code, errors, left = run(words, "small", f"size={ROOM}")
    assert (code, len(errors.splitlines()), left) == (FAILED, 1, []), errors
    assert f"{said}: No space left on device. " in errors
    assert not Path("o.json").exists()


def test_a_disk_without_room_for_names_is_full() -> None:
    """A quota of files, which ends before that of bytes, is said likewise."""
    code, errors, left = run("fix a.json.gz -o small/o.json", "small", "nr_inodes=1")
    assert (code, len(errors.splitlines()), left) == (FAILED, 1, []), errors
    assert "small" in errors
    assert "No space left on device" in errors


def test_a_read_only_disk_is_refused() -> None:
    """Before any work."""
    code, errors, left = run("fix a.json.gz -o small/o.json", "small", "ro")
    assert (code, len(errors.splitlines()), left) == (FAILED, 1, []), errors
    assert errors.startswith("tp-tools: small/o.json: ")


@pytest.mark.parametrize("words", ["fix a.json.gz -o o.json -j 2", "merge job -o o.json -j 2"])
@pytest.mark.parametrize("folder", ["/dev/shm", "small"])  # noqa: S108  a mount that is its own
def test_a_small_folder_of_shared_memory_or_temporary_files_is_enough(
    folder: str, words: str
) -> None:
    """Workers share anonymous memory, and temporary files go beside the output."""
    code, errors, _ = run(words, folder, f"size={ROOM}", environment={"TMPDIR": "small"})
    assert (code, errors) == (0, "")
    assert Path("o.json").stat().st_size > 0


def test_a_full_cache_costs_time_only(tmp_path: Path) -> None:
    """The engine is compiled for this command alone; nothing of it stays in the folder."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "small")}
    words = "query kernels a.json.gz -o o.csv"
    code, errors, left = run(words, "small", f"size={ROOM}", environment=environment)
    assert (code, len(Path("o.csv").read_text().splitlines()) > 1) == (0, True), errors
    assert set(left) <= {"tp-tools"}
