"""A web server for a browser on this machine: a fixed set of addresses behind a secret, no more.

What keeps others out, each by itself:

    loopback        it listens on 127.0.0.1 alone
    a token         128 random bits stand in front of every path
    a table         paths are looked up as they are, never decoded or joined to a folder
    Host            must name this machine, so that a DNS name that is rebound to it gets nothing
    Origin          pages of other origins are refused, but for those that are let in by name
    GET and HEAD    nothing can be changed
    headers         pages may not be framed, embedded or sniffed by others

Sources: RFC 9110 (HTTP), the Fetch standard (CORS), WHATWG HTML 9.2 (event streams).
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import threading
import time
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from isal import igzip

from tp_tools.errors import UsageError
from tp_tools.viewer.site import LOOPBACK, Site, address, new_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from tp_tools.viewer.site import Resource

ANY_PORT = 0
GRACE_S = 5.0
"""How long nobody has to be there before the server stops: reloading a page takes less."""

_NAMES_OF_THIS_MACHINE = (LOOPBACK, "localhost")
_POLL_S = 0.25
_BEAT_S = 15.0  # a comment on an event stream, so that nothing between takes it for dead
_IDLE_S = 60.0
_YEAR_S = 365 * 86_400
_COPY = 1 << 20


class Attendance:
    """Knows whether everybody has left."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._present = 0
        self._left: float | None = None

    @contextmanager
    def present(self) -> Iterator[None]:
        """Somebody is there while the block runs."""
        with self._lock:
            self._present += 1
        try:
            yield
        finally:
            with self._lock:
                self._present -= 1
                self._left = time.monotonic()

    def is_over(self) -> bool:
        """Whether somebody was there, and nobody has been for a while."""
        with self._lock:
            if self._present or self._left is None:
                return False
            return time.monotonic() - self._left > self._grace_s


class Server(ThreadingHTTPServer):
    """Serves a site until everybody has left; a context manager that frees the port.

    Attributes:
        site: what is served; nothing at first.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it lets two programs share a port
    timeout = _POLL_S

    def __init__(
        self,
        port: int = ANY_PORT,
        way_out: str = "choose another port",
        grace_s: float = GRACE_S,
    ) -> None:
        """Listens at once; requests wait until `serve_until_left`.

        Args:
            port: where it listens.
            way_out: what a person can do if that port is taken.
            grace_s: how long nobody has to be there before it stops.

        Raises:
            UsageError: the port cannot be had.
        """
        self.site = Site(new_token(), {})
        self.attendance = Attendance(grace_s)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise UsageError(_port_refused(port, way_out, error)) from error

    def address(self, path: str = "") -> str:
        """Where a browser on this machine finds a resource."""
        return address(self.site.token, self.server_port, path)

    def serve_until_left(self) -> None:
        """Answers requests until somebody came and everybody has left."""
        while not self.attendance.is_over():
            self.handle_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that leaves in the middle of an answer is no error; anything else is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _port_refused(port: int, way_out: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program. Stop it, or {way_out}."
    return f"port {port} cannot be used: {error.strerror}. Instead, {way_out}."


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests; methods without a `do_` are refused by the base class."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "tp-tools"
    sys_version = ""
    timeout = _IDLE_S

    def do_GET(self) -> None:
        resource = self._asked_for()
        if resource is None:
            return
        if resource.attends:
            with self.server.attendance.present():
                self._answer(resource)
        else:
            self._answer(resource)

    def do_HEAD(self) -> None:
        resource = self._asked_for()
        if resource is not None:
            self._send_head(resource).close()

    def _asked_for(self) -> Resource | None:
        """The resource, if there is one and the browser may have it; else it has been refused."""
        if self._host().partition(":")[0] not in _NAMES_OF_THIS_MACHINE:
            self.send_error(HTTPStatus.FORBIDDEN, "Host is not this machine")
            return None
        if not self._is_own(self.headers.get("Origin")):
            self.send_error(HTTPStatus.FORBIDDEN, "Origin is not allowed")
            return None
        start, _, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        site = self.server.site
        known = site.resources.get(path)
        if known is None or not secrets.compare_digest(start.encode(), site.token.encode()):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return known

    def _host(self) -> str:
        return self.headers.get("Host", "")

    def _is_own(self, origin: str | None) -> bool:
        return origin in {None, f"http://{self._host()}", *self.server.site.origins}

    def _answer(self, resource: Resource) -> None:
        if resource.content is None:
            self._stay(resource)
            return
        with self._send_head(resource) as content:
            shutil.copyfileobj(content, self.wfile, _COPY)

    def _send_head(self, resource: Resource) -> BinaryIO:
        """Sends status and headers; gives the content that is to follow."""
        packed = resource.is_packed and "gzip" in self.headers.get("Accept-Encoding", "")
        try:
            content, length = _opened(resource.content, packed=packed)
        except OSError:
            self.send_error(HTTPStatus.GONE)  # the file went away since
            return BytesIO()
        self.send_response(HTTPStatus.FOUND if resource.location else HTTPStatus.OK)
        if resource.location:
            self.send_header("Location", resource.location)
        self.send_header("Content-Type", resource.mime)
        self.send_header("Content-Length", str(length))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self._send_caching(is_kept=resource.is_kept)
        self.end_headers()
        return content

    def _send_caching(self, *, is_kept: bool) -> None:
        kept = f"private, max-age={_YEAR_S}, immutable"
        self.send_header("Cache-Control", kept if is_kept else "no-store")

    def _stay(self, resource: Resource) -> None:
        """A stream of events without an event, until the browser closes it."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", resource.mime)
        self.send_header("Connection", "close")
        self._send_caching(is_kept=False)
        self.end_headers()
        self.connection.settimeout(_BEAT_S)
        while not self._has_closed():
            self.wfile.write(b":\n\n")

    def _has_closed(self) -> bool:
        """Whether the browser closes its end within a beat; it sends nothing else any more."""
        try:
            self.connection.recv(1)
        except TimeoutError:
            return False
        return True

    def end_headers(self) -> None:
        """Every answer, a refusal as well, carries the site's headers."""
        for name, value in self.server.site.headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Vary", "Origin, Accept-Encoding")
        origin = self.headers.get("Origin") if hasattr(self, "headers") else None
        if origin in self.server.site.origins:
            self.send_header("Access-Control-Allow-Origin", origin)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing: a terminal is for what matters."""


def _opened(content: Path | bytes | None, *, packed: bool) -> tuple[BinaryIO, int]:
    """The content as a file, and its length."""
    if isinstance(content, Path):
        if not packed:
            file = content.open("rb")
            return file, os.fstat(file.fileno()).st_size
        content = _packed_file(content)
    elif packed:
        content = igzip.compress(content or b"")
    content = content or b""
    return BytesIO(content), len(content)


@lru_cache(maxsize=64)
def _packed_file(path: Path) -> bytes:
    """Packed once: the largest of the UI, 11 MB of WebAssembly, takes 0.1 s."""
    return igzip.compress(path.read_bytes())
