"""The extension server in the real UI: its SQL and its macros do there what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.make import HERE
from tests.support.command_line import TpTools
from tp_tools.library import extension

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.perfetto_ui import PerfettoUi

pytestmark = pytest.mark.browser

TRACE = HERE / "pdl_decode.json.gz"
REGISTER = """modules =>
    self.app.trace.engine.engine.registerSqlPackages({name: "tpt", modules})"""
"""Registers a package as the UI does (v54 and later) with what a server gave it."""

PINNED = "() => self.app.trace.workspace.pinnedTracks.map(track => track.title ?? track.name)"


def served(path: str) -> Any:  # noqa: ANN401  JSON
    """What the UI reads of the server."""
    return json.loads(extension.files()[path])


@pytest.fixture(scope="module")
def ui(open_ui: Callable[[Path], PerfettoUi]) -> PerfettoUi:
    """A tab with a trace and the SQL of the server."""
    tab = open_ui(TRACE)
    tab.page.evaluate(REGISTER, served(extension.SQL_MODULES)["sql_modules"])
    return tab


def test_a_question_in_two_lines(
    ui: PerfettoUi, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """INCLUDE and SELECT in the Query tab show the rows of `tp-tools query`."""
    shown = ui.query("INCLUDE PERFETTO MODULE tpt.kernels; SELECT * FROM tpt_kernels;")
    ran = TpTools(capsysbinary)("query", "kernels", TRACE, "--raw", "--format", "json", "-q")
    assert shown == ran.rows()
    assert len(shown) > 10


def test_macros(ui: PerfettoUi) -> None:
    """They pin the streams, add the collectives as a track, and show rows in tabs."""
    ui.page.evaluate("() => { location.hash = '#!/viewer'; }")
    ui.wait_idle()
    macros = served(extension.MACROS)["macros"]
    for macro in macros:
        for command in macro["run"]:
            ui.command(command["id"], *command["args"])
    pinned = " ".join("".join(ui.page.evaluate(PINNED)).split())
    assert "stream 7" in pinned
    assert "tp-tools: part = collectives" in pinned
    assert "waiting" not in pinned, "of one rank nobody knows who waited"
    queries = ui.page.locator(".pf-split-panel__tab-title", has_text="Command Query")
    assert queries.count() == sum("ShowTab" in str(it["run"]) for it in macros)
    assert "Command Query (19)" in queries.all_inner_texts(), "the kernels by name"
