"""Read SQLite exports of Nsight Systems as the text of a Kineto trace.

A file is read table by table, read-only; all that stands behind (repair, merge, SQL) takes the text
for that of a trace which Kineto wrote.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.nsys.export import is_export, read_text

__all__ = ["is_export", "read_text"]

__getattr__ = exporter(__name__, {"is_export": "export", "read_text": "export"})
