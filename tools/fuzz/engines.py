"""Give each load an engine as new without starting one: restore the memory of a used one.

Starting TraceProcessor takes 25 ms of CPU, putting back the 18 MB that it has written to 2 ms. The
memory of a WebAssembly module, with its stack between calls, is all the state that it has, so that
an engine whose memory is as it was after its start is a new one: the same input meets the same
bytes. One load in `FRESH` gets an engine that was started for it all the same.
"""

from __future__ import annotations

import ctypes
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from perfetto.trace_processor import api

from tp_tools.engine import loader
from tp_tools.engine.rpc import RpcBackend
from tp_tools.engine.wasm import EmbeddedBackend
from tp_tools.errors import EngineError
from tp_tools.processes import signals

if TYPE_CHECKING:
    import numpy.typing as npt
    from perfetto.trace_processor.protos import ProtoFactory

    from tp_tools.progress import Reporter

FRESH = 50
LARGEST = 64 << 20
"""Bytes of memory above which an engine is not used again."""

_Kind = tuple[int, int | None, bool]


class _Engine(EmbeddedBackend):
    """An engine that can be as it was after its start."""

    def begin(self) -> None:
        """Remember the memory as it is."""
        self._start_bytes = self._memory().copy()

    def restore(self) -> bool:
        """Put the memory back as it was; return whether that can be done."""
        if self._unusable or self._memory().nbytes > LARGEST:
            return False
        memory, first = self._memory(), len(self._start_bytes)
        memory[:first] = self._start_bytes
        memory[first:] = 0
        return True

    def answer(self, request: bytes) -> bytes:
        """Send a request; return the replies."""
        return self._exchange(request)

    def _memory(self) -> npt.NDArray[np.uint64]:
        size = self._host.memory.data_len(self._store)
        at = ctypes.addressof(self._host.memory.data_ptr(self._store).contents)
        return np.frombuffer((ctypes.c_char * size).from_address(at), np.uint64)


class _Lent(RpcBackend):
    """An engine until it is closed."""

    def __init__(
        self, protos: ProtoFactory, *, bits: int, memory_limit: int | None, reporter: Reporter
    ) -> None:
        super().__init__(protos)
        self._kind = bits, memory_limit, signals.is_ending()
        kept = _free[self._kind].pop() if _free[self._kind] else None
        if kept and next(_loads) % FRESH:
            self._engine: _Engine | None = kept
            return
        if kept:
            kept.close()
        self._engine = _Engine(protos, bits=bits, memory_limit=memory_limit, reporter=reporter)
        self._engine.begin()

    def _exchange(self, request: bytes) -> bytes:
        if self._engine is None:
            raise EngineError("TraceProcessor cannot be used any more: it was closed")
        return self._engine.answer(request)

    def close(self) -> None:
        """Keep the engine for the next load, unless it failed or has grown."""
        engine, self._engine = self._engine, None
        if engine is not None and engine.restore():
            _free[self._kind].append(engine)
        elif engine is not None:
            engine.close()


_free = defaultdict[_Kind, list[_Engine]](list)
_loads = itertools.count()


def keep_engines() -> None:
    """Have all loads of this process use engines again, and the classes of messages too."""
    loader.EmbeddedBackend = _Lent  # type: ignore[assignment, misc]
    protos = api.ProtoFactory(api.PLATFORM_DELEGATE())
    api.ProtoFactory = lambda _: protos


def close_kept() -> None:
    """Close the engines that no load uses."""
    for engines in _free.values():
        while engines:
            engines.pop().close()
