"""TraceProcessor, embedded or native.

`load` puts a trace into it; `rows` and `.query()` ask it; `losses` and `load_stats` say how the
load went. Nothing heavy is imported before the first `load`.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from tp_tools.engine.names import is_embedded
from tp_tools.engine.rows import Rows, query_rows, rows, run_file
from tp_tools.engine.stats import Stat, load_stats, losses
from tp_tools.errors import EngineError

if TYPE_CHECKING:
    from tp_tools.engine.processor import Processor

__all__ = [
    "Rows",
    "Stat",
    "get_ready",
    "is_embedded",
    "load",
    "load_stats",
    "losses",
    "prepare",
    "query_rows",
    "rows",
    "run_file",
]


def _say_nothing(_line: str) -> None:
    pass


def prepare(engine: str | None) -> None:
    """Does what `get_ready` does on a thread, while there is other work."""
    threading.Thread(target=get_ready, args=(engine,)).start()


def get_ready(engine: str | None) -> None:
    """Does what the first `load` would wait for.

    Args:
        engine: the one that will be asked, as in `load`. What is wrong with it `load` will say.
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
    say: Callable[[str], None] = _say_nothing,
    allow_loss: bool = False,
    memory_limit: int | None = None,
) -> "Processor":
    """Loads a trace into a TraceProcessor, and makes sure that all of it arrived.

    The result is the `perfetto` package's own object (`.query(sql).as_pandas_dataframe()`), to be
    closed after use; it is a context manager.

    Args:
        chunks: the trace's bytes, in anything that TraceProcessor reads; taken one by one.
        source: the trace's name, for errors.
        engine: "embedded", "native" (the shell that the `perfetto` package pins), or the path of a
            trace_processor_shell; "embedded32" and "embedded64" insist on one of the embedded two.
            By default what $TP_TOOLS_ENGINE says, else "embedded".
        size: bytes of the trace once uncompressed, if known. A trace takes up to 3.2 bytes of
            TraceProcessor's memory per byte of JSON; 4 are counted, and half of wasm32's 4 GiB is
            left to queries. So above 512 MiB the embedded engine is the 64-bit one, which holds
            16 GiB and takes half as long again. Without a size, it is the 64-bit one if more than
            32 MiB come.
        say: gets a line when something takes seconds: the first compilation of the engine.
        allow_loss: gives the processor even if the load lost data; `losses` then says what.
        memory_limit: bytes that the embedded engine may take, where that is less than what it can
            hold and less than what the machine has left.

    Raises:
        InputError: TraceProcessor cannot read the trace, or its end is missing.
        TraceLossError: it read it with losses.
        EngineUnavailable: there is no such engine, or it does not start.
        EngineOutOfMemory: the trace does not fit.
        EngineError: the engine failed otherwise.
    """
    from tp_tools.engine.loader import open_loaded  # noqa: PLC0415  0.2 s of imports

    return open_loaded(
        chunks,
        source=source,
        engine=engine,
        size=size,
        say=say,
        allow_loss=allow_loss,
        memory_limit=memory_limit,
    )
