"""Fixtures that all tests share: real traces, and the engines to test on."""

import compileall
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.cut import NAME as CUT
from tests.support.cut import cut
from tests.support.line_counting import counts_lines, paused
from tests.support.native import NATIVE_VARIABLE
from tests.support.places import TRACES
from tests.support.recorded import LoadedRecording

# What lands must not depend on chance or on the machine's load; at the desk chance may search on.
# The examples of a landing are always the same: more of them find what is new no sooner.
settings.register_profile("desk", deadline=None)
settings.register_profile(
    "landing", deadline=None, derandomize=True, print_blob=True, max_examples=40
)
settings.load_profile("landing" if os.environ.get("CI") else "desk")

# What runs in the background of a script is started with these ignored, and so is what it starts.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        is_interrupt = number is signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)

ROOT = Path(__file__).resolve().parents[1]

# pytest rewrites and compiles each of 240 files of tests in each process, for 5 s of CPU, unless it
# may keep what it compiled.
sys.dont_write_bytecode = False

COMPILE = """
from tp_tools.engine import get_ready
from tp_tools.engine.wasm_module import load_module
from tp_tools.progress import SILENT
for stoppable in (False, True):
    load_module(32, SILENT, stoppable=stoppable)
get_ready("embedded32")
"""


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package and its engine before the first test, once for all processes.

    Where PYTHONDONTWRITEBYTECODE is set, each command that a test starts would compile the package
    again, for 0.2 s of CPU. The engine is compiled, and its start kept, so that no test meets its
    one-time message, and in a process of its own, which leaves no threads here.
    """
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(ROOT / "tp_tools", quiet=1)
        subprocess.run([sys.executable, "-c", COMPILE], check=True, cwd=ROOT)


def pytest_xdist_auto_num_workers() -> int:
    """Two processes more than there are cores: tests wait for browsers and for other commands.

    With one more, a whole run on two cores left a quarter of them idle.
    """
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count lines, where they are counted, only in tests where that is cheap."""
    if counts_lines(item):
        return (yield)
    with paused():
        return (yield)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what lasts until the end: 500,000 objects of 6,000 tests."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what reads recorded traces, so that a fast run can leave it out."""
    for item in items:
        if "real_trace" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.recorded)


@pytest.fixture(scope="session")
def real_trace(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the path of a recorded trace by its file name, or skips the test without it.

    With ".cut" before its suffixes it is a part of the trace, from its beginning; with ".cut1500"
    one from the 1500th launch on: see `tests.support.cut`.
    """
    base = tmp_path_factory.getbasetemp()  # pytest-xdist gives each process a folder in one
    cuts = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cuts"
    cuts.mkdir(exist_ok=True)

    def path_of(name: str) -> Path:
        part = CUT.fullmatch(name)
        path = TRACES / (part[1] + part[3] if part else name)
        if not path.is_file():
            pytest.skip(f"the recorded trace {path.name} is not in {TRACES}")
        if part is None:
            return path
        if not (cuts / name).exists():
            own = tmp_path_factory.mktemp("cut") / name
            cut(path, own, int(part[2] or 0))
            with suppress(FileExistsError):  # another process was first, and may be reading its own
                (cuts / name).hardlink_to(own)
        return cuts / name

    return path_of


@pytest.fixture(scope="session")
def loaded_recording() -> Iterator[LoadedRecording]:
    """Gives a recorded trace, repaired, in a TraceProcessor that tests of all modules share."""
    with closing(LoadedRecording()) as loaded:
        yield loaded


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
