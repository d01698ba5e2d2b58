"""Gzip from pieces: any reader gets the text back, wherever it was cut."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.files import gzip_parts
from tp_tools.files.source import Source

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.lists(st.binary(max_size=400).map(lambda it: it * 3), max_size=3)
PIECES = st.lists(st.tuples(st.booleans(), TEXTS), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the pieces."""
    return tmp_path_factory.mktemp("pieces")


def packed(pieces: list[tuple[bool, list[bytes]]], folder: Path) -> tuple[bytes, bytes]:
    """The text, and the gzip file of it; each piece is compressed beforehand or not."""
    given: list[bytes | gzip_parts.Deflated] = []
    for number, (apart, texts) in enumerate(pieces):
        piece = gzip_parts.deflate(texts, folder / str(number)) if apart else None
        given += texts if not apart else [piece] if piece else []
    text = b"".join(block for _, texts in pieces for block in texts)
    return text, b"".join(gzip_parts.gzip(given))


@PURE
@given(PIECES)
def test_any_reader_gets_the_text_back(
    folder: Path, pieces: list[tuple[bool, list[bytes]]]
) -> None:
    """One member with the right checksum and length, for Python's gzip, zlib and this reader."""
    text, file = packed(pieces, folder)
    assert gzip.decompress(file) == text
    reader = zlib.decompressobj(31)
    assert reader.decompress(file) == text
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_repetitions_across_cuts_are_not_referred_to(folder: Path) -> None:
    """The same text before, in and behind a piece: a reference across its edge would be wrong."""
    line = bytes(range(256)) * 40
    text, file = packed([(False, [line]), (True, [line]), (True, [line]), (False, [line])], folder)
    assert gzip.decompress(file) == text
    (folder / "all.json.gz").write_bytes(file)
    assert b"".join(Source(folder / "all.json.gz", "all").blocks()) == text
