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


class Tab:
    """The one tab that tests share."""

    def __init__(self, browser: Browser, server: UiServer, stack: ExitStack) -> None:
        self._browser = browser
        self._server = server
        self._stack = stack
        self._ui: PerfettoUi | None = None
        self._trace: Path | None = None

    def open(self, trace: Path) -> PerfettoUi:
        """Open a trace; the one before it is gone then."""
        ui = self._ui or self._stack.enter_context(new_tab(self._browser))
        self._ui = self._trace = None  # unless it shows a dialog
        ui.open(self._server.offer(trace))
        self._ui, self._trace = ui, trace
        return ui

    def show(self, trace: Path) -> PerfettoUi:
        """Open a trace, unless the tab shows it: then it is as the last test left it."""
        return self._ui if self._ui and self._trace == trace else self.open(trace)


@pytest.fixture(scope="session")
def tab(browser: Browser, ui_server: UiServer) -> Iterator[Tab]:
    """The one tab that tests share."""
    with ExitStack() as stack:
        yield Tab(browser, ui_server, stack)


@pytest.fixture(scope="session")
def open_ui(tab: Tab) -> Callable[[Path], PerfettoUi]:
    """Opens a trace file in the one tab that tests share; the trace before it is gone then."""
    return tab.open


@pytest.fixture(scope="session")
def show_ui(tab: Tab) -> Callable[[Path], PerfettoUi]:
    """The same, for tests that only look: the tab stays as it is where it shows the trace."""
    return tab.show
