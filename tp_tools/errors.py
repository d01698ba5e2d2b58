"""Define the errors that tp-tools raises on purpose, and the exit code of each.

    TpToolsError
    |-- UsageError            2  the command line asks for something impossible
    |-- InputError            3  a file cannot be used: unreadable, not a trace, contradictory
    |   `-- Unreachable          its server did not answer: it may another time
    |-- OutputError           4  a result cannot be written
    |-- VerificationError     4  a result failed its own verification
    |-- TimeLimitReached      4  it took longer than --timeout allows
    |-- TaskLost              4  work on another machine failed each time it was tried
    `-- EngineError           4  TraceProcessor failed
        |-- EngineUnavailable    it could not be had or started
        |-- EngineOutOfMemory    the trace does not fit
        |-- TraceLossError       it loaded the trace with losses
        `-- SqlError             it refused a query

A message is one or two lines: what is wrong, in which file (event or byte where known), what to do.
"""


class TpToolsError(Exception):
    """Base of all errors that a user may meet; `exit_code` is what the process returns."""

    exit_code = 4


class UsageError(TpToolsError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


class InputError(TpToolsError):
    """An input file cannot be used."""

    exit_code = 3


class Unreachable(InputError):  # noqa: N818  the name reads as the fact it states
    """A server did not answer, or not as it should."""


class OutputError(TpToolsError):
    """A result cannot be written; nothing of it was left behind."""


class VerificationError(TpToolsError):
    """A result did not hold what it should; it was not kept."""


class TimeLimitReached(TpToolsError):  # noqa: N818  the name reads as the fact it states
    """The work took longer than it may."""


class TaskLost(TpToolsError):  # noqa: N818  the name reads as the fact it states
    """A task failed each time it was tried, by no fault of its input that is known."""


class EngineError(TpToolsError):
    """TraceProcessor failed."""


class EngineUnavailable(EngineError):  # noqa: N818  the name reads as the fact it states
    """No TraceProcessor of the wanted kind could be had or started."""


class EngineOutOfMemory(EngineError):  # noqa: N818
    """The trace does not fit into TraceProcessor's memory."""


class TraceLossError(EngineError):
    """TraceProcessor loaded the trace, but not all of it."""


class SqlError(EngineError):
    """TraceProcessor refused a query.

    Attributes:
        query: the name of its file; None if it is from none.
    """

    def __init__(self, message: str, query: str | None = None) -> None:
        """Keep the message, and the name of the query."""
        super().__init__(message)
        self.query = query
