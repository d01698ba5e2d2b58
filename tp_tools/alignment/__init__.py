"""Put all ranks of a job on one clock; reads no file.

Data enters as one `Member` per rank: its collectives as columns, and its host name.
It leaves as an `Alignment`: a `Clock` per rank, and which collectives match.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.alignment.alignment import Alignment, Member, align
    from tp_tools.alignment.clock import Clock
    from tp_tools.alignment.collectives import Collectives

__all__ = ["Alignment", "Clock", "Collectives", "Member", "align"]

__getattr__ = exporter(
    __name__,
    {
        "Alignment": "alignment",
        "Member": "alignment",
        "align": "alignment",
        "Clock": "clock",
        "Collectives": "collectives",
    },
)
