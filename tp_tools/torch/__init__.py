"""Save the traces of `torch.profiler`, repaired, while the program goes on.

    with torch.profiler.profile(on_trace_ready=tp_tools.torch.trace_handler("traces/")):

A profiler enters `handler.TraceHandler`; a file per rank and step leaves it. PyTorch itself is not
imported.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.torch.handler import TraceHandler, trace_handler

__all__ = ["TraceHandler", "trace_handler"]

__getattr__ = exporter(__name__, {"TraceHandler": "handler", "trace_handler": "handler"})
