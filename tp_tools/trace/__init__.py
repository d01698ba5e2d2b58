"""Hold the columns of one trace, and the plan of what a repair changes in it.

Data enters from `chrome`, which fills a `Trace`, and from `repair`, which makes a `Plan`.
It leaves as numpy columns (`Trace`, `Slices`), which `repair`, `merging` and `writing` read.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Lane, Plan, Repair
    from tp_tools.trace.slices import Slices

__all__ = ["Lane", "Plan", "Repair", "Slices", "Trace"]

__getattr__ = exporter(
    __name__,
    {
        "Trace": "model",
        "Lane": "plan",
        "Plan": "plan",
        "Repair": "plan",
        "Slices": "slices",
    },
)
