"""Makes the picture of docs/pftrace.md: `python -m docs.pftrace_picture`, from the root.

`fixtures/pdl_decode.json.gz` as `.pftrace` in the real Perfetto UI: a kernel that was moved is
selected, so that the arrow from its launch is drawn.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from docs.pictures import FIXTURE, IMAGES, TP_TOOLS
from fixtures.make import HERE as FIXTURES
from fixtures.make import truth_of
from tests.support.perfetto_ui import PerfettoUi, launch_browser, open_trace, serve_ui

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

WIDTH, HEIGHT, SCALE = 1200, 468, 2
DRAWER = 362  # what the selection opens under the timeline, which is cut off
AROUND_NS = 25_000

ROWS = "thread 4123,stream"

LAUNCH = """
SELECT kernel.id, launch.ts
FROM slice AS kernel
JOIN flow ON flow.slice_in = kernel.id
JOIN slice AS launch ON launch.id = flow.slice_out
WHERE kernel.ts = {} AND kernel.category = 'kernel'
"""
SELECT = "id => self.app.trace.selection.selectSqlEvent('slice', id)"


def take(ui: PerfettoUi, target: Path) -> None:
    """Take the picture: the first moved kernel, its stream, its launch and the arrow."""
    kernel = truth_of(FIXTURE)["moved"][0]
    (found,) = ui.query(LAUNCH.format(kernel["ts"]))
    ui.rows()
    ui.command("dev.perfetto.ToggleLeftSidebar")
    ui.page.evaluate("() => { self.app.trace.timeline.timestampFormat = 'microseconds'; }")
    ui.show_only(ROWS)
    ui.page.evaluate(SELECT, found["id"])
    ui.zoom(found["ts"] - AROUND_NS, kernel["ts"] + kernel["dur"] + AROUND_NS)
    ui.page.mouse.move(0, 0)
    ui.page.screenshot(path=target, clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})


def main() -> None:
    """Write docs/img/pftrace.png."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "pdl_decode.pftrace"
        subprocess.run([TP_TOOLS, "fix", FIXTURES / FIXTURE, "-o", trace], check=True)
        size: ViewportSize = {"width": WIDTH, "height": HEIGHT + DRAWER}
        with (
            serve_ui() as server,
            launch_browser() as browser,
            open_trace(browser, server, trace, size, SCALE) as ui,
        ):
            take(ui, IMAGES / "pftrace.png")


if __name__ == "__main__":
    main()
