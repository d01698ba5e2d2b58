"""The UI in a frame of a page of this machine, as notebooks have it, and of no other page."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

import tp_tools
from fixtures.make import HERE, truth_of
from tests.support.perfetto_ui import LOAD_TIMEOUT_MS, RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

DECODE = HERE / "pdl_decode.json.gz"
KERNELS = "SELECT COUNT(*) AS n FROM slice WHERE category = 'kernel'"


@contextmanager
def served(page: str) -> Iterator[int]:
    """Serve a page, as a notebook's server does; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_notebook_shows_the_trace(browser: Browser) -> None:
    """A page of localhost has the UI in its frame, with every kernel; another page has an error."""
    with (
        tp_tools.view(DECODE) as shown,
        served(shown._repr_html_()) as port,
        closing(browser.new_context()) as context,
    ):
        context.set_default_timeout(LOAD_TIMEOUT_MS)
        page = context.new_page()
        page.goto(f"http://localhost:{port}/")
        frame = page.frames[1]
        frame.wait_for_function("() => self.app?.trace && !self.app.isLoadingTrace")
        (row,) = frame.evaluate(RUN, KERNELS)
        assert int(row["n"]) == truth_of(DECODE.name)["by_category"]["kernel"]
        html = shown._repr_html_()
        context.route(
            "https://evil.example/", lambda it: it.fulfill(body=html, content_type="text/html")
        )
        page.goto("https://evil.example/")
        page.wait_for_load_state()
        assert "chrome-error" in page.frames[1].url
