"""Turn errors of fsspec, and of the packages behind it, into one line about a URL."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tp_tools.errors import InputError, Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

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

_LIBRARY_ERRORS = (
    ("asyncio.exceptions", "TimeoutError"),  # of Python 3.10
    ("botocore.exceptions", "BotoCoreError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("huggingface_hub.errors", "HfHubHTTPError"),
)
"""Errors of the packages behind fsspec that are no OSError, by the module that defines them."""


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
        protocol = url.partition("://")[0]
        packages = _PACKAGES.get(protocol.lower())
        advice = f"pip install {packages}" if packages else str(error)
        raise UsageError(f"{url}: {protocol}:// wants a package: {advice}.") from error
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
