"""Find what has to change in one trace so that Perfetto shows all of it.

Data enters as a `Source`, which is read into columns; sql/overlaps.sql decides about overlaps.
It leaves as an `Analysis` (the `Plan` and counts), which `writing` carries out.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.repair.analysis import Analysis, analyze, rewrite
    from tp_tools.repair.overlaps import OverlapOptions
    from tp_tools.repair.tolerance import TOLERANCE_NS

__all__ = ["TOLERANCE_NS", "Analysis", "OverlapOptions", "analyze", "rewrite"]

__getattr__ = exporter(
    __name__,
    {
        "Analysis": "analysis",
        "analyze": "analysis",
        "rewrite": "analysis",
        "OverlapOptions": "overlaps",
        "TOLERANCE_NS": "tolerance",
    },
)
