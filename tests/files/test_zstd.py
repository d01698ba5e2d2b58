"""Frames of zstd are what another implementation reads and writes."""

from __future__ import annotations

import io

import zstandard

from tp_tools.files import zstd

TEXT = b"kernel " * 1000


def test_a_frame_ends_where_it_ends() -> None:
    """What follows a frame is left over, and its end is known."""
    frame = zstd.frame()
    assert frame.decompress(zstandard.compress(TEXT) + b"more") == TEXT
    assert frame.eof
    assert frame.unused_data == b"more"


def test_a_writer_writes_one_frame_and_leaves_the_file_open() -> None:
    """Another implementation reads all of it; the file can be written on."""
    file = io.BytesIO()
    with zstd.writer(file, 3) as packed:
        for _ in range(2):
            packed.write(TEXT)
    assert not file.closed
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    assert decompressor.decompress(file.getvalue()) == 2 * TEXT
    assert decompressor.eof
    assert not decompressor.unused_data
