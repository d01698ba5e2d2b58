"""Keep the memory of a started TraceProcessor, so that later starts map it instead of running.

The start of TraceProcessor registers thousands of SQL functions, tables and modules: 20 ms and
10 MB written, the same at each start. Between calls, the state of its WebAssembly is this memory,
the position of its stack and a slot in its table of functions. So the memory is kept in a file
beside the compiled module, and mapped over that of a new instance: pages that are written later are
copied then, all others are shared by all processes. The one value that differs between starts is a
time, which measures the speed of a load for a message of TraceProcessor.

Source: `Rpc` in Perfetto's `src/trace_processor/rpc/rpc.cc`.
"""

import ctypes
import mmap
import os
import struct
import threading
from pathlib import Path

from msgspec import Struct

from tp_tools.engine import cache
from tp_tools.engine.wasm_imports import PAGE
from tp_tools.engine.wasm_module import find_wasm, is_known, source_of
from tp_tools.errors import EngineOutOfMemory

START_VERSION = 1
"""Version of `EmbeddedBackend._run_start`: what it leaves is kept under this number."""

_SUFFIX = ".memory"
_TRAILER = struct.Struct("<3Q")
_MAP_FIXED = 0x10  # on Linux and on macOS; the module mmap has no name for it
_WRITABLE = mmap.PROT_READ | mmap.PROT_WRITE if hasattr(mmap, "PROT_READ") else None
"""How the memory is mapped; None on Windows, where each start runs."""

_opening = threading.Lock()
_opened: dict[str, "Start | None"] = {}


class Start(Struct, frozen=True):
    """A TraceProcessor after its start.

    Attributes:
        memory_bytes: bytes of its memory.
        stack: address that the stack grows down from.
        request_at: address of its buffer for requests.
        file: descriptor of the file that begins with the memory; the process keeps it open.
        kept_bytes: bytes of the memory that are in the file; those behind them are zero.
    """

    memory_bytes: int
    stack: int
    request_at: int
    file: int
    kept_bytes: int

    def map_over(self, address: int) -> None:
        """Put the memory in the place of that of a new instance.

        Args:
            address: where `memory_bytes` of memory begin that no one but the instance uses.

        Raises:
            EngineOutOfMemory: the system refuses.
        """
        system = ctypes.CDLL(None, use_errno=True)
        size, offset = ctypes.c_size_t(self.kept_bytes), ctypes.c_int64(0)
        system.mmap.restype = ctypes.c_void_p
        flags = mmap.MAP_PRIVATE | _MAP_FIXED
        at = system.mmap(ctypes.c_void_p(address), size, _WRITABLE, flags, self.file, offset)
        if at != address:
            reason = os.strerror(ctypes.get_errno())
            raise EngineOutOfMemory(f"no room to start TraceProcessor in: {reason}")


def find_start(source: str) -> Start | None:
    """Return the start of a WebAssembly that is in the cache folder; None if there is none.

    Args:
        source: the WebAssembly, by `source_of`.
    """
    with _opening:
        if source not in _opened:
            _opened[source] = read_start(source, cache.cache_folder())
        return _opened[source]


def keep_start(bits: int, source: str, memory: bytes, *, stack: int, request_at: int) -> None:
    """Keep the start of a WebAssembly that the tests ran, for this process and the next ones.

    Args:
        bits: width of its pointers.
        source: the WebAssembly, by `source_of`.
        memory: the whole memory after the start.
        stack: address that the stack grows down from.
        request_at: address of the buffer for requests.
    """
    wasm, folder = find_wasm(bits), cache.cache_folder()
    if folder is None or _WRITABLE is None or source_of(wasm) != source or not is_known(wasm):
        return
    written = memory.rstrip(b"\0")
    content = written.ljust(-len(written) // PAGE * -PAGE, b"\0")
    trailer = _TRAILER.pack(len(memory), stack, request_at)
    cache.keep(content + trailer, folder, _key(source), _SUFFIX)
    with _opening:
        _opened[source] = read_start(source, folder)


def read_start(source: str, folder: Path | None) -> Start | None:
    """Open the kept start of a WebAssembly; None if there is none, or it is damaged.

    Args:
        source: the WebAssembly, by `source_of`.
        folder: the private folder of the cache, or None.
    """
    if folder is None or _WRITABLE is None:
        return None
    for path in cache.kept(folder, _key(source), _SUFFIX):
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        size = os.fstat(file).st_size - _TRAILER.size
        memory_bytes, stack, request_at = _TRAILER.unpack(os.pread(file, _TRAILER.size, size))
        return Start(memory_bytes, stack, request_at, file, size)
    return None


def _key(source: str) -> str:
    return f"start{START_VERSION}-{source}"
