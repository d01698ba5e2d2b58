"""Serve a `Site` to a browser on this machine, and to nobody else.

Each of these keeps others out by itself:

    loopback        the server listens on 127.0.0.1 only
    token           every path begins with 128 random bits
    table           paths are looked up as received, never decoded or joined to a folder
    Host            must name this machine, so that a DNS name rebound to it is refused
    Origin          pages of other origins are refused, except those that the site names
    GET and HEAD    no request changes anything
    headers         other pages may not frame, embed or sniff the answers

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
"""Seconds without an open page after which the server stops; reloading a page takes less."""

_NAMES_OF_THIS_MACHINE = (LOOPBACK, "localhost")
_POLL_S = 0.25
_BEAT_S = 15.0  # between comments on an event stream, which keep proxies from closing it
_IDLE_S = 60.0
_YEAR_S = 365 * 86_400
_COPY_BYTES = 1 << 20


class OpenPages:
    """Count the open pages, and tell when all have been closed for a grace period."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._lock = threading.Lock()
        self._count = 0
        self._last_closed: float | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Count a page as open while the block runs."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                self._last_closed = time.monotonic()

    def all_closed(self) -> bool:
        """Check whether a page was opened and none has been open for the grace period."""
        with self._lock:
            if self._count or self._last_closed is None:
                return False
            return time.monotonic() - self._last_closed > self._grace_s


class Server(ThreadingHTTPServer):
    """Serve a site until its pages are closed; as a context manager, free the port at the end.

    Attributes:
        site: the site that is served; without resources at first.
        pages: the count of open pages.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows two programs could share the port
    timeout = _POLL_S

    def __init__(
        self,
        port: int = ANY_PORT,
        advice: str = "choose another port",
        grace_s: float = GRACE_S,
    ) -> None:
        """Start to listen; requests wait until `serve_until_closed` is called.

        Args:
            port: port to listen on.
            advice: end of the error message if the port cannot be used.
            grace_s: seconds without an open page after which the server stops.

        Raises:
            UsageError: the port is taken, or may not be used.
        """
        self.site = Site(new_token(), {})
        self.pages = OpenPages(grace_s)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise UsageError(_port_error(port, advice, error)) from error

    def address(self, path: str = "") -> str:
        """Return the URL of a resource of the site."""
        return address(self.site.token, self.server_port, path)

    def serve_until_closed(self) -> None:
        """Answer requests until a page was opened and all pages are closed."""
        while not self.pages.all_closed():
            self.handle_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Print errors, except for connections that the browser closed during an answer."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _port_error(port: int, advice: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program. Stop it, or {advice}."
    return f"port {port} cannot be used: {error.strerror}. Instead, {advice}."


class _Handler(BaseHTTPRequestHandler):
    """Answer the requests of one connection; the base class refuses methods without a `do_`."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "tp-tools"
    sys_version = ""
    timeout = _IDLE_S

    def do_GET(self) -> None:
        resource = self._find_resource()
        if resource is None:
            return
        if resource.holds_server:
            with self.server.pages.hold():
                self._answer(resource)
        else:
            self._answer(resource)

    def do_HEAD(self) -> None:
        resource = self._find_resource()
        if resource is not None:
            self._send_head(resource).close()

    def _find_resource(self) -> Resource | None:
        """Check the request and look up its path; send an error and return None if refused."""
        if self._host().partition(":")[0] not in _NAMES_OF_THIS_MACHINE:
            self.send_error(HTTPStatus.FORBIDDEN, "Host is not this machine")
            return None
        if not self._allows(self.headers.get("Origin")):
            self.send_error(HTTPStatus.FORBIDDEN, "Origin is not allowed")
            return None
        start, _, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        site = self.server.site
        resource = site.resources.get(path)
        if resource is None or not secrets.compare_digest(start.encode(), site.token.encode()):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return resource

    def _host(self) -> str:
        return self.headers.get("Host", "")

    def _allows(self, origin: str | None) -> bool:
        return origin in {None, f"http://{self._host()}", *self.server.site.origins}

    def _answer(self, resource: Resource) -> None:
        if resource.content is None:
            self._send_stream(resource)
            return
        with self._send_head(resource) as content:
            shutil.copyfileobj(content, self.wfile, _COPY_BYTES)

    def _send_head(self, resource: Resource) -> BinaryIO:
        """Send status and headers; return the content that follows them."""
        compress = resource.compress and "gzip" in self.headers.get("Accept-Encoding", "")
        try:
            content, length = _open_content(resource.content, compress=compress)
        except OSError:
            self.send_error(HTTPStatus.GONE)  # the file has been deleted
            return BytesIO()
        self.send_response(HTTPStatus.FOUND if resource.location else HTTPStatus.OK)
        if resource.location:
            self.send_header("Location", resource.location)
        self.send_header("Content-Type", resource.mime)
        self.send_header("Content-Length", str(length))
        if compress:
            self.send_header("Content-Encoding", "gzip")
        self._send_caching(is_immutable=resource.is_immutable)
        self.end_headers()
        return content

    def _send_caching(self, *, is_immutable: bool) -> None:
        forever = f"private, max-age={_YEAR_S}, immutable"
        self.send_header("Cache-Control", forever if is_immutable else "no-store")

    def _send_stream(self, resource: Resource) -> None:
        """Send a stream of events without an event, until the browser closes it."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", resource.mime)
        self.send_header("Connection", "close")
        self._send_caching(is_immutable=False)
        self.end_headers()
        self.connection.settimeout(_BEAT_S)
        while not self._has_closed():
            self.wfile.write(b":\n\n")

    def _has_closed(self) -> bool:
        """Wait for a beat, and check whether the browser has closed the connection.

        A browser sends nothing behind its request, so receiving ends only when it closes.
        """
        try:
            self.connection.recv(1)
        except TimeoutError:
            return False
        return True

    def end_headers(self) -> None:
        """Add the site's headers to every answer, refusals as well."""
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
        """Write no log of requests to the terminal."""


def _open_content(content: Path | bytes | None, *, compress: bool) -> tuple[BinaryIO, int]:
    """Open the content as a file; return it with its length in bytes."""
    if isinstance(content, Path):
        if not compress:
            file = content.open("rb")
            return file, os.fstat(file.fileno()).st_size
        content = _compress_file(content)
    elif compress:
        content = igzip.compress(content or b"")
    content = content or b""
    return BytesIO(content), len(content)


@lru_cache(maxsize=64)
def _compress_file(path: Path) -> bytes:
    """Compress a file of the UI once; the largest, 11 MB of WebAssembly, takes 0.1 s."""
    return igzip.compress(path.read_bytes())
