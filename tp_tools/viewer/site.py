"""Describe a web site of this machine: a fixed set of resources behind a secret token."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"
_TOKEN_BYTES = 16


class Resource(Struct, frozen=True):
    """The answer to a request for one path.

    Attributes:
        mime: value of Content-Type.
        content: a file or bytes; None for a stream of events that never ends, whose open
            connection shows the server that a page is open.
        compress: whether to send it gzip-compressed to browsers that accept gzip.
        is_immutable: whether the browser may cache it forever.
        holds_server: whether the server keeps running while it is being sent.
        location: address to redirect to; None for no redirect.
    """

    mime: str = "application/octet-stream"
    content: Path | bytes | None = b""
    compress: bool = False
    is_immutable: bool = False
    holds_server: bool = False
    location: str | None = None


class Site(Struct, frozen=True):
    """The resources that a server offers.

    Attributes:
        token: secret first segment of every path.
        resources: the resources, by the path behind the token.
        headers: headers of every answer, by name.
        origins: foreign origins whose pages may read answers: "https://ui.perfetto.dev".
    """

    token: str
    resources: Mapping[str, Resource]
    headers: Mapping[str, str] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()


def new_token() -> str:
    """Make a random token of 128 bits, in base64 for URLs."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def address(token: str, port: int, path: str = "") -> str:
    """Return the URL of a resource: "http://127.0.0.1:9001/TOKEN/trace/a.json"."""
    return f"http://{LOOPBACK}:{port}/{token}/{path}"
