"""The server answers a browser on this machine that knows the token, and nobody else."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tp_tools.errors import UsageError
from tp_tools.viewer.server import OpenPages, Server
from tp_tools.viewer.site import Resource, Site, new_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALLOWED_ORIGIN = "https://ui.perfetto.dev"
PAGE_STREAM = Resource("text/event-stream", None, holds_server=True)
PRIVATE = "not for the web"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Write a file larger than the copy buffer, beside a file that is not served."""
    (tmp_path / "secret.txt").write_text(PRIVATE)
    path = tmp_path / "trace.json"
    path.write_bytes(b'{"traceEvents": []}' * 100_000)
    return path


@pytest.fixture
def server(trace: Path) -> Iterator[Server]:
    """Run a server with a page, a trace and a stream in a thread."""
    resources = {
        "": Resource("text/html", b"<p>hello</p>" * 100, compress=True),
        "v1/code.js": Resource("text/javascript", b"1;" * 500, compress=True, is_immutable=True),
        "trace/trace.json": Resource(content=trace),
        "away": Resource(location="https://example.com/#there"),
        "alive": PAGE_STREAM,
    }
    headers = {"Content-Security-Policy": "default-src 'self'"}
    with serve(Site(new_token(), resources, headers, frozenset({ALLOWED_ORIGIN}))) as running:
        yield running


@contextmanager
def serve(site: Site, grace_s: float = 0.0) -> Iterator[Server]:
    """Serve the site in a thread while the block runs."""
    with Server(grace_s=grace_s) as server:
        server.site = site
        thread = threading.Thread(target=server.serve_until_closed)
        thread.start()
        yield server
        with server.pages.hold():  # all pages are closed at its end
            pass
        socket.create_connection(("127.0.0.1", server.server_port)).close()  # wakes the server up
        thread.join()


class Answer:
    """A complete answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def ask(
    server: Server, path: str = "", method: str = "GET", token: str | None = None, **headers: str
) -> Answer:
    """Request a path behind the token; `Accept_Encoding` stands for Accept-Encoding."""
    secret = server.site.token if token is None else token
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    with closing(connection):
        connection.request(method, f"/{secret}/{path}", headers=sent)
        return Answer(connection.getresponse())


def ask_raw(server: Server, request: str) -> bytes:
    """Send these bytes unchanged, which no HTTP client would; return the whole answer."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_a_file_is_sent_completely(server: Server, trace: Path) -> None:
    """A trace is sent byte for byte, with its length, by which the UI shows progress."""
    answer = ask(server, "trace/trace.json", Accept_Encoding="gzip")
    assert answer.status == 200
    assert answer.body == trace.read_bytes()
    assert answer.headers["Content-Length"] == str(trace.stat().st_size)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "Content-Encoding" not in answer.headers


def test_head_is_get_without_the_body(server: Server, trace: Path) -> None:
    """HEAD sends the length of the trace and no content."""
    answer = ask(server, "trace/trace.json", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(trace.stat().st_size)


@pytest.mark.parametrize("path", ["", "v1/code.js"])
def test_compressed_only_for_browsers_that_accept_gzip(server: Server, path: str) -> None:
    """Text is sent gzip-compressed if Accept-Encoding has gzip, else uncompressed."""
    plain, compressed = ask(server, path), ask(server, path, Accept_Encoding="br, gzip")
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed.body) == plain.body
    assert len(compressed.body) < len(plain.body)


def test_only_immutable_resources_are_cached(server: Server) -> None:
    """The browser may cache the UI's code, but not the page and the trace."""
    assert "immutable" in ask(server, "v1/code.js").headers["Cache-Control"]
    for path in ("", "trace/trace.json", "nothing"):
        assert "max-age" not in (ask(server, path).headers["Cache-Control"] or "")


def test_the_query_string_is_ignored(server: Server) -> None:
    """The part behind a question mark is for the page."""
    assert ask(server, "?testing=1").status == 200


def test_a_location_is_a_redirect(server: Server) -> None:
    """The browser is redirected, with the part behind the #."""
    answer = ask(server, "away")
    assert answer.status == 302
    assert answer.headers["Location"] == "https://example.com/#there"


@pytest.mark.parametrize("token", ["", "x", "A" * 22, "%2e%2e"])
def test_a_wrong_token_finds_nothing(server: Server, token: str) -> None:
    """Known and unknown paths get the same answer without the token."""
    known = ask(server, "trace/trace.json", token=token)
    unknown = ask(server, "nothing", token=token)
    assert (known.status, known.body) == (404, unknown.body)


@pytest.mark.parametrize(
    "path",
    [
        "trace/../../secret.txt",
        "trace/../secret.txt",
        "trace/%2e%2e/secret.txt",
        "trace/..%2fsecret.txt",
        "trace/..%5csecret.txt",
        "trace/..\\secret.txt",
        "trace//etc/passwd",
        "/etc/passwd",
        "trace/trace.json/../secret.txt",
        "trace/trace.json%00.html",
        "trace/",
        "trace",
        "v1/",
    ],
)
def test_paths_outside_the_table_are_refused(server: Server, path: str) -> None:
    """Paths with "..", encoded or not, and paths of folders find nothing, even with the token."""
    request = f"GET /{server.site.token}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = ask_raw(server, request)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert PRIVATE.encode() not in answer


def test_an_absolute_file_name_is_not_looked_up(server: Server, trace: Path) -> None:
    """The path of an existing file finds nothing."""
    secret = trace.with_name("secret.txt")
    for path in (f"/{server.site.token}{secret}", str(secret), f"file://{secret}"):
        answer = ask_raw(server, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404 "), path


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "192.168.0.1"],
)
def test_a_rebound_dns_name_is_refused(server: Server, host: str) -> None:
    """A page whose DNS name was rebound to this machine is refused, even with the token."""
    answer = ask(server, "trace/trace.json", Host=host)
    assert answer.status == 403
    assert b"traceEvents" not in answer.body


def test_a_request_without_a_host_is_refused(server: Server) -> None:
    """HTTP/1.0 allows requests without Host; they do not pass the check."""
    answer = ask_raw(server, f"GET /{server.site.token}/trace/trace.json HTTP/1.0\r\n\r\n")
    assert b" 403 " in answer.splitlines()[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:9001", "localhost"])
def test_any_port_in_host_is_allowed(server: Server, host: str) -> None:
    """Through `ssh -L` the browser may use another port than the server's."""
    assert ask(server, "trace/trace.json", Host=host).status == 200


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"]
)
def test_other_methods_are_refused(server: Server, trace: Path, method: str) -> None:
    """Only GET and HEAD are answered, and the trace is not changed."""
    before = trace.read_bytes()
    answer = ask(server, "trace/trace.json", method)
    assert answer.status == 501
    assert trace.read_bytes() == before


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://ui.perfetto.dev"]
)
def test_a_foreign_page_is_refused(server: Server, origin: str) -> None:
    """A page of another origin gets no content and no CORS header."""
    answer = ask(server, "trace/trace.json", Origin=origin)
    assert answer.status == 403
    assert b"traceEvents" not in answer.body
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_only_allowed_origins_may_read_answers(server: Server) -> None:
    """The allowed origin gets the CORS header; the server's own gets none."""
    assert (
        ask(server, "trace/trace.json", Origin=ALLOWED_ORIGIN).headers[
            "Access-Control-Allow-Origin"
        ]
        == ALLOWED_ORIGIN
    )
    own = f"http://127.0.0.1:{server.server_port}"
    for origin in ({}, {"Origin": own}):
        answer = ask(server, "trace/trace.json", **origin)
        assert answer.status == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_refusals_carry_the_same_headers(server: Server) -> None:
    """Every answer has the Content-Security-Policy, a refusal as well."""
    for answer in (ask(server), ask(server, "nothing"), ask(server, Host="evil.example")):
        assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_server_listens_on_loopback(server: Server) -> None:
    """The socket is bound to 127.0.0.1, not to all addresses of the machine."""
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_tokens_are_long_and_unique() -> None:
    """A hundred tokens differ, and each has 22 characters or more."""
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 22


def test_a_deleted_file_is_gone(server: Server, trace: Path) -> None:
    """A deleted trace is answered with 410, and the server goes on."""
    trace.unlink()
    assert ask(server, "trace/trace.json").status == 410
    assert ask(server).status == 200


def test_an_aborted_download_is_no_error(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """A connection that the browser closes early prints nothing."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        path = f"/{server.site.token}/trace/trace.json"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        connection.recv(100)
    assert ask(server).status == 200
    assert capfd.readouterr() == ("", "")


def test_a_taken_port_is_refused() -> None:
    """The message names the port and the way out."""
    with Server() as first, pytest.raises(UsageError) as refused:
        Server(first.server_port)
    assert str(refused.value) == (
        f"port {first.server_port} is taken by another program. Stop it, or choose another port."
    )


def test_the_server_stops_when_the_page_closes(trace: Path) -> None:
    """The server runs while a page's stream is open, and stops when it closes."""
    site = Site("t", {"": Resource(content=trace), "alive": PAGE_STREAM})
    with Server(grace_s=0.0) as server:
        server.site = site
        thread = threading.Thread(target=server.serve_until_closed)
        thread.start()
        page = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        with closing(page):
            page.request("GET", "/t/alive")
            with page.getresponse() as stream:
                assert stream.headers["Content-Type"] == "text/event-stream"
                assert ask(server).status == 200
                assert thread.is_alive()
        thread.join(timeout=60)
        assert not thread.is_alive()


def test_the_server_waits_for_a_first_page() -> None:
    """Pages are not all closed before one was opened."""
    assert not OpenPages(0.0).all_closed()


def test_reloading_does_not_stop_the_server() -> None:
    """Pages count as closed only after the grace period; without one, at once."""
    patient, hasty = OpenPages(3600.0), OpenPages(-1.0)
    for pages in (patient, hasty):
        with pages.hold(), pages.hold():
            pass
    assert not patient.all_closed()
    assert hasty.all_closed()


def test_one_of_two_pages_holds_the_server() -> None:
    """Closing one of two pages does not count as all closed."""
    pages = OpenPages(-1.0)
    with pages.hold():
        with pages.hold():
            pass
        assert not pages.all_closed()
    assert pages.all_closed()
