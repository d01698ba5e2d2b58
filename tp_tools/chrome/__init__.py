"""Read Chrome JSON traces, as PyTorch and Kineto write them.

`reader.read` sanitizes and decodes the text of a file, batch by batch, into the columns of a
`Trace`. `reread.batch_texts` gives the same batches as text again, to be copied or edited.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.chrome.metadata import TraceMetadata
    from tp_tools.chrome.parallel_reader import batch_pool, reading_jobs
    from tp_tools.chrome.reader import read
    from tp_tools.chrome.reread import batch_texts

__all__ = ["TraceMetadata", "batch_pool", "batch_texts", "read", "reading_jobs"]

__getattr__ = exporter(
    __name__,
    {
        "TraceMetadata": "metadata",
        "batch_pool": "parallel_reader",
        "reading_jobs": "parallel_reader",
        "read": "reader",
        "batch_texts": "reread",
    },
)
