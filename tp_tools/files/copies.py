"""Keep copies of files that URLs name while a command runs, so that each is fetched once.

A file of which only the beginning is wanted, to tell what it is, is fetched by range as far as
`HEAD`; the copy is made when more of it is read.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = 256 << 10
"""Bytes of the beginning of a large file, compressed or not, that are fetched to look at it."""

MOST_LOOKED_AT = 4 << 30
"""Bytes of copies at most that stay of files which were looked at beyond their heads, and may be
read later; further ones are streamed, and fetched again when they are read."""

_DIGITS = 20


class Copies:
    """The copies of a command, in a folder that is made when the first one is wanted.

    Attributes:
        head: bytes of a large file that are fetched to look at it.
    """

    def __init__(
        self,
        stack: ExitStack,
        folder: Path | None = None,
        head: int = HEAD,
        most: int = MOST_LOOKED_AT,
    ) -> None:
        """Keep copies until the stack is closed, in a folder of its own unless one is given."""
        self.head = head
        self._stack, self._folder, self._left = stack, folder, most

    def folder(self) -> Path:
        """Return the folder; make it the first time."""
        if self._folder is None:
            from tp_tools.files import temporary  # noqa: PLC0415  few commands read URLs

            self._folder = self._stack.enter_context(temporary.folder())
        return self._folder

    def place(self, url: str) -> Path:
        """Return where the copy of a file goes: the same path in each process with this folder."""
        folder = self.folder() / hashlib.sha256(url.encode()).hexdigest()[:_DIGITS]
        folder.mkdir(exist_ok=True)
        return folder / PurePosixPath(url).name

    def has_room(self, size: int) -> bool:
        """Tell whether a file that is only looked at may be copied; count it if so."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def put(self, url: str, content: bytes) -> None:
        """Keep what another process fetched."""
        self.place(url).write_bytes(content)

    def content(self, url: str) -> bytes | None:
        """Return the bytes of a file that was fetched; None of one that was not."""
        place = self.place(url)
        return place.read_bytes() if place.exists() else None

    def drop(self, url: str) -> None:
        """Remove what is kept of a file that nobody will read again."""
        for path in (self.place(url), head_of(self.place(url))):
            path.unlink(missing_ok=True)


_active: ContextVar[Copies | None] = ContextVar("_active", default=None)


def current() -> Copies | None:
    """Return the copies of the command that runs; None where nobody keeps any."""
    return _active.get()


@contextmanager
def kept(
    folder: Path | None = None, *, head: int = HEAD, most: int = MOST_LOOKED_AT
) -> Iterator[Copies]:
    """Keep copies while the block runs; those of a block around it unless a folder is given.

    Args:
        folder: where they go; None for a temporary folder.
        head: bytes of a large file that are fetched to look at it.
        most: bytes of copies at most of files that were looked at beyond their heads.
    """
    around = _active.get()
    if around is not None and folder is None:
        yield around
        return
    with ExitStack() as stack:
        copies = Copies(stack, folder, head, most)
        token = _active.set(copies)
        try:
            yield copies
        finally:
            _active.reset(token)


def share(folder: Path) -> None:
    """Take part, for the life of this worker, in the copies that its parent keeps in a folder."""
    _active.set(Copies(ExitStack(), folder))


def head_of(place: Path) -> Path:
    """Return where the beginning of a file is kept whose copy goes to `place`."""
    return place.with_name(f"{place.name}.head")
