"""The text of a trace file is kept, so that the file is read once."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.support.reporters import Recorder
from tp_tools.errors import InputError
from tp_tools.files.kept import KeptSource
from tp_tools.files.source import ReadSizes, Source

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"".join(b"%d\n" % number for number in range(20_000))


def kept(path: Path, most: int) -> KeptSource:
    """A packed text on disk, of which so many bytes are kept at most."""
    path.write_bytes(gzip.compress(TEXT))
    return KeptSource.of(Source(path, "t", sizes=ReadSizes(block=1000)), most)


def test_a_text_is_read_once(tmp_path: Path) -> None:
    """After it was read to its end the file is not needed, and progress still counts all of it."""
    source = kept(tmp_path / "t", len(TEXT))
    size = source.size()
    assert b"".join(source.blocks()) == TEXT
    source.path.unlink()
    recorder = Recorder()
    assert b"".join(source.blocks(recorder)) == TEXT
    assert sum(recorder.counted) == source.size() == size


def test_a_text_that_is_too_long_is_read_again(tmp_path: Path) -> None:
    """One byte more than may be kept, and the file is read each time."""
    source = kept(tmp_path / "t", len(TEXT) - 1)
    for _ in range(2):
        assert b"".join(source.blocks()) == TEXT
    source.path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        list(source.blocks())


def test_a_text_that_was_begun_is_read_again(tmp_path: Path) -> None:
    """Only a whole text is kept."""
    source = kept(tmp_path / "t", len(TEXT))
    assert TEXT.startswith(next(source.blocks()))
    assert b"".join(source.blocks()) == TEXT
