"""Keep the text of a trace file, so that it is read and decompressed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tp_tools.files.source import Source
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.progress import Reporter

MOST_TEXT = 256 << 20
"""Bytes of text that are kept; a longer file is read again from disk."""


@dataclass
class KeptSource(Source):
    """A trace file whose text stays in memory after it was read to its end.

    Attributes:
        most: bytes of text that are kept; a longer text is not.
    """

    most: int = MOST_TEXT
    _kept: list[bytes] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, source: Source, most: int = MOST_TEXT) -> KeptSource:
        """Return the same file, of which the text is kept."""
        return cls(source.path, source.name, sizes=source.sizes, most=most)

    def size(self) -> int:
        """Return the bytes on disk, of a text that is kept those when it was read."""
        return super().size() if self._kept is None else self.stamp[0]

    def blocks(self, reporter: Reporter = SILENT) -> Iterator[bytes]:
        """Give the decompressed text from the start: see `Source.blocks`."""
        if self._kept is not None:
            yield from self._again(self._kept, reporter)
            return
        kept: list[bytes] | None = []
        size = 0
        for block in super().blocks(reporter):
            size += len(block)
            if kept is not None and size <= self.most:
                kept.append(block)
            else:
                kept = None
            yield block
        self._kept = kept

    def _again(self, kept: list[bytes], reporter: Reporter) -> Iterator[bytes]:
        """Give the text that is kept; the bytes on disk are reported as if they were read."""
        size, count = self.size(), len(kept)
        for i, block in enumerate(kept):
            reporter.advance(size * (i + 1) // count - size * i // count)
            yield block
