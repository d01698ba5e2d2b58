"""Says plainly that a file is no trace, where TraceProcessor says it in its own way."""

from __future__ import annotations

from tp_tools.errors import InputError

_UNKNOWN = "Unknown trace type"
"""How TraceProcessor v51 to v58 begins, src/trace_processor/forwarding_trace_parser.cc."""


def refuse_unknown(name: str, refusal: InputError) -> None:
    """Does nothing if TraceProcessor knew the kind of file and refused it for another reason.

    Args:
        name: what messages call the file.
        refusal: what came of loading it.

    Raises:
        InputError: it knew none.
    """
    if _UNKNOWN in str(refusal):
        raise InputError(
            f"{name}: is no trace that Perfetto knows. Give the file that the profiler wrote: "
            ".json, .json.gz, .pftrace..."
        ) from refusal
