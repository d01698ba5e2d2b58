"""Reword the error of TraceProcessor for a file that is not a trace."""

from __future__ import annotations

from tp_tools.errors import InputError

_UNKNOWN = "Unknown trace type"
"""Start of the message of v51 to v58, src/trace_processor/forwarding_trace_parser.cc."""


def refuse_unknown(name: str, refusal: InputError) -> None:
    """Raise a clear error if TraceProcessor did not recognize the format of a file.

    Args:
        name: the name of the file in messages.
        refusal: the error of the load.

    Raises:
        InputError: TraceProcessor recognized no format.
    """
    if _UNKNOWN in str(refusal):
        raise InputError(
            f"{name}: is no trace that Perfetto knows. Give the file that the profiler wrote: "
            ".json, .json.gz, .pftrace..."
        ) from refusal
