"""Fixtures that all tests share: real traces, and the engines to test on."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# What lands must not depend on chance or on the machine's load; at the desk chance may search on.
settings.register_profile("desk", deadline=None)
settings.register_profile("landing", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("landing" if os.environ.get("CI") else "desk")

# What runs in the background of a script is started with these ignored, and so is what it starts.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        is_interrupt = number is signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)

TRACES = Path(__file__).resolve().parents[1] / "../shared/traces"
NATIVE_VARIABLE = "TP_TOOLS_TEST_NATIVE"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what reads recorded traces, so that a fast run can leave it out."""
    for item in items:
        if "real_trace" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.recorded)


@pytest.fixture(scope="session")
def real_trace() -> Callable[[str], Path]:
    """Gives the path of a recorded trace by its file name, or skips the test without it."""

    def path_of(name: str) -> Path:
        path = TRACES / name
        if not path.is_file():
            pytest.skip(f"the recorded trace {name} is not in {TRACES}")
        return path

    return path_of


@pytest.fixture(
    params=[
        "embedded",
        pytest.param(
            os.environ.get(NATIVE_VARIABLE, ""),
            id="native",
            marks=pytest.mark.skipif(
                NATIVE_VARIABLE not in os.environ,
                reason=f"${NATIVE_VARIABLE} names no trace_processor_shell",
            ),
        ),
    ]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine in turn, as `--engine` takes it."""
    name: str = request.param
    return name
