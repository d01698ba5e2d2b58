"""Implement the imports of TraceProcessor's WebAssembly, under the names of Emscripten.

The module is built for a browser without files. It uses clocks, a console, more memory and abort;
files and other system calls return "not supported" (ENOSYS), as in a browser.

Sources: Emscripten's `system/lib/libc/emscripten_internal.h` and WASI preview 1.
"""

import struct
import time
from collections import deque
from collections.abc import Callable
from ctypes import addressof, memmove, string_at

from wasmtime import Func, ImportType, Linker, Memory, Store, WasmtimeError

from tp_tools.engine.memory import available

PAGE = 64 << 10
ENOSYS = 52  # both in WASI and in Emscripten
CONSOLE_PIECES = 50
SHOWN_LINES = 3
CHATTER = ("Loading trace", "warning: unsupported syscall")
GROWTH = 1.2
"""Factor by which Emscripten grows the heap at least, so that it grows rarely."""


class Aborted(Exception):  # noqa: N818  Emscripten's word
    """The module aborted; it cannot be called again."""


class Host:
    """The imports of one instance, and its memory.

    Attributes:
        memory: the linear memory of the instance, set once it exists.
        refused: bytes that the heap could have had when the module asked for more; 0: it never did.
    """

    memory: Memory

    def __init__(self, store: Store, bits: int, memory_limit: int) -> None:
        """Bind the imports to `store`; the heap may grow to `memory_limit` bytes."""
        self.refused = 0
        self._store = store
        self._word = struct.Struct("<Q" if bits == 64 else "<I")  # noqa: PLR2004  pointer width
        self._mask = (1 << bits) - 1
        self._limit = memory_limit
        self._console: deque[bytes] = deque(maxlen=CONSOLE_PIECES)

    def define_in(self, linker: Linker, imports: list[ImportType]) -> None:
        """Define a function in `linker` for each import of the module."""
        for item in imports:
            function = Func(self._store, item.type, self._implementation(item))  # type: ignore[arg-type]
            linker.define(self._store, item.module, item.name or "", function)

    def last_lines(self) -> str:
        """Return the last lines that the module printed, for an error."""
        lines = b"".join(self._console).decode("utf-8", "replace").splitlines()
        messages = [line for line in lines if line.strip() and not line.startswith(CHATTER)]
        return "\n".join(messages[-SHOWN_LINES:])

    def read(self, at: int, size: int) -> bytes:
        """Return `size` bytes of the module's memory from its address `at`."""
        return string_at(self._host_address(at, size), size)

    def write(self, at: int, data: bytes) -> None:
        """Copy `data` into the memory that the module owns at its address `at`."""
        memmove(self._host_address(at, len(data)), data, len(data))

    def size(self) -> int:
        """Return the bytes of the module's memory."""
        return self.memory.data_len(self._store)

    def address(self) -> int:
        """Return the address of the memory in this process; it moves when the memory grows."""
        return addressof(self.memory.data_ptr(self._store).contents)

    def _host_address(self, at: int, size: int) -> int:
        """Translate an address of the module to one of this process; check `size` bytes."""
        start = at & self._mask
        if start + size > self.size():
            raise Aborted(f"it named {size} bytes at {start:#x}, outside its memory")
        return self.address() + start

    def _implementation(self, item: ImportType) -> Callable[..., object]:
        """Return the function for an import; those that are not implemented fail."""
        name = item.name or ""
        functions: dict[str, Callable[..., object]] = {
            "emscripten_get_now": lambda: time.perf_counter() * 1e3,
            "emscripten_date_now": lambda: time.time() * 1e3,
            "clock_time_get": self._clock_time_get,
            "emscripten_get_heap_max": lambda: self._signed(self._limit),
            "emscripten_resize_heap": self._resize_heap,
            "fd_write": self._fd_write,
            "environ_sizes_get": self._environ_sizes_get,
            "environ_get": lambda *_: 0,
            "_abort_js": self._abort,
            "__assert_fail": lambda *_: self._abort("an assertion failed"),
            "emscripten_err": self._print_line,
            "_gmtime_js": self._broken_down_time,
            "_localtime_js": self._broken_down_time,
            "_tzset_js": self._set_time_zone,
        }
        if name in functions:
            return functions[name]
        if name.startswith("__syscall_") or name in {"_mmap_js", "_munmap_js"}:
            return lambda *_: -ENOSYS
        if item.module == "wasi_snapshot_preview1":
            return lambda *_: ENOSYS
        return lambda *_: self._abort(f"{name} is not available here")

    def _signed(self, address: int) -> int:
        """Convert an unsigned address to the signed integer that wasmtime passes."""
        return address - self._mask - 1 if address > self._mask >> 1 else address

    def _clock_time_get(self, clock: int, _precision: int, at: int) -> int:
        now = time.monotonic_ns() if clock == 1 else time.time_ns()
        self.write(at, struct.pack("<Q", now))
        return 0

    def _broken_down_time(self, seconds: int, at: int) -> None:
        """Fill a `struct tm`; local time is UTC, so that queries return the same everywhere."""
        t = time.gmtime(seconds)
        weekday = (t.tm_wday + 1) % 7  # C counts from Sunday
        fields = (*t[5:2:-1], t.tm_mday, t.tm_mon - 1, t.tm_year - 1900, weekday, t.tm_yday - 1, 0)
        self.write(at, struct.pack("<9i", *fields))

    def _set_time_zone(self, offset: int, daylight: int, name: int, summer_name: int) -> None:
        self.write(offset, bytes(self._word.size))
        self.write(daylight, bytes(4))
        self.write(name, b"UTC\0")
        self.write(summer_name, b"UTC\0")

    def _resize_heap(self, size: int) -> int:
        """Grow the heap to `size` bytes at least; return 0 where that is more than it may have.

        What is free is measured each time: other engines and their process use the same memory.
        """
        needed, current = size & self._mask, self.size()
        free = available()
        most = self._limit if free is None else min(self._limit, current + free // PAGE * PAGE)
        for target in (max(needed, int(current * GROWTH)), needed):
            pages = (min(target, most) - current + PAGE - 1) // PAGE
            if needed <= most and self._grow(pages):
                return 1
        self.refused = most
        return 0

    def _grow(self, pages: int) -> bool:
        try:
            self.memory.grow(self._store, pages)
        except WasmtimeError:
            return False
        return True

    def _fd_write(self, _fd: int, vectors: int, count: int, written: int) -> int:
        total = 0
        size = self._word.size
        for i in range(count):
            vector = self.read(vectors + 2 * size * i, 2 * size)
            at, length = self._word.unpack_from(vector), self._word.unpack_from(vector, size)
            self._console.append(self.read(at[0], length[0]))
            total += length[0]
        self.write(written, self._word.pack(total))
        return 0

    def _environ_sizes_get(self, count: int, length: int) -> int:
        self.write(count, bytes(self._word.size))
        self.write(length, bytes(self._word.size))
        return 0

    def _print_line(self, at: int) -> None:
        self._console.append(string_at(self._host_address(at, 1)) + b"\n")

    def _abort(self, why: str = "it aborted") -> None:
        raise Aborted(why)
