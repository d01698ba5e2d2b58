"""Fixtures that open traces in the real Perfetto UI."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.perfetto_ui import launch_browser, missing, open_trace, serve_ui

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


@pytest.fixture
def open_ui(browser: Browser, ui_server: UiServer) -> Iterator[Callable[[Path], PerfettoUi]]:
    """Open a trace file in the UI, as often as a test likes."""
    with ExitStack() as stack:
        yield lambda trace: stack.enter_context(open_trace(browser, ui_server, trace))
