"""What TraceProcessor's WebAssembly expects of the world around it, as Emscripten names it.

It is built for a browser without files: clocks, a console, more memory and the end of the world
are all that it really uses. Files and the rest answer "not supported" (ENOSYS), as they do there.

Sources: Emscripten's `system/lib/libc/emscripten_internal.h` and WASI preview 1.
"""

import struct
import time
from collections import deque
from collections.abc import Callable
from ctypes import addressof, memmove, string_at

from wasmtime import Func, ImportType, Linker, Memory, Store, WasmtimeError

PAGE = 64 << 10
ENOSYS = 52  # both in WASI and in Emscripten
CONSOLE_PIECES = 50
SHOWN_LINES = 3
CHATTER = ("Loading trace", "warning: unsupported syscall")
GROWTH = 1.2
"""Emscripten's own step: the heap grows by a fifth at least, so that growing stays rare."""


class Aborted(Exception):  # noqa: N818  the module's own word
    """The module gave up; it cannot be called again."""


class Host:
    """The imports of one instance, and its memory.

    Attributes:
        memory: the instance's linear memory, to be set once it exists.
        refused: whether more memory was asked for than could be had.
    """

    memory: Memory

    def __init__(self, store: Store, bits: int, memory_limit: int) -> None:
        """Binds the imports to `store`; the heap may grow to `memory_limit` bytes."""
        self.refused = False
        self._store = store
        self._word = struct.Struct("<Q" if bits == 64 else "<I")  # noqa: PLR2004  pointer width
        self._mask = (1 << bits) - 1
        self._limit = memory_limit
        self._console: deque[bytes] = deque(maxlen=CONSOLE_PIECES)

    def define_in(self, linker: Linker, imports: list[ImportType]) -> None:
        """Gives the module all it asks for."""
        for item in imports:
            function = Func(self._store, item.type, self._answer_to(item))  # type: ignore[arg-type]
            linker.define(self._store, item.module, item.name or "", function)

    def last_words(self) -> str:
        """The last lines that the module printed, to go with an error."""
        lines = b"".join(self._console).decode("utf-8", "replace").splitlines()
        said = [line for line in lines if line.strip() and not line.startswith(CHATTER)]
        return "\n".join(said[-SHOWN_LINES:])

    def read(self, at: int, size: int) -> bytes:
        """`size` bytes of the module's memory from its address `at`."""
        return string_at(self._here(at, size), size)

    def write(self, at: int, data: bytes) -> None:
        """Copies `data` into the module's memory; the module owns the room at `at`."""
        memmove(self._here(at, len(data)), data, len(data))

    def _here(self, at: int, size: int) -> int:
        """Where the module's address `at` is in this process, if `size` bytes are there."""
        start = at & self._mask
        if start + size > self.memory.data_len(self._store):
            raise Aborted(f"it named {size} bytes at {start:#x}, outside its memory")
        # Not kept: the memory moves when it grows.
        return addressof(self.memory.data_ptr(self._store).contents) + start

    def _answer_to(self, item: ImportType) -> Callable[..., object]:
        name = item.name or ""
        known: dict[str, Callable[..., object]] = {
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
        if name in known:
            return known[name]
        if name.startswith("__syscall_") or name in {"_mmap_js", "_munmap_js"}:
            return lambda *_: -ENOSYS
        if item.module == "wasi_snapshot_preview1":
            return lambda *_: ENOSYS
        return lambda *_: self._abort(f"{name} is not available here")

    def _signed(self, address: int) -> int:
        """An unsigned address as the signed integer that wasmtime passes."""
        return address - self._mask - 1 if address > self._mask >> 1 else address

    def _clock_time_get(self, clock: int, _precision: int, at: int) -> int:
        now = time.monotonic_ns() if clock == 1 else time.time_ns()
        self.write(at, struct.pack("<Q", now))
        return 0

    def _broken_down_time(self, seconds: int, at: int) -> None:
        """Fills a `struct tm`. Local time is UTC, so that a query answers alike everywhere."""
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
        wanted, have = size & self._mask, self.memory.data_len(self._store)
        for target in (max(wanted, int(have * GROWTH)), wanted):
            pages = (min(target, self._limit) - have + PAGE - 1) // PAGE
            if wanted <= self._limit and self._grow(pages):
                return 1
        self.refused = True
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
        self._console.append(string_at(self._here(at, 1)) + b"\n")

    def _abort(self, why: str = "it aborted") -> None:
        raise Aborted(why)
