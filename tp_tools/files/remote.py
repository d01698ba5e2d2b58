"""Read files that URLs name: s3://, gs://, hf://, http://, whatever fsspec knows.

fsspec, and its package for the protocol, are imported when the first URL is named.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import Struct

from tp_tools.errors import InputError, Unreachable, UsageError
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tp_tools.progress import Reporter

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_MAGIC = {"http": "*[", "https": "*["}
"""Characters that make a pattern of a URL, by protocol: of the web, "?" begins a query."""

_ANY_MAGIC = "*?["
_AHEAD = 1 << 20
"""Bytes read at a time of a file of which only the beginning may be wanted."""

_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "hf": "fsspec huggingface_hub",
    "http": "fsspec aiohttp",
    "https": "fsspec aiohttp",
}
"""What to install for a protocol; the others say so themselves."""

_VERSIONS = ("ETag", "etag", "md5Hash", "crc32c", "blob_id")
"""Names by which file systems of fsspec give the version of a file."""

_LIBRARY_ERRORS = (
    ("asyncio.exceptions", "TimeoutError"),  # of Python 3.10
    ("botocore.exceptions", "BotoCoreError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("huggingface_hub.errors", "HfHubHTTPError"),
)
"""Errors of the packages behind fsspec that are no OSError, by the module that defines them."""


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
            it from the server each time.
    """

    url: str
    size: int
    copy: Path | None = None
    version: str = ""

    def open(self, reporter: Reporter = SILENT) -> BinaryIO:
        """Open the file for reading from its start.

        Args:
            reporter: receives the stage of fetching it.

        Raises:
            UsageError: a package for its protocol is missing.
            InputError: it cannot be read.
            OutputError: there is no room for its copy.
        """
        if self.copy is not None:
            return self.fetched(self.copy, reporter).open("rb")
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

        from tp_tools.files import temporary  # noqa: PLC0415  few inputs are URLs

        part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
        with (
            temporary.full_disk_named(),
            reporter.stage(f"fetching {self.url}", self.size or None) as stage,
            errors_named(self.url),
        ):
            system, path = _system(self.url)
            counting = Callback(hooks={"advance": _Counting(stage)})
            system.get_file(path, str(part), callback=counting)
            part.replace(copy)
        return copy


class _Counting(Struct):
    """Counts the bytes of a file that is fetched; fsspec calls it with the sum so far."""

    reporter: Reporter
    done: int = 0

    def __call__(self, _size: int | None, value: int, **_more: object) -> None:
        self.reporter.advance(value - self.done)
        self.done = value


def look_up(url: str, copy: Path | None = None) -> Remote:
    """Ask the server about a file; `copy` is as in `Remote`.

    Raises:
        UsageError: a package for its protocol is missing.
        InputError: there is no such file, or the server does not say.
    """
    with errors_named(url):
        system, path = _system(url)
        said = system.info(path)
        version = next((str(said[it]) for it in _VERSIONS if said.get(it)), "")
        return Remote(url, said.get("size") or 0, copy, version)


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


def listed(url: str) -> list[str]:
    """List the URLs in a folder, or those that match a pattern, sorted; folders in it as well.

    Raises:
        UsageError, InputError: as `look_up`.
    """
    with errors_named(url):
        system, path = _system(url)
        system.invalidate_cache()
        found: Sequence[str] = (
            system.glob(path) if is_pattern(url) else system.ls(path, detail=False)
        )
        return sorted(str(system.unstrip_protocol(it)) for it in found)


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    import fsspec  # noqa: PLC0415  few inputs are URLs

    system, path = fsspec.core.url_to_fs(url)
    return system, path


@contextmanager
def errors_named(url: str) -> Iterator[None]:
    """Turn errors of fsspec, and of the packages behind it, into one line about a URL.

    Raises:
        UsageError: a package is missing, or no package knows the protocol.
        InputError: the file cannot be read.
    """
    try:
        yield
    except ImportError as error:
        match = _URL.match(url)
        assert match is not None
        packages = _PACKAGES.get(match[1].lower())
        advice = f"pip install {packages}" if packages else str(error)
        raise UsageError(f"{url}: {match[1]}:// wants a package: {advice}.") from error
    except FileNotFoundError as error:
        if _is_unreachable(error.__cause__):
            raise Unreachable(f"{url}: cannot be read: {_first_line(error.__cause__)}.") from error
        raise InputError(f"{url}: no such file, folder or bucket. Check the URL.") from error
    except PermissionError as error:
        raise InputError(f"{url}: access is refused: {_first_line(error)}. {_ACCESS}") from error
    except ValueError as error:
        if not str(error).startswith("Protocol not known"):
            raise
        raise UsageError(f"{url}: fsspec knows no such protocol. Check the URL.") from error
    except _server_errors() as error:
        raise Unreachable(f"{url}: cannot be read: {_first_line(error)}. {_ACCESS}") from error


_ACCESS = "Check the URL, the network and your credentials."


def _server_errors() -> tuple[type[Exception], ...]:
    """Return the errors of servers and of reaching them.

    Of packages those that are imported: no other can have raised one.
    """
    of_packages = (
        getattr(sys.modules[module], name)
        for module, name in _LIBRARY_ERRORS
        if module in sys.modules
    )
    return (OSError, TimeoutError, *of_packages)


def _is_unreachable(cause: BaseException | None) -> bool:
    """Tell whether a server did not say that a file is missing, though fsspec calls it so."""
    is_said = isinstance(cause, FileNotFoundError) or getattr(cause, "status", 0) == _NOT_FOUND
    return isinstance(cause, _server_errors()) and not is_said


_NOT_FOUND = 404  # of HTTP


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
