"""Run TraceProcessor in this process: WebAssembly in wasmtime, no binary, no network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from wasmtime import (
    Func,
    FuncType,
    Linker,
    Memory,
    Module,
    Store,
    Table,
    Trap,
    ValType,
    WasmtimeError,
)

from tp_tools.engine import stopping, trap_handlers
from tp_tools.engine._perfetto import ProtoFactory
from tp_tools.engine.memory import available
from tp_tools.engine.rpc import REQUEST_LIMIT, RpcBackend
from tp_tools.engine.wasm_imports import PAGE, Aborted, Host
from tp_tools.engine.wasm_module import Loaded, give_back, load_module
from tp_tools.engine.wasm_start import find_start, keep_start
from tp_tools.errors import EngineError, EngineOutOfMemory
from tp_tools.processes import signals
from tp_tools.progress import Reporter

MEMORY_LIMITS = {32: 0xFFFF_0000, 64: 16 << 30}
"""Most bytes of memory of each module, as linked: a page below 4 GiB, and 16 GiB."""

STACK_BYTES = 2 << 20
"""Bytes of stack, as newer versions link it. v52 has 64 KiB: a SQL expression 300 levels deep
overwrites the data of the module behind them; SQLite allows 1000 levels."""


def memory_bound(
    bits: int, memory_limit: int | None = None, module_limit: int | None = None
) -> int:
    """Return the bytes that an engine opened now may grow to; see `EmbeddedBackend`."""
    most = module_limit or MEMORY_LIMITS[bits]
    return min(filter(None, (most, memory_limit, available()))) // PAGE * PAGE


class EmbeddedBackend(RpcBackend):
    """One instance of TraceProcessor; `close()` frees its memory at once."""

    def __init__(
        self,
        protos: ProtoFactory,
        *,
        bits: int,
        memory_limit: int | None,
        reporter: Reporter,
        module_limit: int | None = None,
    ) -> None:
        """Start TraceProcessor.

        Args:
            protos: the message classes of the `perfetto` package.
            bits: width of pointers: 32 for up to 4 GiB, 64 for up to 16 GiB.
            memory_limit: most bytes of memory; the free memory of the machine is a limit too.
            reporter: receives a note before the module is compiled.
            module_limit: most bytes that the module can have; None for `MEMORY_LIMITS` by its bits.

        Raises:
            EngineUnavailable: the module is missing.
            EngineOutOfMemory: the empty engine does not fit.
        """
        super().__init__(protos)
        self._bits = bits
        self._most = module_limit or MEMORY_LIMITS[bits]
        self._limit = memory_bound(bits, memory_limit, module_limit)
        self._replies: list[bytes] = []
        self._unusable = ""
        self._is_stoppable = not signals.is_ending()
        self._is_stopped = False
        self._loaded: Loaded | None = stopping.run(
            lambda: load_module(bits, reporter, stoppable=self._is_stoppable), lambda: True
        )
        module, source = self._loaded.module, self._loaded.source
        self._store = Store(self._loaded.engine)
        self._host = Host(self._store, bits, self._limit)
        self._run(lambda: self._start(module, source))

    def close(self) -> None:
        """Free the engine and its memory; may be called again, and after a failure."""
        self._unusable = self._unusable or "it was closed"
        if self._is_stopped and not self._is_stoppable:
            return  # it may still work; it ends with this process
        # The functions of the store refer to this object: closing it breaks this cycle.
        self._store.close()
        if self._is_stoppable and self._loaded is not None:
            give_back(self._bits, self._loaded)
            self._loaded = None

    def _start(self, module: Module, source: str) -> None:
        self._store.set_limits(memory_size=self._limit)
        with Linker(self._store.engine) as linker:
            self._host.define_in(linker, module.imports)
            try:
                exports = linker.instantiate(self._store, module).exports(self._store)
            except WasmtimeError as error:
                reason = " ".join(str(error).split())
                raise EngineOutOfMemory(f"no room to start TraceProcessor in: {reason}") from error
        self._host.memory = cast("Memory", exports["memory"])

        def call(name: str, *args: int) -> int:
            return cast("int", cast("Func", exports[name])(self._store, *args))

        pointer = ValType.i64() if self._bits == 64 else ValType.i32()  # noqa: PLR2004
        on_reply = Func(self._store, FuncType([pointer, ValType.i32()], []), self._on_reply)
        table = cast("Table", exports["__indirect_function_table"])
        slot = table.grow(self._store, 1, on_reply)
        self._request_at = self._map_start(source, call) or self._run_start(source, slot, call)
        self._on_request = cast("Func", exports["trace_processor_on_rpc_request"])

    def _map_start(self, source: str, call: Callable[..., int]) -> int | None:
        """Map the memory that a start left; return the address of requests, None without one."""
        start = find_start(source)
        if start is None or start.memory_bytes != self._host.size():
            return None
        start.map_over(self._host.address())
        call("emscripten_stack_init")
        call("_emscripten_stack_restore", start.stack)
        return start.request_at

    def _run_start(self, source: str, slot: int, call: Callable[..., int]) -> int:
        """Start TraceProcessor; return the address of requests.

        A change of what it leaves in memory is a new `wasm_start.START_VERSION`.
        """
        size = self._host.size()
        call("__wasm_call_ctors")
        stack = call("emscripten_builtin_memalign", 16, STACK_BYTES) + STACK_BYTES
        call("_emscripten_stack_restore", stack)
        request_at = call("trace_processor_rpc_init", slot, REQUEST_LIMIT)
        if self._host.size() == size:  # else it asked how much there is to grow to
            memory = self._host.read(0, size)
            keep_start(self._bits, source, memory, stack=stack, request_at=request_at)
        return request_at

    def _on_reply(self, at: int, size: int) -> None:
        self._replies.append(self._host.read(at, size))

    def _exchange(self, request: bytes) -> bytes:
        self._run(lambda: self._send(request))
        answer = b"".join(self._replies)
        self._replies.clear()
        return answer

    def _send(self, request: bytes) -> None:
        for start in range(0, len(request), REQUEST_LIMIT):
            block = request[start : start + REQUEST_LIMIT]
            self._host.write(self._request_at, block)
            self._on_request(self._store, len(block))

    def _run(self, work: Callable[[], None]) -> None:
        """Run code of the module so that it can be interrupted."""

        def begin() -> None:
            if self._is_stoppable:
                self._store.set_epoch_deadline(1)
            if self._is_stopped:
                raise Aborted("it was stopped")
            trap_handlers.restore()
            work()

        with self._closed_on_error():
            stopping.run(begin, self._stop)

    def _stop(self) -> bool:
        """Interrupt the module from another thread; return whether that is possible."""
        self._is_stopped = True
        if self._is_stoppable and self._loaded is not None:
            self._loaded[0].increment_epoch()
        return self._is_stoppable

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        """Close the module if the block raises, since its state is then undefined.

        Raises:
            EngineError: the module failed, or was unusable before.
        """
        if self._unusable:
            raise EngineError(f"TraceProcessor cannot be used any more: {self._unusable}")
        self._unusable = "it was interrupted"
        self._host.refused = 0
        try:
            yield
            self._unusable = ""
        except (WasmtimeError, Trap, Aborted) as error:
            failure = self._failure(error)
            self._unusable = str(failure)
            raise failure from error
        finally:
            if self._unusable:
                self.close()

    def _failure(self, error: Exception) -> EngineError:
        if self._host.refused:
            return EngineOutOfMemory(self._out_of_memory())
        reason = next(iter(str(error).splitlines()), "")
        parts = filter(None, (reason, self._host.last_lines()))
        return EngineError("TraceProcessor crashed: " + "\n".join(parts))

    def _out_of_memory(self) -> str:
        advice = "leave out categories or a part of the time"
        if self._host.refused < self._most:
            what = f"the {self._host.refused / 2**30:.2g} GiB that it may take here"
        elif self._bits == 32:  # noqa: PLR2004  the pointer width
            what = "the 4 GiB of its 32-bit addresses"
            advice = f"use --engine embedded64 or --engine native, or {advice}"
        else:
            what = "the 16 GiB that it was built for"
            advice = f"use --engine native, or {advice}"
        return f"TraceProcessor needs more memory than {what}: {advice}"
