"""Engines come and go: several at once, one after another, crashed, closed."""

import gc
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.small_traces import SOUND, in_pieces, json_trace, slice_of
from tp_tools.engine import load, rows
from tp_tools.engine.wasm import EmbeddedBackend
from tp_tools.engine.wasm_imports import Aborted
from tp_tools.errors import EngineError, EngineOutOfMemory, InputError

MIB = 1 << 20
STATM = Path("/proc/self/statm")
needs_statm = pytest.mark.skipif(not STATM.exists(), reason="resident memory is read from /proc")


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Switch the garbage collector off, so that reference counts or `close` alone free memory."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def resident() -> int:
    """Bytes of this process in memory."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def living_engines() -> int:
    """Engines that something still refers to, closed ones included."""
    gc.collect()
    return sum(isinstance(thing, EmbeddedBackend) for thing in gc.get_objects())


def test_two_engines_at_once(engine_name: str) -> None:
    """Engines open at the same time keep their traces apart, whichever is asked first."""
    one = json_trace(slice_of("one", 1, 1))
    two = json_trace(slice_of("two", 1, 1), slice_of("three", 3, 1))
    with (
        load([one], source="one", engine=engine_name) as a,
        load([two], source="two", engine=engine_name) as b,
    ):
        for _ in range(2):
            assert rows(b, "SELECT name FROM slice ORDER BY ts") == [("two",), ("three",)]
            assert rows(a, "SELECT name FROM slice") == [("one",)]
        a.close()
        assert rows(b, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_engines_in_threads() -> None:
    """Engines in several threads do not mix up their traces or answers."""

    def names(thread: int) -> list[tuple[str]]:
        trace = json_trace(*(slice_of(f"{thread}.{i}", 2 * i, 1) for i in range(2000)))
        with load(in_pieces(trace, 1000), source=str(thread)) as tp:
            return rows(tp, "SELECT name FROM slice ORDER BY ts")

    with ThreadPoolExecutor(4) as pool:
        for thread, found in enumerate(pool.map(names, range(8))):
            assert found == [(f"{thread}.{i}",) for i in range(2000)]


@needs_statm
@pytest.mark.usefixtures("without_gc")
def test_close_frees_at_once() -> None:
    """Closing gives an engine's memory back without waiting for the garbage collector."""
    pieces = in_pieces(json_trace(*(slice_of(f"n{i}", 2 * i, 1) for i in range(150_000))))
    tp = load(pieces, source="large")
    before = resident()
    tp.close()
    assert before - resident() > 30 * MIB


@needs_statm
@pytest.mark.usefixtures("without_gc")
def test_forgetting_frees_at_once() -> None:
    """So does letting go of an engine that was not closed."""
    pieces = in_pieces(json_trace(*(slice_of(f"n{i}", 2 * i, 1) for i in range(150_000))))
    tp = load(pieces, source="large")
    before = resident()
    del tp
    assert before - resident() > 30 * MIB


@needs_statm
def test_one_after_another_does_not_leak() -> None:
    """Ten engines opened and closed leave less behind than one of them takes."""
    pieces = in_pieces(json_trace(*(slice_of(f"n{i}", 2 * i, 1) for i in range(30_000))))

    def once() -> None:
        with load(pieces, source="again") as tp:
            assert rows(tp, "SELECT COUNT(*) FROM slice") == [(30_000,)]

    for _ in range(3):
        once()
    before, engines = resident(), living_engines()
    for _ in range(10):
        once()
    assert resident() - before < 20 * MIB
    assert living_engines() == engines


def test_failed_loads_do_not_leak() -> None:
    """A load that fails leaves no engine behind."""
    engines = living_engines()
    with pytest.raises(InputError):
        load([b"rubbish"], source="rubbish")
    with pytest.raises(EngineOutOfMemory):
        load([SOUND], source="sound", memory_limit=1 << 20)
    assert living_engines() == engines


def test_closed_is_said(engine_name: str) -> None:
    """Asking a closed engine is an error that says so; closing twice is none."""
    tp = load([SOUND], source="rank0.json", engine=engine_name)
    tp.close()
    tp.close()
    with pytest.raises(EngineError, match=r"rank0\.json: .*closed"):
        tp.query("SELECT 1")


def test_a_file_that_crashes_the_module() -> None:
    """A trace on which v52 itself aborts (args 50,000 arrays deep) is an engine error."""
    deep = b"[" * 50_000 + b"]" * 50_000
    trace = json_trace(slice_of("a", 1, 1, args={"deep": 0})).replace(b"0}", deep + b"}")
    with pytest.raises(EngineError, match=r"^deep\.json: TraceProcessor crashed: it aborted"):
        load([trace], source="deep.json", engine="embedded")


def test_crash_is_told_once_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that aborts gives an error with its last words; later calls repeat the reason."""
    with load([SOUND], source="rank0.json") as tp:
        backend = tp._backend
        backend._host._console.append(b"\rLoading trace 1 MB\nCHECK failed: x < y\n")

        def abort(*_: object) -> None:
            raise Aborted("it aborted")

        monkeypatch.setattr(backend, "_on_request", abort)  # simulates an abort of the module
        with pytest.raises(
            EngineError, match=r"^rank0\.json: .*crashed: it aborted\nCHECK failed: x < y$"
        ):
            tp.query("SELECT 1")
        monkeypatch.undo()
        with pytest.raises(EngineError, match=r"(?s)cannot be used any more: .*CHECK failed"):
            tp.query("SELECT 1")


def test_an_interrupted_engine_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C amid a request the module's state is unknown, so it is closed."""
    with load([SOUND], source="rank0.json") as tp:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(tp._backend, "_on_request", interrupt)  # simulates a signal
        with pytest.raises(KeyboardInterrupt):
            tp.query("SELECT 1")
        monkeypatch.undo()
        with pytest.raises(EngineError, match="it was interrupted"):
            tp.query("SELECT 1")
