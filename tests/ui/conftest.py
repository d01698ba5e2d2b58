"""Fixtures that open traces in the real Perfetto UI."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.ui.perfetto_ui import PerfettoUi, UiServer


def _unavailable(reason: str) -> None:
    """Skip, or fail in CI, where the browser has to be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI is set")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium for all tests."""
    try:
        from tests.ui.perfetto_ui import find_browser, launch_browser  # noqa: PLC0415  optional
    except ModuleNotFoundError as error:
        _unavailable(f"{error.name} is not installed")
    if find_browser() is None:
        _unavailable("no Chromium on PATH")
    with launch_browser() as running:
        yield running


@pytest.fixture(scope="session")
def ui_server() -> Iterator["UiServer"]:
    """The UI and the traces, on a free port."""
    from tests.ui.perfetto_ui import serve_ui  # noqa: PLC0415  playwright is optional

    with serve_ui() as server:
        yield server


@pytest.fixture
def open_ui(browser: "Browser", ui_server: "UiServer") -> Iterator[Callable[[Path], "PerfettoUi"]]:
    """Open a trace file in the UI, as often as a test likes."""
    from tests.ui.perfetto_ui import open_trace  # noqa: PLC0415  playwright is optional

    with ExitStack() as stack:
        yield lambda trace: stack.enter_context(open_trace(browser, ui_server, trace))
