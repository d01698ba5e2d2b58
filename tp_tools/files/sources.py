"""Choose how the files of a command are read: each time from disk, or once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tp_tools.files import temporary
from tp_tools.files.kept import KeptSource
from tp_tools.files.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

SourceOf: TypeAlias = Callable[[str], Source]
"""Returns the trace file of a path."""


def source_of(file: str) -> Source:
    """Return the trace file of a path, which is read from disk each time."""
    return Source(Path(file), file)


@dataclass(frozen=True)
class KeptSources:
    """The trace files of a command, each of which is read once.

    Attributes:
        folder: where their texts are kept.
    """

    folder: Path
    _by_name: dict[str, KeptSource] = field(default_factory=dict, repr=False)

    def of(self, file: str) -> KeptSource:
        """Return the trace file of a path; the same object each time."""
        return self.keep(source_of(file))

    def keep(self, source: Source, most: int = 0) -> KeptSource:
        """Return the same file, of which the text is kept; the same object each time.

        Args:
            source: the file.
            most: bytes of its text that are kept in memory, if it was not seen before.
        """
        known = self._by_name
        if source.name not in known:
            known[source.name] = KeptSource.of(source, self.folder, most)
        return known[source.name]


@contextmanager
def kept_sources() -> Iterator[KeptSources]:
    """Keep the texts of trace files in a temporary folder while the block runs."""
    with temporary.folder() as folder:
        yield KeptSources(folder)
