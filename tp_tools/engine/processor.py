"""Adapt the TraceProcessor of the `perfetto` package: our engines, errors that name the file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tp_tools import library
from tp_tools.engine._perfetto import ProtoFactory, QueryResultIterator, TraceProcessor
from tp_tools.engine.literals import naming_texts
from tp_tools.engine.rpc import REQUEST_BYTES, RpcBackend
from tp_tools.errors import EngineError, EngineOutOfMemory, InputError, SqlError

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints

OUT_OF_MEMORY = "out of memory"
"""Message of SQLite (SQLITE_NOMEM), in the last line of the message of TraceProcessor."""

TRACEBACK = "Traceback (most recent call last):\n"
"""Heads the places in SQL that TraceProcessor names; to our readers it would be one of Python."""

_OVERFLOW = "integer overflow"
"""What SQLite says of a sum, and of nothing else in the library."""

_LONGEST = """
SELECT name, COALESCE(category, 'no category') AS category, dur / 31557600000000000 AS years
FROM slice
WHERE dur > (1 << 62) / (SELECT COUNT(*) FROM slice)
ORDER BY dur DESC
LIMIT 1;
"""


class Processor(TraceProcessor):  # type: ignore[misc]
    """A TraceProcessor that holds one trace: `.query(sql)` returns rows or a pandas frame.

    One thread at a time may use it; several can run side by side.

    Attributes:
        source: the name of the trace in errors.
        is_partial: whether events of the trace were not loaded: then ids of slices and tracks are
            not those of the viewer.
        gpu: the name of its GPUs, such as "NVIDIA H200"; empty where the trace names none, or
            several.
        rank: the rank that the header of the trace states; None where it states none.
        start_ns: start of the whole trace, ns, as the viewer shows it; None if unknown.
        slice_ids, track_ids: of a trace that is partial, ids in the viewer by ids here, int
            (slices,) and (tracks,); None where they are not known.
    """

    is_partial = False
    gpu = ""
    rank: int | None = None
    start_ns: int | None = None
    slice_ids: "Ints | None" = None
    track_ids: "Ints | None" = None

    def __init__(self, source: str, open_backend: Callable[[ProtoFactory], RpcBackend]) -> None:
        """Start an empty engine; `feed` fills it."""
        self.source = source
        self._open_backend = open_backend
        super().__init__()
        self._metadata: dict[str, str] = {}  # the package sets this when it loads a trace itself

    def _create_backend(self, _remote: str | None, _addr: str | None) -> RpcBackend:
        return self._open_backend(self.protos)

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Load the trace chunk by chunk, without keeping chunks.

        Args:
            chunks: the bytes of the trace, cut anywhere.

        Raises:
            InputError: TraceProcessor cannot read the trace, or its end is missing.
            EngineOutOfMemory: the trace does not fit.
            EngineError: the engine failed.
        """
        with self._named():
            for chunk in _at_least(REQUEST_BYTES, chunks):
                self._check(self._backend.parse(chunk).error)
            self._check(self._backend.notify_eof().error)

    def query(self, sql: str, name: str | None = None) -> QueryResultIterator:
        """Run a script and return the rows of its last statement.

        Args:
            sql: one or several statements.
            name: the name of the file of the script, for errors.

        Raises:
            SqlError: TraceProcessor refused the script; the engine stays usable.
            InputError: a slice is so long that durations cannot be summed.
            EngineOutOfMemory: the script needs more memory than available.
            EngineError: the engine failed.
        """
        with self._named():
            if texts := naming_texts(sql):
                self._backend.execute_query(texts)
            response = self._backend.execute_query(sql)
        if response.error:
            reason = response.error.strip()
            if reason.endswith(_OVERFLOW):
                self._refuse_endless()
            raise self._refusal(reason, name)
        return QueryResultIterator(response.column_names, response.batch)

    def set_library(self, modules: Mapping[str, str]) -> None:
        """Have scripts include these modules in place of those of the SQL library, by name.

        Raises:
            EngineError: the engine refused them.
        """
        with self._named():
            self._backend.register_package(library.PACKAGE, modules)

    def version(self) -> str:
        """Return the version that the engine states."""
        version: str = self._backend.version()
        return version

    def _refusal(self, reason: str, name: str | None) -> EngineError:
        what = f"{name or 'the query'} failed on {self.source}:"
        if reason.endswith(OUT_OF_MEMORY):
            return EngineOutOfMemory(
                f"{what} TraceProcessor ran out of memory: ask for less, "
                "or use --engine embedded64 or --engine native"
            )
        place = f'File "{name}"' if name else "In the query,"
        reason = reason.removeprefix(TRACEBACK).replace('File "stdin"', place)
        return SqlError(f"{what}\n{reason}", name)

    def _refuse_endless(self) -> None:
        """Raise InputError if a slice is so long that a sum of durations may not fit 63 bits."""
        with self._named():
            response = self._backend.execute_query(_LONGEST)
        for row in QueryResultIterator(response.column_names, response.batch):
            raise InputError(
                f"{self.source}: durations add up to more than 63 bits of ns: slice {row.name!r} "
                f"({row.category}) lasts {row.years:,} years. Leave this event out."
            )

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Put the name of the trace before the message of an EngineError."""
        try:
            yield
        except EngineError as error:
            raise type(error)(f"{self.source}: {error}") from error

    def _check(self, error: str) -> None:
        if error:
            raise InputError(f"{self.source}: TraceProcessor cannot read it: {error}")


def _at_least(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Join chunks to chunks of `size` bytes or more; the last one may be shorter.

    TraceProcessor detects the format of a file from its first chunk, which must not be too short.
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
