"""Makes the pictures of docs/report.md in Chromium: `python -m docs.report_picture`.

Eight generated ranks, each on a clock of its own, some of them late now and then; and the trace of
the README, of which Perfetto would hide kernels.
"""

import tempfile
from pathlib import Path

from fixtures.make import HERE as FIXTURES
from tests.support.pages import generated, made, shown
from tests.support.perfetto_ui import launch_browser

IMAGES = Path(__file__).parent / "img"
WIDTH, HEIGHT = 1280, 1150


def main() -> None:
    """Write docs/img/report.png, report-skew.png and report-hidden.png."""
    with tempfile.TemporaryDirectory() as name, launch_browser() as browser:
        folder = Path(name)
        job = made(folder, *generated(folder / "job", 8, 30, straggling=0.1, latest=400_000))
        with shown(browser, job) as report:
            report.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            report.page.screenshot(path=IMAGES / "report.png")
        with shown(browser, job, scheme="dark") as report:
            report.page.locator("#skew").screenshot(path=IMAGES / "report-skew.png")
        one = made(folder, FIXTURES / "pdl_decode.json.gz")
        with shown(browser, one) as report:
            report.page.locator("#hidden").screenshot(path=IMAGES / "report-hidden.png")


if __name__ == "__main__":
    main()
