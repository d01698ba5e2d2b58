"""Keep the text of a trace file, so that it is read and decompressed once."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from isal import isal_zlib

from tp_tools.files import copies, temporary
from tp_tools.files.source import Source
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from tp_tools.progress import Reporter

MOST_TEXT = 256 << 20
"""Bytes of the text of one file that are kept in memory; a longer text goes to a temporary file."""

_LEVEL = 1
_GZIP = 31  # with a header and a checksum


class KeptSource(Source, kw_only=True):
    """A trace file whose text is kept once it was read to its end: the file is read once.

    It can be pickled; the copy reads the same temporary file.

    Attributes:
        folder: where a text goes that is not kept in memory, as gzip.
        most: bytes of text that are kept in memory.
    """

    folder: Path = Path()
    most: int = 0
    _kept: list[bytes] | None = None
    _spool: Path | None = None
    _text_bytes: int = 0

    @classmethod
    def of(cls, source: Source, folder: Path, most: int = MOST_TEXT) -> KeptSource:
        """Return the same file, of which the text is kept."""
        return cls(
            source.path,
            source.name,
            sizes=source.sizes,
            remote=source.remote,
            folder=folder,
            most=most,
        )

    def size(self) -> int:
        """Return the bytes on disk, of a text that is kept those when it was read."""
        return self.stamp[0] if self._is_kept() else super().size()

    def blocks(self, reporter: Reporter = SILENT) -> Iterator[bytes]:
        """Give the decompressed text from the start: see `Source.blocks`.

        Raises:
            OutputError: the disk has no room for the temporary file.
        """
        if not self._is_kept():
            yield from self._first_time(reporter)
            return
        size, done = self.size(), 0
        for block in self._again():
            before = size * done // self._text_bytes
            done += len(block)
            reporter.advance(size * done // self._text_bytes - before)
            yield block

    def keep(self) -> None:
        """Read the file, unless its text is kept.

        Raises:
            InputError: it cannot be read.
            OutputError: the disk has no room for the temporary file.
        """
        if not self._is_kept():
            deque(self.blocks(), maxlen=0)

    def _is_kept(self) -> bool:
        return self._kept is not None or self._spool is not None

    def _again(self) -> Iterator[bytes]:
        """Give the text that is kept."""
        if self._spool is None:
            return iter(self._kept or ())
        return Source(self._spool, self.name, sizes=self.sizes).blocks()

    def _first_time(self, reporter: Reporter) -> Iterator[bytes]:
        """Read the file; keep its text once all of it was taken."""
        kept: list[bytes] = []
        size = 0
        spool = _Spool(self.folder)
        try:
            for block in super().blocks(reporter):
                size += len(block)
                kept.append(block)
                if size > self.most:
                    spool.write(kept)
                    kept.clear()
                yield block
            self._spool = spool.finish()
        finally:
            spool.drop()
        self._kept = None if self._spool else kept
        self._text_bytes = size
        if self.remote is not None and (fetched := copies.current()):
            fetched.drop(self.remote.url)


class _Spool:
    """A temporary file that gets text, as gzip; the first write makes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)

    def write(self, blocks: list[bytes]) -> None:
        """Add blocks.

        Raises:
            OutputError: the disk has no room for them.
        """
        with temporary.full_disk_named():
            if self._file is None:
                handle, name = tempfile.mkstemp(dir=self._folder)
                self._path, self._file = Path(name), os.fdopen(handle, "wb")
            self._file.writelines(map(self._compressor.compress, blocks))

    def finish(self) -> Path | None:
        """Write the end; return the file, or None if nothing was written."""
        if self._file is None:
            return None
        with temporary.full_disk_named(), self._file:
            self._file.write(self._compressor.flush())
        path, self._path = self._path, None
        return path

    def drop(self) -> None:
        """Remove the file unless it was finished."""
        if self._file is not None and self._path is not None:
            with suppress(OSError):  # of a full disk: what the buffer holds has no room either
                self._file.close()
            self._path.unlink()
