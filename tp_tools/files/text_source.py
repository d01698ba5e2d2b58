"""Read text that this process made as if it stood in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.files.source import Source
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.progress import Reporter


class TextSource(Source, kw_only=True):
    """A trace in memory.

    Attributes:
        text: its text.
    """

    text: bytes

    @staticmethod
    def of(text: bytes, name: str) -> TextSource:
        """Return a trace of this text, with its name in messages."""
        return TextSource(path=Path(name), name=name, text=text)

    def blocks(self, reporter: Reporter = SILENT) -> Iterator[bytes]:
        """Yield the text."""
        reporter.advance(0)
        yield self.text

    def size(self) -> int:
        """Return its bytes."""
        return len(self.text)
