"""Makes the picture of docs/view.md in the real UI: `python -m docs.view_picture`."""

from pathlib import Path

from fixtures.make import HERE as FIXTURES
from tests.support.perfetto_ui import PerfettoUi, launch_browser
from tests.support.viewing import viewing

IMAGE = Path(__file__).parent / "img" / "view.png"
FIXTURE = FIXTURES / "pdl_decode.json.gz"
WIDTH, HEIGHT, SCALE = 1200, 900, 1


def main() -> None:
    """Write docs/img/view.png: what `tp-tools view` shows without a click."""
    with viewing(FIXTURE) as view, launch_browser() as browser:
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE
        )
        ui = PerfettoUi(context.new_page())
        ui.open(f"{view.address}?testing=1")
        ui.command("dev.perfetto.ToggleLeftSidebar")
        ui.page.mouse.move(0, 0)
        ui.page.screenshot(path=IMAGE)
        context.close()


if __name__ == "__main__":
    main()
