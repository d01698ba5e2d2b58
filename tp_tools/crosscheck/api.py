"""Offer the comparison of two profilers as a function of the Python API.

import tp_tools

found = tp_tools.compare("rank0.json.gz", "report.sqlite")
print(found.matched, found.losses)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tp_tools.caller import KeptWarnings
from tp_tools.crosscheck import reading
from tp_tools.crosscheck.checking import check

if TYPE_CHECKING:
    from tp_tools.caller import PathLike
    from tp_tools.crosscheck.model import CrossCheck
    from tp_tools.progress import Reporter


def compare(
    kineto: PathLike, nsys: PathLike, *, rank: int | None = None, engine: str | None = None
) -> CrossCheck:
    """Say which kernels one profiler has and the other lacks, of two runs of one workload.

    Args:
        kineto: the trace that PyTorch's profiler wrote.
        nsys: the export of Nsight Systems, .sqlite.
        rank: of several ranks that a file holds, this one; None for the rank that the other file
            names.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.

    Returns:
        Losses, durations by name, busy time and overlaps, times in ns; `.cannot` says why the two
        cannot be compared, and is empty where they can.

    Raises:
        tp_tools.errors.UsageError: a file is not of its profiler, or holds several ranks.
        tp_tools.errors.InputError: a file cannot be used.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    kept = KeptWarnings()
    found = compare_files(os.fspath(kineto), os.fspath(nsys), rank, engine, kept)
    kept.warn_caller()
    return found


def compare_files(
    kineto: str, nsys: str, rank: int | None, engine: str | None, reporter: Reporter
) -> CrossCheck:
    """Compare two files; arguments as for `compare`.

    Raises:
        UsageError, InputError, EngineError: as `compare`.
    """
    one = reading.read(kineto, is_export=False, engine_name=engine, reporter=reporter)
    other = reading.read(nsys, is_export=True, engine_name=engine, reporter=reporter)
    of_kineto, of_nsys = (
        reading.choose(it, rank, the_other.rank) for it, the_other in ((one, other), (other, one))
    )
    return check(of_kineto, of_nsys)
