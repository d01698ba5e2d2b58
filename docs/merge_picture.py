"""Makes the picture of docs/merge.md in the real Perfetto UI: `python -m docs.merge_picture`.

Four generated ranks, each on a clock of its own and one of them late, merged by `tp-tools merge`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.generate_ranks import Wishes, generate, structure, written
from fixtures.make import HERE as FIXTURES
from tests.support.perfetto_ui import PerfettoUi, launch_browser, open_trace, serve_ui

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

TARGET = Path(__file__).parent / "img" / "merge.png"
TP_TOOLS = Path(sys.executable).with_name("tp-tools")
WIDTH, HEIGHT, SCALE = 1100, 500, 2
DRAWER = 70  # the bar under the timeline, which is cut off
AROUND_NS = 150_000

LATE = """
SELECT ts, dur, EXTRACT_ARG(arg_set_id, 'args.tpt_collective') AS number FROM slice
WHERE category = 'collective' AND EXTRACT_ARG(arg_set_id, 'args.skew_us') BETWEEN 200 AND 2000
ORDER BY ts LIMIT 1 OFFSET 5
"""
FIRST = """
SELECT id FROM slice WHERE category = 'kernel'
AND EXTRACT_ARG(arg_set_id, 'args.tpt_collective') = {} ORDER BY ts LIMIT 1
"""


def take(ui: PerfettoUi) -> None:
    """Take the picture: a collective that waits for its straggler, with its arrows."""
    (late,) = ui.query(LATE)
    (kernel,) = ui.query(FIRST.format(late["number"]))
    ui.page.evaluate("location.hash = '#!/viewer'")
    ui.command("dev.perfetto.ToggleLeftSidebar")
    ui.command("dev.perfetto.ExpandAllGroups")
    ui.command("dev.perfetto.PinTracksByRegex", "^ranks 0-3")
    # v52 pins the group of the row as well, without anything in it; `tp-tools view` takes that back
    ui.page.evaluate(
        """() => {
            const {workspace} = self.app.trace;
            workspace.flatTracks.filter(it => it.headless).forEach(it => workspace.unpinTrack(it));
        }"""
    )
    ui.page.evaluate("id => self.app.trace.selection.selectSqlEvent('slice', id)", kernel["id"])
    ui.wait_idle()
    ui.page.evaluate("() => self.app.trace.tabs.hideTab?.('current_selection')")
    ui.zoom(late["ts"] - AROUND_NS, late["ts"] + late["dur"] + AROUND_NS)
    ui.page.mouse.move(0, 0)
    ui.page.screenshot(path=TARGET, clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})


def main() -> None:
    """Write docs/img/merge.png."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        step = structure(FIXTURES / "pdl_decode.json.gz")
        # as many slices on every rank: v52, which ships with tp-tools, sorts processes by that
        wishes = Wishes(
            ranks=4, steps=12, latest=1_000_000, straggling=0.3, seed=4, cut=0, lossy_rank=None
        )
        files = list(written(generate(step, wishes), folder))
        merged = folder / "all.json.gz"
        subprocess.run([TP_TOOLS, "merge", *files, "-o", merged, "--gpu-only"], check=True)
        size: ViewportSize = {"width": WIDTH, "height": HEIGHT + DRAWER + 300}
        with (
            serve_ui() as server,
            launch_browser() as browser,
            open_trace(browser, server, merged, size, SCALE) as ui,
        ):
            take(ui)


if __name__ == "__main__":
    main()
