"""A gzip file joined from parts decompresses to their text, wherever the text was cut."""

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

TEXTS = st.lists(st.binary(max_size=400).map(lambda text: text * 3), max_size=3)
PARTS = st.lists(st.tuples(st.booleans(), TEXTS), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder for the files of compressed parts."""
    return tmp_path_factory.mktemp("parts")


def join(parts: list[tuple[bool, list[bytes]]], folder: Path) -> tuple[bytes, bytes]:
    """Return the text and its gzip file; the flag says which parts are compressed beforehand."""
    inputs: list[bytes | gzip_parts.Deflated] = []
    for number, (is_compressed, texts) in enumerate(parts):
        part = gzip_parts.deflate(texts, folder / str(number)) if is_compressed else None
        inputs += texts if not is_compressed else [part] if part else []
    text = b"".join(block for _, texts in parts for block in texts)
    return text, b"".join(gzip_parts.gzip(inputs))


@PURE
@given(PARTS)
def test_python_decompresses_the_joined_file(
    folder: Path, parts: list[tuple[bool, list[bytes]]]
) -> None:
    """The file is one member whose checksum and length Python's gzip and zlib accept."""
    text, file = join(parts, folder)
    assert gzip.decompress(file) == text
    reader = zlib.decompressobj(31)
    assert reader.decompress(file) == text
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_no_part_refers_to_text_of_another(folder: Path) -> None:
    """A text that repeats in every part decompresses right, also by this package's reader."""
    line = bytes(range(256)) * 40
    text, file = join([(False, [line]), (True, [line]), (True, [line]), (False, [line])], folder)
    assert gzip.decompress(file) == text
    (folder / "all.json.gz").write_bytes(file)
    assert b"".join(Source(folder / "all.json.gz", "all").blocks()) == text
