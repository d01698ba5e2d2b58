"""Read trace files as streams of text, and write output files whole or not at all.

Paths, "-" and pipes enter as a `Source` that gives blocks of decompressed bytes.
Blocks of bytes leave through `output.written`, compressed as the suffix of the name says.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.files.opening import open_source
    from tp_tools.files.source import ReadSizes, Source

__all__ = ["ReadSizes", "Source", "open_source"]

__getattr__ = exporter(
    __name__,
    {
        "ReadSizes": "source",
        "Source": "source",
        "open_source": "opening",
    },
)
