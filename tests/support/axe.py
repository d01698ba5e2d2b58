"""Run axe-core on a page: what would keep people from reading it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

PACKAGE = "axe_playwright_python"

# A table has up to 100 rows, a plot up to 20 bars, and axe looks at every element of each: those of
# the same elements, classes and colours differ by their text alone. All are put back in order.
_RUN = """async () => {
    const bodies = [...document.querySelectorAll('tbody, .bars')];
    const wholes = bodies.map(body => [body, [...body.children]]);
    for (const [body, rows] of wholes) {
        const times = {};
        body.replaceChildren(...rows.filter(row => {
            const built = [row, ...row.querySelectorAll('*')].map(({tagName, classList, style}) =>
                [tagName, classList, style.color, style.background]);
            times[built] = (times[built] ?? 0) + 1;
            return times[built] <= 2;
        }));
    }
    try { return await axe.run(document, {resultTypes: ['violations']}); }
    finally { for (const [body, rows] of wholes) body.replaceChildren(...rows); }
}"""


def faults(page: Page) -> list[str]:
    """Describe what axe-core finds: its weight, its rule, and the first element.

    Of the rows of a table, or the bars of a plot, that are built alike it sees the first two.
    """
    session = page.context.new_cdp_session(page)
    # a page's own policy holds for scripts in it, not for those of its debugger
    session.send("Runtime.evaluate", {"expression": f"{_script()}; 0"})
    found: dict[str, Any] = page.evaluate(_RUN)
    return [
        f"{it['impact']}: {it['id']}: {it['nodes'][0]['html'][:200]}" for it in found["violations"]
    ]


def _script() -> str:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        reason = f"axe-core is missing: pip install {PACKAGE.replace('_', '-')}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, and CI is set")
        pytest.skip(reason)
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text("utf-8")
