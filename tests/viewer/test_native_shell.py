"""A trace that a native shell holds: what the shell is told, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE
from tests.support.command_line import TpTools
from tests.support.programs import program
from tests.support.viewing import SECONDS, viewing
from tp_tools.engine.shell import free_port, is_open
from tp_tools.errors import EngineUnavailable, UsageError
from tp_tools.viewer.native_shell import PAGE_PORT, RPC_PORT, serving, shell_of

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"

LISTENS = """\
import http.server, pathlib, sys
pathlib.Path(__file__).with_suffix(".args").write_text("\\n".join(sys.argv[1:]))
port = int(sys.argv[sys.argv.index("--http-port") + 1])
http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler).serve_forever()
"""
ENDS = "raise SystemExit('cannot read the trace')"


def test_it_gets_the_trace_and_ends_with_the_block(tmp_path: Path) -> None:
    """It listens while the block runs, and no longer."""
    port = free_port()
    with serving(program(tmp_path, LISTENS), DECODE, port):
        assert is_open(port)
    assert not is_open(port)
    given = (tmp_path / "shell.args").read_text().splitlines()
    assert given == ["-D", "--http-port", str(port), str(DECODE)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not end it")
def test_it_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL lets nobody clean up, so the system ends the shell: no port stays taken."""
    port = free_port()
    killed = (
        "import os, pathlib, signal\n"
        "from tp_tools.viewer.native_shell import serving\n"
        f"shell = pathlib.Path({str(program(tmp_path, LISTENS))!r})\n"
        f"with serving(shell, pathlib.Path('trace'), {port}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", killed], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "shell.args").exists()
    deadline = time.monotonic() + SECONDS
    while is_open(port) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_open(port)


def test_a_program_that_cannot_run_is_named(tmp_path: Path) -> None:
    """Not a shell of this machine: what the system says of it."""
    path = tmp_path / "shell"
    path.write_bytes(b"\x7fELF of another machine")
    path.chmod(0o755)
    with (
        pytest.raises(EngineUnavailable, match=f"^{path} ended: Exec format error$"),
        serving(path, DECODE, free_port()),
    ):
        pass


def test_a_shell_that_ends_is_quoted(tmp_path: Path) -> None:
    """The error has its last words."""
    with (
        pytest.raises(EngineUnavailable, match="cannot read the trace"),
        serving(program(tmp_path, ENDS), DECODE, free_port()),
    ):
        pass


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    """Another shell may hold another trace there."""
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(UsageError, match="is taken by another program"),
        serving(program(tmp_path, LISTENS), DECODE, other.getsockname()[1]),
    ):
        pass


def test_the_shell_is_the_one_that_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """By --engine, else by the environment; where none is, the command says how."""
    path = program(tmp_path, LISTENS)
    assert shell_of(str(path)) == path
    monkeypatch.setenv("TP_TOOLS_ENGINE", str(path))
    assert shell_of(None) == path
    monkeypatch.delenv("TP_TOOLS_ENGINE")
    ran = TpTools(capsysbinary)("view", DECODE, "--native", "--no-browser")
    assert ran.code == 2
    assert "--native wants a trace_processor_shell" in ran.err


def test_the_page_asks_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may connect to port 9001 and gets no trace from the server; Ctrl-C ends the shell, too."""
    if is_open(RPC_PORT) or is_open(PAGE_PORT):
        pytest.skip(f"ports {RPC_PORT} and {PAGE_PORT} are those of --native; one is taken")
    monkeypatch.delenv("TP_TOOLS_ENGINE", raising=False)
    with viewing(DECODE, "--raw", "--native", "--engine", program(tmp_path, LISTENS)) as view:
        assert f":{PAGE_PORT}/" in view.address
        assert view.data("trace") == ""
        with urllib.request.urlopen(view.address, timeout=SECONDS) as answer:  # noqa: S310  its own
            assert f"ws://127.0.0.1:{RPC_PORT}" in answer.headers["Content-Security-Policy"]
        assert (tmp_path / "shell.args").read_text().endswith(str(DECODE))
        view.end(signal.SIGINT)
        assert not is_open(RPC_PORT)
