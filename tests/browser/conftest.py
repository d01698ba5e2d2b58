"""Fixtures that open traces in the real Perfetto UI."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.perfetto_ui import launch_browser, missing, new_tab, serve_ui

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.support.perfetto_ui import PerfettoUi, UiServer


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium for all tests; without one they skip, and fail where CI is set."""
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, and CI is set")
        pytest.skip(reason)
    with launch_browser() as running:
        yield running


@pytest.fixture(scope="session")
def ui_server() -> Iterator[UiServer]:
    """The UI and the traces, on a free port."""
    with serve_ui() as server:
        yield server


@pytest.fixture(scope="session")
def open_ui(browser: Browser, ui_server: UiServer) -> Iterator[Callable[[Path], PerfettoUi]]:
    """Opens a trace file in the one tab that tests share; the trace before it is gone then."""
    with ExitStack() as stack:
        tabs: list[PerfettoUi] = []

        def open_in_tab(trace: Path) -> PerfettoUi:
            tab = tabs.pop() if tabs else stack.enter_context(new_tab(browser))
            tab.open(ui_server.offer(trace))
            tabs.append(tab)  # unless it shows a dialog
            return tab

        yield open_in_tab
