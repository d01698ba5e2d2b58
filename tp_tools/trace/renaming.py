"""Rename kernels to their short names: which events that concerns, and the columns with these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from tp_tools.columns import distinct
from tp_tools.trace.categories import KERNEL, has_category
from tp_tools.trace.model import UNTIMED, is_phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from tp_tools.trace.model import Trace

FULL_NAME = "tpt_name"
"""Key of the arg that holds the name of a renamed kernel as recorded."""


def kernel_names(trace: Trace) -> frozenset[str]:
    """Return the names of all kernels of a trace."""
    codes = distinct(trace.name[is_kernel(trace)]).tolist()
    return frozenset(trace.names[code] for code in codes if trace.names[code])


def new_names(names: Iterable[str]) -> dict[str, str]:
    """Return the short name of each kernel whose name is another; see `short_names`."""
    from tp_tools.trace.short_names import short_names  # noqa: PLC0415  most keep their names

    return {name: short for name, short in short_names(names).items() if short != name}


def is_renamed(trace: Trace, short: Mapping[str, str]) -> NDArray[np.bool_]:
    """Mark the events that get a short name.

    Args:
        trace: the trace, with names as recorded.
        short: new name by name, of kernels.

    Returns:
        bool array (events,).
    """
    if not short:
        return np.zeros(len(trace), np.bool_)
    changes = np.array([*(name in short for name in trace.names), False], np.bool_)
    return is_kernel(trace) & changes[trace.name]


def renamed(trace: Trace, short: Mapping[str, str]) -> Trace:
    """Return the trace with the short names; other events of such a name keep it."""
    if not short:
        return trace
    names, codes = list(trace.names), {name: code for code, name in enumerate(trace.names)}
    new_codes = np.arange(len(names))
    for code, name in enumerate(trace.names):
        if name in short:
            new = short[name]
            if new not in codes:
                codes[new] = len(names)
                names.append(new)
            new_codes[code] = codes[new]
    column = np.where(is_renamed(trace, short), new_codes[trace.name], trace.name)
    return replace(trace, names=names, name=column.astype(trace.name.dtype))


def is_kernel(trace: Trace) -> NDArray[np.bool_]:
    """Mark the kernels that have a time: bool array (events,)."""
    kernels = is_phase(trace, "X") & has_category(trace, KERNEL)
    kernels &= trace.ts != UNTIMED
    return kernels
