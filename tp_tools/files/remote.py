"""Read files that URLs name: s3://, gs://, hf://, http://, whatever fsspec knows.

fsspec, and its package for the protocol, are imported when the first URL is named.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from msgspec import Struct

from tp_tools.files import copies
from tp_tools.files.remote_errors import errors_named
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tp_tools.progress import Reporter

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_MAGIC = {"http": "*[", "https": "*["}
"""Characters that make a pattern of a URL, by protocol: of the web, "?" begins a query."""

_ANY_MAGIC = "*?["
_AHEAD = 1 << 20
"""Bytes read at a time of a file that is streamed."""

_SMALL = 1 << 20
"""Bytes of a file that is fetched whole, also where only its beginning may be wanted."""

_VERSIONS = ("ETag", "etag", "md5Hash", "crc32c", "blob_id")
"""Names by which file systems of fsspec give the version of a file."""


def is_url(name: str) -> bool:
    """Tell whether an argument is the URL of a file or a folder, and no path."""
    return _URL.match(name) is not None


class Remote(Struct, frozen=True):
    """A file that a URL names.

    Attributes:
        url: its URL.
        size: bytes of it, as the server says; 0 where it does not.
        version: what the server says of its contents, such as an ETag; "" if nothing.
        copy: where its copy goes when it is first read, to read that from then on; None to stream
            it from the server each time. Where copies are kept (`copies.kept`), its copy is there.
        is_whole: whether all of it will be read; else maybe its beginning, to tell what it is.
    """

    url: str
    size: int
    copy: Path | None = None
    version: str = ""
    is_whole: bool = False

    def open(self, reporter: Reporter = SILENT) -> Readable:
        """Open the file for reading from its start.

        Args:
            reporter: receives the stage of fetching it.

        Raises:
            UsageError: a package for its protocol is missing.
            InputError: it cannot be read.
            OutputError: there is no room for its copy.
        """
        kept = copies.current()
        copy = self.copy if kept is None else kept.place(self.url)
        if copy is None:
            return self.streamed()
        if not (kept is None or self.is_whole or self.size <= _SMALL or copy.exists()):
            return _LookedAt(self, kept, copy, reporter)
        return self.fetched(copy, reporter).open("rb")

    def streamed(self) -> BinaryIO:
        """Open the file on its server.

        Raises:
            UsageError, InputError: as `open`.
        """
        with errors_named(self.url):
            system, path = _system(self.url)
            stream: BinaryIO = system.open(path, "rb", block_size=_AHEAD)
            return stream

    def fetched(self, copy: Path, reporter: Reporter = SILENT) -> Path:
        """Fetch the file into its copy, unless it is there; return its path.

        Raises:
            UsageError, InputError, OutputError: as `open`.
        """
        if copy.exists():
            return copy
        from fsspec.callbacks import Callback  # noqa: PLC0415  few inputs are URLs

        with (
            reporter.stage(f"fetching {self.url}", self.size or None) as stage,
            self._written(copy) as part,
        ):
            system, path = _system(self.url)
            counting = Callback(hooks={"advance": _Counting(stage)})
            system.get_file(path, str(part), callback=counting)
        return copy

    def head(self, copy: Path, size: int) -> Path:
        """Fetch the beginning of the file beside its copy, unless it is there; return its path.

        A server that knows no ranges gives the whole file, which is the copy then.

        Raises:
            UsageError, InputError, OutputError: as `open`.
        """
        beginning = copies.head_of(copy)
        if not beginning.exists():
            with errors_named(self.url):
                system, path = _system(self.url)
                text = system.cat_file(path, start=0, end=size)
            if len(text) > size:
                with self._written(copy) as part:
                    part.write_bytes(text)
                return copy
            with self._written(beginning) as part:
                part.write_bytes(text)
        return beginning

    @contextmanager
    def _written(self, target: Path) -> Iterator[Path]:
        """Yield a path to write to; what was written becomes the target after the block."""
        from tp_tools.files import temporary  # noqa: PLC0415  few inputs are URLs

        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        with temporary.full_disk_named(), errors_named(self.url):
            yield part
            part.replace(target)


class Readable(Protocol):
    """A file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Read the next bytes, at most so many; none at the end."""

    def close(self) -> None:
        """Close it."""


class _LookedAt:
    """Reads a file of which only the beginning may be wanted: its head, and what follows it."""

    def __init__(self, remote: Remote, kept: copies.Copies, copy: Path, reporter: Reporter) -> None:
        self._remote, self._kept, self._copy, self._reporter = remote, kept, copy, reporter
        self._file: BinaryIO = remote.head(copy, kept.head).open("rb")
        self._is_head = not copy.exists()

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def read(self, size: int, /) -> bytes:
        """Read the next bytes; fetch the file once its head was read."""
        block = self._file.read(size)
        if block or not self._is_head:
            return block
        at, self._is_head = self._file.tell(), False
        self._file.close()
        if self._kept.has_room(self._remote.size):
            self._file = self._remote.fetched(self._copy, self._reporter).open("rb")
        else:
            self._file = self._remote.streamed()
        self._file.seek(at)
        return self._file.read(size)


class _Counting(Struct):
    """Counts the bytes of a file that is fetched; fsspec calls it with the sum so far."""

    reporter: Reporter
    done: int = 0

    def __call__(self, _size: int | None, value: int, **_more: object) -> None:
        self.reporter.advance(value - self.done)
        self.done = value


def look_up(url: str, copy: Path | None = None, *, is_whole: bool = False) -> Remote:
    """Ask the server about a file.

    Args:
        url: its URL.
        copy: as in `Remote`.
        is_whole: as in `Remote`.

    Raises:
        UsageError: a package for its protocol is missing.
        InputError: there is no such file, or the server does not say.
    """
    with errors_named(url):
        system, path = _system(url)
        said = system.info(path)
        version = next((str(said[it]) for it in _VERSIONS if said.get(it)), "")
        return Remote(url, said.get("size") or 0, copy, version, is_whole)


def is_folder(url: str) -> bool:
    """Tell whether a URL names a folder: it ends in a slash, or the server says so.

    Raises:
        UsageError, InputError: as `look_up`.
    """
    if url.endswith("/"):
        return True
    with errors_named(url):
        system, path = _system(url)
        return bool(system.info(path)["type"] == "directory")


def is_pattern(url: str) -> bool:
    """Tell whether a URL is a pattern that stands for several files."""
    match = _URL.match(url)
    assert match is not None
    magic = _MAGIC.get(match[1].lower(), _ANY_MAGIC)
    return any(character in url[match.end() :] for character in magic)


def listed(url: str, below: int = 0) -> list[str]:
    """List the URLs of the files in a folder, or of those that match a pattern, sorted.

    Args:
        url: of the folder, or the pattern.
        below: levels of folders in a folder whose files are listed, too.

    Raises:
        UsageError, InputError: as `look_up`.
    """
    with errors_named(url):
        system, path = _system(url)
        system.invalidate_cache()
        found: Iterable[Mapping[str, Any]] = (
            system.glob(path, detail=True).values()
            if is_pattern(url)
            else system.find(path, maxdepth=1 + below, detail=True).values()
            if below
            else system.ls(path, detail=True)
        )
        files = [said["name"] for said in found if said.get("type") != "directory"]
        return sorted(str(system.unstrip_protocol(it)) for it in files)


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    import fsspec  # noqa: PLC0415  few inputs are URLs

    system, path = fsspec.core.url_to_fs(url)
    return system, path
