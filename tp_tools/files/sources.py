"""Choose how the files of a command are read: each time from disk, or once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from tp_tools.files import copies, temporary
from tp_tools.files.kept import KeptSource
from tp_tools.files.remote import is_url, look_up
from tp_tools.files.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

SourceOf: TypeAlias = Callable[[str], Source]
"""Returns the trace file of a path."""


def source_of(file: str, *, is_whole: bool = False) -> Source:
    """Return the trace file of a path or a URL.

    Args:
        file: a path, whose file is read from disk each time, or a URL. Where copies are kept
            (`copies.kept`) its file is fetched once; else it is read from the server each time.
        is_whole: whether all of it will be read; else it is fetched beyond its head if it is.

    Raises:
        UsageError: a package for the protocol of the URL is missing.
        InputError: there is no file of the URL, or the server does not say.
    """
    if not is_url(file):
        return Source(Path(file), file)
    kept = copies.current()
    copy = kept.place(file) if kept is not None else None
    return Source(copy or Path(file), file, remote=look_up(file, copy, is_whole=is_whole))


def is_rereadable(file: str) -> bool:
    """Tell whether a file can be read more than once: a pipe cannot, nor what is not there."""
    return is_url(file) or Path(file).is_file()


class KeptSources(Struct, frozen=True):
    """The trace files of a command, each of which is read once.

    Attributes:
        folder: where their texts are kept.
    """

    folder: Path
    _by_name: dict[str, KeptSource] = field(default_factory=dict)

    def of(self, file: str) -> KeptSource:
        """Return the trace file of a path; the same object each time."""
        return self.keep(source_of(file, is_whole=True))

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
    with copies.kept(), temporary.folder() as folder:
        yield KeptSources(folder)
