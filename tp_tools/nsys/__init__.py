"""Read exports of Nsight Systems (SQLite, Parquet) as the text of a Kineto trace.

A file is read table by table, read-only; all that stands behind (repair, merge, SQL) takes the text
for that of a trace which Kineto wrote.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.nsys.export import ExportRanks, beginning, is_export, ranks, read_rank, read_text
    from tp_tools.nsys.parquet import is_parquet_folder, write_database

__all__ = [
    "ExportRanks",
    "beginning",
    "is_export",
    "is_parquet_folder",
    "ranks",
    "read_rank",
    "read_text",
    "write_database",
]

__getattr__ = exporter(
    __name__,
    {
        "ExportRanks": "export",
        "beginning": "export",
        "is_export": "export",
        "is_parquet_folder": "parquet",
        "ranks": "export",
        "read_rank": "export",
        "read_text": "export",
        "write_database": "parquet",
    },
)
