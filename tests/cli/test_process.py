"""The command line called from Python changes nothing of the process; as a command it may."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tp_tools.cli import main, process
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[2] / "fixtures"
DECODE = str(FIXTURES / "pdl_decode.json.gz")


def state() -> dict[str, Any]:
    """Settings of the whole process."""
    mask = os.umask(0)
    os.umask(mask)
    return {
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "gc": (gc.isenabled(), gc.get_threshold()),
        "interval": sys.getswitchinterval(),
        "environment": dict(os.environ),
        "umask": mask,
        "folder": Path.cwd(),
        "recursion": sys.getrecursionlimit(),
        "hooks": (sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook),
        "stdout": (os.fstat(1).st_ino, os.fstat(sys.stdout.fileno()).st_ino),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
    }


def interrupt(*_: object, **__: object) -> NoReturn:
    """Ctrl-C."""
    raise KeyboardInterrupt


def fail(*_: object, **__: object) -> NoReturn:
    """Raise the error of a full disk."""
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["--help"], 0),
        (["info", DECODE], None),
        (["fix", DECODE, "-o", "o.json", "--jobs", "2"], None),
        (["fix", DECODE, "--check"], 1),
        (["merge", str(FIXTURES / "gloo4"), "-o", "m.json", "--jobs", "2"], None),
        (["nonsense"], 2),
        (["fix", "missing.json"], 3),
    ],
)
def test_main_leaves_the_process_as_it_was(
    line: list[str], code: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it did, and however it ended."""
    monkeypatch.chdir(tmp_path)
    before = state()
    assert code_of(main.main, line) == code
    assert state() == before


@pytest.mark.parametrize(("call", "code"), [(interrupt, 130), (fail, 4)])
def test_main_leaves_the_process_as_it_was_after_a_fault(
    call: Callable[..., NoReturn], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, or an error of the system, amid work."""
    from tp_tools.files.source import Source  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Source, "size", call)
    before = state()
    assert code_of(main.main, ["fix", DECODE, "-o", "o.json"]) == code
    assert state() == before


@pytest.mark.parametrize("error", [None, KeyError, KeyboardInterrupt, SystemExit])
def test_settings_hold_in_their_block_only(error: type[BaseException] | None) -> None:
    """However it ends."""
    before = state()
    with suppress(BaseException), process.settings(), signals.ending():
        during = state()
        if error is not None:
            raise error
    assert state() == before
    assert during["environment"].keys() >= process.VARIABLES.keys()
    assert during["signals"] != before["signals"]


def test_main_leaves_malloc_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of malloc cannot be taken back, so only a command changes them."""
    requested = []

    class Library(ctypes.CDLL):
        """A C library in which malloc has no settings."""

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  as its base
            if name == "mallopt":
                requested.append(name)
                raise AttributeError(name)
            return super().__getattr__(name)

    monkeypatch.chdir(tmp_path)
    # simulates a C library without such settings
    monkeypatch.setattr("ctypes.CDLL", Library)
    assert code_of(main.main, ["fix", DECODE, "-o", "o.json"]) is None
    assert requested == []
    with process.settings():
        process.give_back_memory()
    assert requested == (["mallopt"] if sys.platform == "linux" else [])


def test_settings_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set, and a signal that is ignored, as under nohup."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with process.settings(), signals.ending():
            assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_sigterm_ends_a_program_that_called_main() -> None:
    """SIGTERM ends a program that called `main`, as `timeout` ends a pytest run."""
    program = (
        "import os, signal, sys\nfrom tp_tools.cli.main import main\n"
        f"main(['info', {DECODE!r}, '-q'])\n"
        "os.kill(os.getpid(), signal.SIGTERM)\nprint('survived')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGTERM
    assert "survived" not in done.stdout


def code_of(run: Callable[[list[str]], None], line: list[str]) -> int | None:
    """The exit code; None where there was none to say."""
    try:
        run(line)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return None
