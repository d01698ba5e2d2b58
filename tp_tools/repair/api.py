"""Offer the repair of a trace as a function of the Python API.

import tp_tools

tp_tools.fix("rank0.json.gz")  # writes rank0.fixed.json.gz
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools import notebook
from tp_tools.caller import KeptWarnings
from tp_tools.files.default_output import FIXED, beside
from tp_tools.repair.trace_file import FileOptions, pftrace_options, repair_file

if TYPE_CHECKING:
    from tp_tools.caller import PathLike
    from tp_tools.writing.pftrace.options import Lanes


class Fixed(Struct, frozen=True):
    """What `tp_tools.fix` did.

    Attributes:
        output: the file that was written; None where none was.
        is_sound: whether Perfetto shows all of the trace as it is.
        numbers: the object of `tp-tools fix --summary json`; empty for a trace in Perfetto's own
            format.
    """

    output: str | None
    is_sound: bool
    numbers: dict[str, Any]

    def _repr_html_(self) -> str:
        """Return the numbers as a table, for notebooks."""
        said = f"Wrote {self.output}." if self.output else "Nothing was written."
        if self.is_sound:
            said = f"Perfetto shows all of it as it is. {said}"
        numbers = {k: v for k, v in self.numbers.items() if isinstance(v, int | float) and v}
        hidden = self.numbers.get("hidden", {})
        numbers |= {f"hidden {name}": value for name, value in hidden.items() if value}
        return notebook.paragraph(said) + notebook.table(("", ""), numbers.items())


def fix(
    trace: PathLike,
    output: PathLike | None = None,
    *,
    check: bool = False,
    verify: bool = False,
    tolerance_ns: int | None = None,
    lanes: Lanes | None = None,
    short_names: bool = False,
    force: bool = False,
    jobs: int | None = None,
    engine: str | None = None,
) -> Fixed:
    """Repair a trace, so that Perfetto shows what the profiler recorded.

    Args:
        trace: Chrome JSON as PyTorch's profiler writes it, plain, .gz or .zst.
        output: the file to write, JSON or .pftrace by its suffix; None for NAME.fixed.json.gz
            beside the trace.
        check: whether nothing is written; `is_sound` then says what there is to repair.
        verify: whether the result is loaded into TraceProcessor and proven.
        tolerance_ns: CPU slices and annotations that overlap by at most so much are trimmed, not
            moved, ns; None for 1,000, and 0 of an export, whose times are exact.
        lanes: in a .pftrace, "shared" or "rows", as for `tp-tools fix --lanes`.
        short_names: whether kernels get names that can be read.
        force: whether an existing output is replaced.
        jobs: processes that read, write and verify together; None for one per core, up to 4.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.

    Raises:
        tp_tools.errors.UsageError: the output exists, or options contradict each other.
        tp_tools.errors.InputError: the file cannot be used.
        tp_tools.errors.OutputError: the result cannot be written.
        tp_tools.errors.VerificationError: the result does not hold what it should.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    name = os.fspath(trace)
    target = beside(name, FIXED) if output is None else os.fspath(output)
    options = FileOptions(
        name,
        target,
        check,
        verify,
        tolerance_ns,
        engine,
        pftrace_options(target, lanes),
        short_names,
    )
    kept = KeptWarnings()
    repaired = repair_file(options, kept, force=force, jobs=jobs)
    kept.warn_caller()
    if repaired is None:
        return Fixed(None, is_sound=True, numbers={})
    written = target if repaired.is_written else None
    return Fixed(written, repaired.analysis.is_sound(), repaired.numbers(options))
