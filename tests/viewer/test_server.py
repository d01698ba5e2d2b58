"""The server gives one browser what it is to have, and everybody else nothing."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tp_tools.errors import UsageError
from tp_tools.viewer.server import Attendance, Server
from tp_tools.viewer.site import Resource, Site, new_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRIEND = "https://ui.perfetto.dev"
ALIVE = Resource("text/event-stream", None, attends=True)
PRIVATE = "not for the web"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file larger than what is copied at a time, beside one that is not served."""
    (tmp_path / "secret.txt").write_text(PRIVATE)
    path = tmp_path / "trace.json"
    path.write_bytes(b'{"traceEvents": []}' * 100_000)
    return path


@pytest.fixture
def server(trace: Path) -> Iterator[Server]:
    """A server with one page, one trace and a stream, in a thread of its own."""
    resources = {
        "": Resource("text/html", b"<p>hello</p>" * 100, is_packed=True),
        "v1/code.js": Resource("text/javascript", b"1;" * 500, is_packed=True, is_kept=True),
        "trace/trace.json": Resource(content=trace),
        "away": Resource(location="https://example.com/#there"),
        "alive": ALIVE,
    }
    headers = {"Content-Security-Policy": "default-src 'self'"}
    with served(Site(new_token(), resources, headers, frozenset({FRIEND}))) as running:
        yield running


@contextmanager
def served(site: Site, grace_s: float = 0.0) -> Iterator[Server]:
    """Serves it while the block runs, or until everybody has left."""
    with Server(grace_s=grace_s) as server:
        server.site = site
        thread = threading.Thread(target=server.serve_until_left)
        thread.start()
        yield server
        with server.attendance.present():  # nobody is left behind this
            pass
        socket.create_connection(("127.0.0.1", server.server_port)).close()  # wakes it up
        thread.join()


class Answer:
    """A whole answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def ask(
    server: Server, path: str = "", method: str = "GET", token: str | None = None, **headers: str
) -> Answer:
    """Asks for a path behind the token; `Accept_Encoding` stands for Accept-Encoding."""
    secret = server.site.token if token is None else token
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    with closing(connection):
        connection.request(method, f"/{secret}/{path}", headers=sent)
        return Answer(connection.getresponse())


def ask_raw(server: Server, request: str) -> bytes:
    """Sends these bytes, and nothing that a client would make of them; the whole answer."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_a_file_comes_whole(server: Server, trace: Path) -> None:
    """A trace comes byte for byte, with its length, so that the UI can show how far it is."""
    answer = ask(server, "trace/trace.json", Accept_Encoding="gzip")
    assert answer.status == 200
    assert answer.body == trace.read_bytes()
    assert answer.headers["Content-Length"] == str(trace.stat().st_size)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "Content-Encoding" not in answer.headers


def test_head_is_get_without_the_body(server: Server, trace: Path) -> None:
    """HEAD says how long the trace is and sends none of it."""
    answer = ask(server, "trace/trace.json", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(trace.stat().st_size)


@pytest.mark.parametrize("path", ["", "v1/code.js"])
def test_packed_only_for_those_who_take_it(server: Server, path: str) -> None:
    """Text is sent gzip-compressed where the browser says that it unpacks that, else as it is."""
    plain, packed = ask(server, path), ask(server, path, Accept_Encoding="br, gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body)


def test_a_browser_keeps_only_what_never_changes(server: Server) -> None:
    """The UI's code may be kept, the page and the trace may not."""
    assert "immutable" in ask(server, "v1/code.js").headers["Cache-Control"]
    for path in ("", "trace/trace.json", "nothing"):
        assert "max-age" not in (ask(server, path).headers["Cache-Control"] or "")


def test_a_query_string_is_no_part_of_the_path(server: Server) -> None:
    """What follows a question mark is for the page and not for the server."""
    assert ask(server, "?testing=1").status == 200


def test_on_to_another_address(server: Server) -> None:
    """A browser is sent on, with what stands behind the #."""
    answer = ask(server, "away")
    assert answer.status == 302
    assert answer.headers["Location"] == "https://example.com/#there"


@pytest.mark.parametrize("token", ["", "x", "A" * 22, "%2e%2e"])
def test_a_wrong_token_finds_nothing(server: Server, token: str) -> None:
    """Who does not know the token learns not even which paths there are."""
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
def test_no_way_out_of_the_table(server: Server, path: str) -> None:
    """Paths that climb, decode to a climb or name a folder find nothing, even with the token."""
    request = f"GET /{server.site.token}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = ask_raw(server, request)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert PRIVATE.encode() not in answer


def test_an_absolute_file_name_is_not_looked_up(server: Server, trace: Path) -> None:
    """The path of a file that exists finds nothing."""
    secret = trace.with_name("secret.txt")
    for path in (f"/{server.site.token}{secret}", str(secret), f"file://{secret}"):
        answer = ask_raw(server, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404 "), path


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "192.168.0.1"],
)
def test_a_rebound_name_gets_nothing(server: Server, host: str) -> None:
    """A page whose DNS name was rebound to this machine is refused, even with the token."""
    answer = ask(server, "trace/trace.json", Host=host)
    assert answer.status == 403
    assert b"traceEvents" not in answer.body


def test_a_request_without_a_host_gets_nothing(server: Server) -> None:
    """HTTP/1.0 lets a client leave Host out; that is no way around it."""
    answer = ask_raw(server, f"GET /{server.site.token}/trace/trace.json HTTP/1.0\r\n\r\n")
    assert b" 403 " in answer.splitlines()[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:9001", "localhost"])
def test_tunnels_may_end_at_another_port(server: Server, host: str) -> None:
    """Through `ssh -L` the browser may see this machine at another port than the server does."""
    assert ask(server, "trace/trace.json", Host=host).status == 200


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"]
)
def test_other_methods_are_refused(server: Server, trace: Path, method: str) -> None:
    """Nothing but GET and HEAD is answered, and the trace stays as it was."""
    before = trace.read_bytes()
    answer = ask(server, "trace/trace.json", method)
    assert answer.status == 501
    assert trace.read_bytes() == before


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://ui.perfetto.dev"]
)
def test_a_foreign_page_is_refused(server: Server, origin: str) -> None:
    """A page of another origin gets no answer and no leave to read one."""
    answer = ask(server, "trace/trace.json", Origin=origin)
    assert answer.status == 403
    assert b"traceEvents" not in answer.body
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_only_friends_may_read_across_origins(server: Server) -> None:
    """The origin that was let in may read, and it alone is named."""
    assert (
        ask(server, "trace/trace.json", Origin=FRIEND).headers["Access-Control-Allow-Origin"]
        == FRIEND
    )
    own = f"http://127.0.0.1:{server.server_port}"
    for origin in ({}, {"Origin": own}):
        answer = ask(server, "trace/trace.json", **origin)
        assert answer.status == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_refusals_carry_the_same_headers(server: Server) -> None:
    """The policy stands on every answer, a refusal as well."""
    for answer in (ask(server), ask(server, "nothing"), ask(server, Host="evil.example")):
        assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_only_this_machine_is_listened_to(server: Server) -> None:
    """The socket is bound to 127.0.0.1, not to every address that the machine has."""
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_no_two_sites_have_one_token() -> None:
    """Tokens are long and never the same."""
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 22


def test_a_file_that_went_away(server: Server, trace: Path) -> None:
    """A trace that was deleted since is answered for, and the server goes on."""
    trace.unlink()
    assert ask(server, "trace/trace.json").status == 410
    assert ask(server).status == 200


def test_a_browser_that_leaves_early_is_no_error(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    """A download that the browser breaks off prints nothing."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        path = f"/{server.site.token}/trace/trace.json"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        connection.recv(100)
    assert ask(server).status == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken() -> None:
    """The message says which port and what to do."""
    with Server() as first, pytest.raises(UsageError) as refused:
        Server(first.server_port)
    assert str(refused.value) == (
        f"port {first.server_port} is taken by another program. Stop it, or choose another port."
    )


def test_it_stops_when_the_page_closes(trace: Path) -> None:
    """The server runs while a page's stream is open, and ends by itself when it closes."""
    site = Site("t", {"": Resource(content=trace), "alive": ALIVE})
    with Server(grace_s=0.0) as server:
        server.site = site
        thread = threading.Thread(target=server.serve_until_left)
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


def test_nobody_came_yet() -> None:
    """A server that nobody has come to waits."""
    assert not Attendance(0.0).is_over()


def test_reloading_is_not_leaving() -> None:
    """Who comes back within the grace was never gone; without any it is over at once."""
    patient, hasty = Attendance(3600.0), Attendance(-1.0)
    for attendance in (patient, hasty):
        with attendance.present(), attendance.present():
            pass
    assert not patient.is_over()
    assert hasty.is_over()


def test_one_of_two_pages_is_enough() -> None:
    """Closing one of two pages ends nothing."""
    attendance = Attendance(-1.0)
    with attendance.present():
        with attendance.present():
            pass
        assert not attendance.is_over()
    assert attendance.is_over()
