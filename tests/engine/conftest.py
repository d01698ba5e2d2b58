"""A stand-in for the native shell, where there is none."""

import stat
import sys
from pathlib import Path

import pytest

STAND_IN_SHELL = '''\
#!{python}
"""Answers as a trace_processor_shell does, from the embedded engine."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from tp_tools.engine._perfetto import PlatformDelegate, ProtoFactory
from tp_tools.engine.wasm import EmbeddedBackend
from tp_tools.progress import SILENT

backend = EmbeddedBackend(
    ProtoFactory(PlatformDelegate()), bits=32, memory_limit=None, reporter=SILENT
)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(b"")

    def do_POST(self):
        request = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/rpc"
        if b"please die" in request:
            sys.stdout.flush()
            os_kill()
        self.reply(backend._exchange(request))

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def os_kill():
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)


port = int(sys.argv[sys.argv.index("--http-port") + 1])
HTTPServer(("localhost", port), Handler).serve_forever()
'''


@pytest.fixture(scope="session")
def stand_in_shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executable that answers like a native shell; a query with "please die" kills it."""
    path: Path = tmp_path_factory.mktemp("shell") / "trace_processor_shell"
    path.write_text(STAND_IN_SHELL.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
