"""Run calls in a pool of worker processes, and end this process cleanly on signals.

Calls go into a pool and results come out in the order of the calls. No worker outlives the process
that opened the pool, and no temporary file outlives a process that a signal ends.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.processes.local import open_pool
    from tp_tools.processes.pool import Pool

__all__ = ["Pool", "open_pool"]

__getattr__ = exporter(
    __name__,
    {
        "Pool": "pool",
        "open_pool": "local",
    },
)
