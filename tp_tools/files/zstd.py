"""Compress and decompress zstd frames, by the standard library of Python 3.14 or its backport."""

from __future__ import annotations

import sys
from typing import BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZstdError = zstd.ZstdError

_MAX_WINDOW_LOG = 31  # the window of zstd --long=31


def frame() -> zstd.ZstdDecompressor:
    """Return a decompressor of one frame, of any window."""
    return zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    )


def writer(file: BinaryIO, level: int) -> zstd.ZstdFile:
    """Open a compressor that writes one frame into a file, and leaves the file open."""
    return zstd.ZstdFile(file, "wb", level=level)
