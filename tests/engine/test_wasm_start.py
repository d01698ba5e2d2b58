"""An engine whose memory is mapped is one that has started."""

import mmap
from collections.abc import Callable
from ctypes import addressof, c_char
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from perfetto.trace_processor import api

from tests.support.small_traces import SOUND
from tp_tools.engine import cache, load, rows, wasm, wasm_start
from tp_tools.engine.wasm import EmbeddedBackend
from tp_tools.engine.wasm_module import find_wasm, source_of
from tp_tools.engine.wasm_start import START_VERSION, Start, find_start, keep_start, read_start
from tp_tools.errors import EngineOutOfMemory
from tp_tools.progress import SILENT

REGISTERS = ("get_current", "get_base", "get_end", "get_free")


class Open(EmbeddedBackend):
    """An engine that a test looks into."""

    maps = True

    def _map_start(self, source: str, call: Callable[..., int]) -> int | None:
        self.call = call
        return super()._map_start(source, call) if self.maps else None

    def memory(self) -> bytes:
        """Its memory."""
        return self._host.read(0, self._host.size())

    def registers(self) -> list[int]:
        """The position and the bounds of its stack, and the address of requests."""
        stack = [self.call(f"emscripten_stack_{name}") for name in REGISTERS]
        return [*stack, self._request_at]


class Started(Open):
    """An engine that maps nothing."""

    maps = False


def opened(kind: type[Open], bits: int = 32) -> Open:
    """An engine of a kind."""
    protos = api.ProtoFactory(api.PLATFORM_DELEGATE())
    return kind(protos, bits=bits, memory_limit=None, reporter=SILENT)


@pytest.fixture
def installed() -> Start:
    """The start of the installed engine, which is kept."""
    load([SOUND], source="sound").close()
    start = find_start(source_of(find_wasm(32)))
    assert start is not None
    return start


@pytest.mark.parametrize("bits", [32, 64])
def test_a_mapped_engine_has_the_state_of_one_that_started(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory is the same but for one value, the time of the start, and so is its stack."""
    opened(Open, bits).close()  # keeps the start, if no one has
    mapped = opened(Open, bits)
    monkeypatch.setattr(wasm, "keep_start", lambda *_, **__: None)
    started = opened(Started, bits)
    assert mapped.registers() == started.registers()
    one, other = (np.frombuffer(engine.memory(), np.int64) for engine in (mapped, started))
    assert len(one) == len(other)
    assert np.count_nonzero(one != other) <= 1
    for engine in (mapped, started):
        engine.close()


def test_engines_that_are_mapped_share_no_state(installed: Start) -> None:
    """A trace and a table of one are in no other, before, beside or after it; nor in the file."""
    count = "SELECT COUNT(*) FROM slice"
    made = "SELECT COUNT(*) FROM sqlite_schema WHERE name GLOB '*mine*'"
    with (
        load([b'{"traceEvents":[]}'], source="empty") as before,
        load([SOUND], source="sound") as tp,
    ):
        rows(tp, "CREATE PERFETTO TABLE mine AS SELECT 1 AS one")
        assert (rows(tp, count), rows(before, count)) == ([(2,)], [(0,)])
        assert rows(tp, made) != [(0,)]
        with load([b'{"traceEvents":[]}'], source="empty") as after:
            assert rows(after, count) == rows(after, made) == [(0,)]
        assert rows(before, made) == [(0,)]
    again = read_start(source_of(find_wasm(32)), cache.cache_folder())
    assert again is not None
    assert replace(again, file=0) == replace(installed, file=0)


def test_a_start_is_kept_with_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the next process maps is the memory that an engine had after its start, to the end."""
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    started = opened(Started)
    memory = started.memory()
    start = read_start(source_of(find_wasm(32)), tmp_path)
    assert start is not None
    assert start.memory_bytes == len(memory)
    assert [start.stack, start.request_at] == started.registers()[:: len(REGISTERS)]
    assert not memory[start.kept_bytes :].strip(b"\0")
    with mmap.mmap(-1, start.kept_bytes) as room:
        first = c_char.from_buffer(room)
        start.map_over(addressof(first))
        assert room[:] == memory[: start.kept_bytes]
        del first
    started.close()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="cut off"),
        pytest.param(lambda data: bytes(len(data)), id="zeros"),
        pytest.param(lambda data: data[:-99] + b"\x99" + data[-98:], id="one byte"),
        pytest.param(lambda _data: b"", id="empty"),
    ],
)
def test_a_damaged_file_is_not_mapped(
    damage: Callable[[bytes], bytes], installed: Start, tmp_path: Path
) -> None:
    """The engine starts without it, as it does where the folder keeps nothing."""
    folder, source = cache.cache_folder(), source_of(find_wasm(32))
    assert folder is not None
    whole = next(cache.kept(folder, f"start{START_VERSION}-{source}", ".memory"))
    (tmp_path / whole.name).write_bytes(whole.read_bytes())
    found = read_start(source, tmp_path)
    assert found is not None
    assert replace(found, file=0) == replace(installed, file=0)
    (tmp_path / whole.name).write_bytes(damage(whole.read_bytes()))
    assert read_start(source, tmp_path) is None
    assert read_start(source, None) is None


def test_only_what_the_tests_ran_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine of another build may have state elsewhere; another file may be installed by now."""
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    keep_start(32, "another file", b"memory", stack=1, request_at=1)
    monkeypatch.setattr(wasm_start, "is_known", lambda _wasm: False)
    keep_start(32, source_of(find_wasm(32)), b"memory", stack=1, request_at=1)
    assert not list(tmp_path.iterdir())


def test_an_engine_of_another_size_is_started(
    installed: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory is mapped over one of its size alone."""
    other = replace(installed, memory_bytes=installed.memory_bytes + 1)
    monkeypatch.setattr(wasm, "find_start", lambda _source: other)
    monkeypatch.setattr(wasm, "keep_start", lambda *_, **__: None)
    monkeypatch.setattr(Start, "map_over", lambda *_: pytest.fail("it was mapped"))
    with load([SOUND], source="sound") as tp:
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_a_system_that_maps_nothing_has_no_room(installed: Start) -> None:
    """It says why; here since no page begins at address 1."""
    with pytest.raises(EngineOutOfMemory, match=r"no room to start .*: Invalid argument"):
        installed.map_over(1)
