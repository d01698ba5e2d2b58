"""Describe a trace: its job, GPUs and versions, the counts of its events, its defects.

A `Source` enters `trace_info.describe`, which returns a `TraceInfo`: Chrome JSON is counted from
its columns, any other format by SQL. It leaves as lines (`facts.lines`) or as an object for JSON.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.inspection.facts import TraceInfo
    from tp_tools.inspection.trace_info import describe

__all__ = ["TraceInfo", "describe"]

__getattr__ = exporter(
    __name__,
    {
        "TraceInfo": "facts",
        "describe": "trace_info",
    },
)
