"""What a web server on this machine serves: a fixed set of addresses behind a secret."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"
_TOKEN_BYTES = 16


@dataclass(frozen=True)
class Resource:
    """What an address answers.

    Attributes:
        mime: its type.
        content: a file, bytes; or None for a stream of events that never comes to an end, by which
            the server knows that a page is open.
        is_packed: sent gzip-compressed to a browser that takes it so.
        is_kept: the browser may keep it, it never changes.
        attends: while it is being sent somebody is there, and the server does not stop.
        location: where the browser is sent on to instead.
    """

    mime: str = "application/octet-stream"
    content: Path | bytes | None = b""
    is_packed: bool = False
    is_kept: bool = False
    attends: bool = False
    location: str | None = None


@dataclass(frozen=True)
class Site:
    """Everything that is served.

    Attributes:
        token: what every path begins with.
        resources: by the path behind it.
        headers: sent with every answer.
        origins: foreign origins whose pages may read answers.
    """

    token: str
    resources: Mapping[str, Resource]
    headers: Mapping[str, str] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()


def new_token() -> str:
    """What nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def address(token: str, port: int, path: str = "") -> str:
    """Where a browser on this machine finds a resource."""
    return f"http://{LOOPBACK}:{port}/{token}/{path}"
