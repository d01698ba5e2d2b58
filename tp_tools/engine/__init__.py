"""Run TraceProcessor, embedded (WebAssembly) or native (trace_processor_shell).

`load` puts the bytes of a trace into it, `rows` and `query_rows` run SQL and return plain tuples,
and `losses` counts data lost by the load. Heavy imports wait for the first `load`.
"""

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from tp_tools.engine.names import is_embedded
from tp_tools.engine.rows import Rows, columns_of_file, query_rows, rows, run_file
from tp_tools.engine.stats import Stat, check_whole, drops_slices, harmless, load_stats, losses
from tp_tools.engine.stopping import doubted, map_on_threads
from tp_tools.errors import EngineError
from tp_tools.progress import SILENT, Reporter

if TYPE_CHECKING:
    from tp_tools.engine.processor import Processor

__all__ = [
    "Rows",
    "Stat",
    "check_whole",
    "columns_of_file",
    "doubted",
    "drops_slices",
    "get_ready",
    "harmless",
    "is_embedded",
    "load",
    "load_stats",
    "losses",
    "map_on_threads",
    "prepare",
    "query_rows",
    "rows",
    "run_file",
]


def prepare(engine: str | None) -> None:
    """Run `get_ready` on a thread, to save the time of other work."""
    threading.Thread(target=get_ready, args=(engine,)).start()


def get_ready(engine: str | None) -> None:
    """Do the imports and the compilation that the first `load` would wait for.

    Args:
        engine: the engine to be used, as in `load`; its errors are left to `load`.
    """
    from tp_tools.engine.loader import open_ahead  # noqa: PLC0415  0.1 s of imports

    with suppress(EngineError):
        open_ahead(engine)


def load(
    chunks: Iterable[bytes],
    *,
    source: str,
    engine: str | None = None,
    size: int | None = None,
    reporter: Reporter = SILENT,
    allow_loss: bool = False,
    memory_limit: int | None = None,
) -> "Processor":
    """Load a trace into a TraceProcessor, and check that no slice was lost.

    Args:
        chunks: the bytes of the trace, in any format that TraceProcessor reads; taken one by one.
        source: the name of the trace in errors.
        engine: "embedded", "native" (the shell that the `perfetto` package pins), or the path of a
            trace_processor_shell; "embedded32" and "embedded64" choose one of the embedded two.
            Default: $TP_TOOLS_ENGINE, else "embedded".
        size: bytes of the uncompressed trace, if known. A trace takes up to 3.2 bytes of
            TraceProcessor's memory per byte of JSON; 4 are assumed, and half of wasm32's 4 GiB is
            left to queries. So above 512 MiB the embedded engine is the 64-bit one, which holds
            16 GiB and takes half as long again. If the size is unknown, the 64-bit engine is chosen
            if more than 32 MiB arrive.
        reporter: receives a note before work of seconds: the first compilation of the engine.
        allow_loss: whether to return the processor even if the load lost data; see `losses`.
        memory_limit: most bytes of the embedded engine, if less than its own limit and the free
            memory of the machine.

    Returns:
        The object of the `perfetto` package (`.query(sql).as_pandas_dataframe()`), a context
        manager. Close it after use.

    Raises:
        InputError: TraceProcessor cannot read the trace, or its end is missing.
        TraceLossError: TraceProcessor lost slices, and `allow_loss` is False.
        EngineUnavailable: the engine does not exist or does not start.
        EngineOutOfMemory: the trace does not fit.
        EngineError: the engine failed otherwise.
    """
    from tp_tools.engine.loader import open_loaded  # noqa: PLC0415  0.2 s of imports

    return open_loaded(
        chunks,
        source=source,
        engine=engine,
        size=size,
        reporter=reporter,
        allow_loss=allow_loss,
        memory_limit=memory_limit,
    )
