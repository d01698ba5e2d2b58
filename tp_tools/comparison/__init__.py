"""Compare two recordings: what became slower, by kernel, collective, module and cause of idle time.

Traces enter `collect`, which asks the SQL library for samples of their steps; `side` makes a side
of the ranks of a job, and `compare` a `Comparison` of two sides.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.comparison.collection import collect
    from tp_tools.comparison.comparing import compare
    from tp_tools.comparison.judging import Rules
    from tp_tools.comparison.model import Change, Comparison, Key, Side
    from tp_tools.comparison.sides import common_phase, side

__all__ = [
    "Change",
    "Comparison",
    "Key",
    "Rules",
    "Side",
    "collect",
    "common_phase",
    "compare",
    "side",
]

__getattr__ = exporter(
    __name__,
    {
        "Change": "model",
        "Comparison": "model",
        "Key": "model",
        "Rules": "judging",
        "Side": "model",
        "collect": "collection",
        "common_phase": "sides",
        "compare": "comparing",
        "side": "sides",
    },
)
