"""The text of a trace file is kept, so that the file is read once."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.reporters import Recorder
from tp_tools.errors import OutputError
from tp_tools.files.kept import KeptSource
from tp_tools.files.source import ReadSizes, Source
from tp_tools.files.sources import kept_sources, source_of

if TYPE_CHECKING:
    from typing import BinaryIO

FULL = Path("/dev/full")
"""A file on which every write fails for want of room."""

TEXT = b"".join(b"%d\n" % number for number in range(20_000))

MANY = pytest.mark.parametrize("most", [0, len(TEXT) // 2, len(TEXT) - 1, len(TEXT)])


def kept(path: Path, most: int) -> KeptSource:
    """A packed text on disk, of which so many bytes are kept in memory at most."""
    path.write_bytes(gzip.compress(TEXT))
    (path.parent / "kept").mkdir()
    return KeptSource.of(Source(path, "t", sizes=ReadSizes(block=1000)), path.parent / "kept", most)


def spools(source: KeptSource) -> list[Path]:
    """The temporary files of texts."""
    return list(source.folder.iterdir())


@MANY
def test_a_text_is_read_once(tmp_path: Path, most: int) -> None:
    """After it was read to its end the file is not needed, and progress still counts all of it."""
    source = kept(tmp_path / "t", most)
    size = source.size()
    assert b"".join(source.blocks()) == TEXT
    source.path.unlink()
    for _ in range(2):
        recorder = Recorder()
        assert b"".join(source.blocks(recorder)) == TEXT
        assert sum(recorder.counted) == source.size() == size
    assert len(spools(source)) == (most < len(TEXT))


@MANY
def test_a_copy_for_a_worker_reads_the_same_text(tmp_path: Path, most: int) -> None:
    """Pickled after it was read, it needs the file no more."""
    source = kept(tmp_path / "t", most)
    assert b"".join(source.blocks()) == TEXT
    source.path.unlink()
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301  made here
    assert b"".join(copy.blocks()) == TEXT
    assert copy.stamp == source.stamp


@MANY
def test_a_text_that_was_begun_is_read_again(tmp_path: Path, most: int) -> None:
    """Only a whole text is kept, whoever else reads it meanwhile; nothing is left of a part."""
    source = kept(tmp_path / "t", most)
    begun = source.blocks()
    assert TEXT.startswith(next(begun))
    assert b"".join(source.blocks()) == TEXT
    begun.close()
    assert b"".join(source.blocks()) == TEXT
    assert len(spools(source)) == (most < len(TEXT))


def test_a_text_that_ends_too_early_is_known_to(tmp_path: Path) -> None:
    """A file that was cut short is still said to be once its text is kept."""
    source = kept(tmp_path / "t", 0)
    source.path.write_bytes(gzip.compress(TEXT)[:-100])
    first = b"".join(source.blocks())
    assert b"".join(source.blocks()) == first
    assert source.truncated


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of temporary files, not of the trace, and nothing stays behind."""
    source = kept(tmp_path / "t", 0)

    def full(handle: int, mode: str) -> BinaryIO:
        os.close(handle)
        return FULL.open(mode)  # type: ignore[return-value]  # the mode is that of bytes

    monkeypatch.setattr(os, "fdopen", full)  # simulates a full disk
    with pytest.raises(OutputError, match="no room for temporary files"):
        list(source.blocks())
    assert not spools(source)


def test_a_file_is_one_source(tmp_path: Path) -> None:
    """Whoever asks for a file of a command gets the same source, and no text outlives it."""
    (tmp_path / "t").write_bytes(TEXT)
    with kept_sources() as sources:
        source = sources.of(str(tmp_path / "t"))
        assert sources.keep(source_of(str(tmp_path / "t")), len(TEXT)) is source
        assert b"".join(source.blocks()) == TEXT
        assert len(spools(source)) == 1
    assert not source.folder.exists()
