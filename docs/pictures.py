"""Makes the README's pictures in the real Perfetto UI: `python -m docs.pictures`, from the root.

Both show the same moment of `fixtures/pdl_decode.json.gz`: as recorded, and after `tp-tools fix`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.make import HERE as FIXTURES
from fixtures.make import truth_of
from tests.support.perfetto_ui import PerfettoUi, launch_browser, open_trace, serve_ui

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

IMAGES = Path(__file__).parent / "img"
FIXTURE = "pdl_decode.json.gz"
TP_TOOLS = Path(sys.executable).with_name("tp-tools")
WIDTH, HEIGHT, SCALE = 1000, 360, 2
DRAWER = 70  # the bar under the timeline, which is cut off
BEFORE_NS, AFTER_NS = 30_000, 106_000  # of context around the hidden kernel

MARK = """
    ([start, end, text]) => {
        const trace = self.app.trace;
        trace.timeline.timestampFormat = 'microseconds';
        trace.notes.addSpanNote(
            {start: BigInt(start), end: BigInt(end), color: '#d32f2f', text});
    }
"""


def take(ui: PerfettoUi, target: Path) -> None:
    """Take one picture: the streams of the GPU around the first hidden kernel, which is marked."""
    kernel = truth_of(FIXTURE)["hidden"][0]
    start, end = kernel["ts"], kernel["ts"] + kernel["dur"]
    ui.command("dev.perfetto.ToggleLeftSidebar")
    ui.page.evaluate(MARK, [str(start), str(end), f"{kernel['dur'] / 1000:.1f} us kernel"])
    ui.show_only("stream")
    ui.zoom(start - BEFORE_NS, end + AFTER_NS)
    ui.page.mouse.move(0, 0)
    ui.page.screenshot(path=target, clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})


def main() -> None:
    """Write docs/img/before.png and docs/img/after.png."""
    with tempfile.TemporaryDirectory() as folder:
        fixed = Path(folder) / "pdl_decode.fixed.json.gz"
        subprocess.run([TP_TOOLS, "fix", FIXTURES / FIXTURE, "-o", fixed], check=True)
        traces = {"before.png": FIXTURES / FIXTURE, "after.png": fixed}
        with serve_ui() as server, launch_browser() as browser:
            for name, trace in traces.items():
                size: ViewportSize = {"width": WIDTH, "height": HEIGHT + DRAWER}
                with open_trace(browser, server, trace, size, SCALE) as ui:
                    take(ui, IMAGES / name)


if __name__ == "__main__":
    main()
