"""Write a report on the traces of a job: one HTML page that needs no network.

Names of traces enter `collection.collect`, which runs the queries of the SQL library on them.
The page leaves `build.html` as text; sections of words, plots and tables are built between them.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.reporting.build import html
    from tp_tools.reporting.collection import collect
    from tp_tools.reporting.data import ReportData

__all__ = ["ReportData", "collect", "html"]

__getattr__ = exporter(
    __name__,
    {
        "html": "build",
        "ReportData": "data",
        "collect": "collection",
    },
)
