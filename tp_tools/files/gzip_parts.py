"""Gzip from pieces that were compressed apart, each by a process of its own, in one member.

A piece ends with a full flush (RFC 1951): on a whole byte, and nothing behind it refers to it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LEVEL = 1
_RAW = -15  # no header, no checksum
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no time, no name
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Deflated:
    """A piece of text, compressed.

    Attributes:
        data: what it is compressed to, or the file that holds that.
        crc: CRC-32 of the text.
        size: bytes of the text.
    """

    data: bytes | Path
    crc: int
    size: int


GzipPart: TypeAlias = "bytes | Path | Deflated"
"""Text, a file of text, a file of compressed text."""


def deflate(blocks: Iterable[bytes], path: Path) -> Deflated | None:
    """Compresses text into a file; None if there is none."""
    crc = size = 0
    packer = _packer()
    with path.open("wb") as file:
        for block in blocks:
            crc, size = isal_zlib.crc32(block, crc), size + len(block)
            file.write(packer.compress(block))
        file.write(packer.flush(isal_zlib.Z_FULL_FLUSH))
    return Deflated(path, crc, size) if size else None


def deflated(text: bytes) -> Deflated:
    """Compresses text."""
    packer = _packer()
    data = packer.compress(text) + packer.flush(isal_zlib.Z_FULL_FLUSH)
    return Deflated(data, isal_zlib.crc32(text), len(text))


def store(blocks: Iterable[bytes], path: Path) -> Path | None:
    """Writes text into a file as it is; None if there is none."""
    with path.open("wb") as file:
        file.writelines(blocks)
        return path if file.tell() else None


def text(pieces: Iterable[GzipPart]) -> Iterator[bytes]:
    """Pieces of which none is compressed, one after the other."""
    for piece in pieces:
        assert not isinstance(piece, Deflated)
        yield from _blocks(piece)


def gzip(pieces: Iterable[GzipPart]) -> Iterator[bytes]:
    """A gzip file (RFC 1952) of these pieces; those that are compressed stay as they are."""
    yield _HEADER
    crc = size = 0
    packer = None
    for piece in pieces:
        if isinstance(piece, Deflated):
            if packer is not None:
                yield packer.flush(isal_zlib.Z_FULL_FLUSH)
                packer = None
            yield from _blocks(piece.data)
            crc, size = isal_zlib.crc32_combine(crc, piece.crc, piece.size), size + piece.size
            continue
        for block in text([piece]):
            packer = packer or _packer()
            crc, size = isal_zlib.crc32(block, crc), size + len(block)
            yield packer.compress(block)
    packer = packer or _packer()
    yield packer.flush()
    yield struct.pack("<II", crc, size & 0xFFFF_FFFF)


def _packer() -> isal_zlib.Compress:
    return isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _RAW)


def _blocks(data: bytes | Path) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
