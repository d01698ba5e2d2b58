"""The text of an export is made once, and kept in a temporary file as long as it is open."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from fixtures import nsys as made
from fixtures import xplane as made_xplane
from tp_tools import nsys, xplane
from tp_tools.files import open_source, temporary
from tp_tools.files.kept_text import KeptText

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

BLOCKS = [b"some text, " * 9, b"", b"and more", bytes(300_000)]


class Maker:
    """Makes the text, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Iterator[bytes]:
        """Make it once more."""
        self.times += 1
        yield from BLOCKS


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where temporary files go."""
    with temporary.in_folder(tmp_path):
        yield tmp_path


def test_a_text_is_made_once(folder: Path) -> None:
    """Later readers get the same bytes; closing removes the file."""
    make = Maker()
    with closing(KeptText()) as kept:
        for _ in range(3):
            assert b"".join(kept.blocks(make)) == b"".join(BLOCKS)
        assert make.times == 1
        [file] = folder.iterdir()
        assert file.stat().st_size < 30_000, "it is compressed"
    assert list(folder.iterdir()) == []


def test_what_was_not_read_to_its_end_is_not_kept(folder: Path) -> None:
    """A reader that wants the beginning alone leaves nothing behind, and the next one gets all."""
    make = Maker()
    with closing(KeptText()) as kept:
        with closing(kept.blocks(make)) as blocks:
            assert next(blocks) == BLOCKS[0]
        assert list(folder.iterdir()) == []
        assert b"".join(kept.blocks(make)) == b"".join(BLOCKS)
        assert make.times == 2


def test_two_readers_at_a_time(folder: Path) -> None:
    """Each gets the whole text, and one file is kept of it."""
    make = Maker()
    with closing(KeptText()) as kept:
        one, other = kept.blocks(make), kept.blocks(make)
        found = list(zip(one, other, strict=True))
        assert [a for a, _ in found] == [b for _, b in found] == BLOCKS
        assert len(list(folder.iterdir())) == 1


def test_without_room_it_is_made_again(tmp_path: Path) -> None:
    """No folder for temporary files: every reader still gets the text."""
    make = Maker()
    with temporary.in_folder(tmp_path / "missing"), closing(KeptText()) as kept:
        for _ in range(2):
            assert b"".join(kept.blocks(make)) == b"".join(BLOCKS)
    assert make.times == 2


def test_an_export_is_converted_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often its text is read; a change of the file between is noticed."""
    path = made.write(folder / "report.sqlite", made.job())
    read, times = nsys.read_text, []

    def counted(*arguments: object) -> Iterator[bytes]:
        times.append(arguments)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(nsys, "read_text", counted, raising=False)
    with open_source(str(path)) as source:
        assert b"".join(source.blocks()) == b"".join(source.blocks())
        stamp = source.stamp
        path.write_bytes(path.read_bytes() + b"\0")
        next(source.blocks())
        assert source.stamp != stamp
    assert len(times) == 1


def test_a_profile_is_converted_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the text of a profile of XLA is read, also after only a part of it was."""
    path = folder / "host.xplane.pb"
    path.write_bytes(made_xplane.job())
    read, times = xplane.read_text, []

    def counted(data: bytes, name: str) -> Generator[bytes]:
        times.append(name)
        return read(data, name)

    monkeypatch.setattr(xplane, "read_text", counted, raising=False)
    with open_source(str(path)) as source:
        first = b"".join(source.blocks())
        next(source.blocks())
        assert b"".join(source.blocks()) == first
    assert len(times) == 1
