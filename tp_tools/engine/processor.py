"""The `perfetto` package's TraceProcessor on an engine of ours, with errors that name the file."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tp_tools.engine._perfetto import ProtoFactory, QueryResultIterator, TraceProcessor
from tp_tools.engine.rpc import REQUEST_BYTES, RpcBackend
from tp_tools.errors import EngineError, EngineOutOfMemory, InputError, SqlError

OUT_OF_MEMORY = "out of memory"
"""How SQLite says it (SQLITE_NOMEM), in the last line of TraceProcessor's message."""


class Processor(TraceProcessor):  # type: ignore[misc]
    """A TraceProcessor that holds one trace: `.query(sql)` gives rows or a pandas frame.

    One thread at a time may use it; several can run side by side.

    Attributes:
        source: the trace's name, as errors show it.
    """

    def __init__(self, source: str, open_backend: Callable[[ProtoFactory], RpcBackend]) -> None:
        """Starts an empty engine; `feed` fills it."""
        self.source = source
        self._open_backend = open_backend
        super().__init__()
        self._metadata: dict[str, str] = {}  # the package sets it where it loads a trace itself

    def _create_backend(self, _remote: str | None, _addr: str | None) -> RpcBackend:
        return self._open_backend(self.protos)

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Loads the trace, one chunk at a time; the engine keeps no chunk, nor does this.

        Raises:
            InputError: TraceProcessor cannot read it, or its end is missing.
            EngineOutOfMemory: it does not fit.
            EngineError: the engine failed.
        """
        with self._named():
            for chunk in _at_least(REQUEST_BYTES, chunks):
                self._check(self._backend.parse(chunk).error)
            self._check(self._backend.notify_eof().error)

    def query(self, sql: str, name: str | None = None) -> QueryResultIterator:
        """Runs a script and gives the rows of its last statement.

        Args:
            sql: one or several statements.
            name: the name of the file that they are from, for errors.

        Raises:
            SqlError: TraceProcessor refused it; the engine can still be used.
            EngineOutOfMemory: it needs more memory than there is.
            EngineError: the engine failed.
        """
        with self._named():
            response = self._backend.execute_query(sql)
        if response.error:
            raise self._refusal(response.error.strip(), name)
        return QueryResultIterator(response.column_names, response.batch)

    def version(self) -> str:
        """The engine's version, as it states it itself."""
        version: str = self._backend.version()
        return version

    def _refusal(self, reason: str, name: str | None) -> EngineError:
        what = f"{name or 'the query'} failed on {self.source}:"
        if reason.endswith(OUT_OF_MEMORY):
            return EngineOutOfMemory(
                f"{what} TraceProcessor ran out of memory: ask for less, "
                "or use --engine embedded64 or --engine native"
            )
        if name:
            reason = reason.replace('File "stdin"', f'File "{name}"')
        return SqlError(f"{what}\n{reason}")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Puts the trace's name before what goes wrong in the engine."""
        try:
            yield
        except EngineError as error:
            raise type(error)(f"{self.source}: {error}") from error

    def _check(self, error: str) -> None:
        if error:
            raise InputError(f"{self.source}: TraceProcessor cannot read it: {error}")


def _at_least(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of `size` or more, but for the last.

    TraceProcessor tells the kind of file from its first chunk, so that may not be a mere bracket.
    """
    held: list[bytes] = []
    length = 0
    for chunk in chunks:
        held.append(chunk)
        length += len(chunk)
        if length >= size:
            yield b"".join(held)
            held.clear()
            length = 0
    yield b"".join(held)
