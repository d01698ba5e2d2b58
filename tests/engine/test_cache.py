"""The cache folder of the user: what is kept in it, and where it is."""

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from tp_tools.engine.cache import KEPT_FILES, cache_folder, is_private, keep, kept, user

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX permissions")
CODE = b"machine code"


def kept_code(folder: Path) -> list[bytes]:
    """The contents that a folder keeps under one key."""
    return [path.read_bytes() for path in kept(folder, "key", ".cwasm")]


def test_a_kept_file_is_found_by_its_key(tmp_path: Path) -> None:
    """And not by another key, or another suffix."""
    keep(CODE, tmp_path, "key", ".cwasm")
    assert kept_code(tmp_path) == [CODE]
    assert not list(kept(tmp_path, "yek", ".cwasm"))
    assert not list(kept(tmp_path, "key", ".memory"))


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """As if it were not there: here a link to nothing."""
    keep(CODE, tmp_path, "key", ".cwasm")
    (tmp_path / "key-00000000.cwasm").symlink_to(tmp_path / "nothing")
    assert kept_code(tmp_path) == [CODE]


def test_a_disk_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no error, and leaves no partial file."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    keep(CODE, tmp_path, "key", ".cwasm")
    assert list(tmp_path.iterdir()) == []


def test_old_files_are_forgotten(tmp_path: Path) -> None:
    """The folder does not grow with every update: the newest few of a suffix stay."""
    for age in range(KEPT_FILES + 3):
        old = tmp_path / f"old-{age}.cwasm"
        old.touch()
        os.utime(old, (1e9 - age, 1e9 - age))
    other = tmp_path / "old.memory"
    other.touch()
    keep(CODE, tmp_path, "key", ".cwasm")
    left = {path.name for path in tmp_path.glob("*.cwasm")}
    assert len(left) == KEPT_FILES
    assert "old-0.cwasm" in left
    assert kept_code(tmp_path) == [CODE]
    assert other.exists()


@posix_only
def test_what_an_end_left_half_written_goes(tmp_path: Path) -> None:
    """After an hour, in which whoever writes it is done."""
    old, new = tmp_path / "old.part", tmp_path / "new.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    keep(CODE, tmp_path, "key", ".cwasm")
    assert not old.exists()
    assert new.exists()


def test_a_folder_open_to_others_is_not_trusted(tmp_path: Path) -> None:
    """Where others can write, machine code is neither kept nor run."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert not is_private(shared)
    assert is_private(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@posix_only
def test_a_folder_of_someone_else_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that another user made is not used, even with the right permissions."""
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    assert not is_private(tmp_path)


def test_where_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$XDG_CACHE_HOME counts, then ~/.cache, then the temporary folder, then nothing."""
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "tp-tools"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / "home" / ".cache" / "tp-tools"
    monkeypatch.setenv("HOME", str(blocked))
    assert cache_folder() == tmp_path / "tmp" / f"tp-tools-{user()}"
    monkeypatch.setattr("tempfile.tempdir", str(blocked))
    assert cache_folder() is None
