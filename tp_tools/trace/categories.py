"""List the categories of GPU events, under the names of today and of before 2021.

Source: libkineto's ActivityType names; the capitalised ones are those of PyTorch 1.8 and 1.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.columns import is_in

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.trace.model import Trace

FORMER = {
    "Kernel": "kernel",
    "Memcpy": "gpu_memcpy",
    "Memset": "gpu_memset",
    "Operator": "cpu_op",
    "Runtime": "cuda_runtime",
}
"""Map each category name of Kineto before 2021 to its name today, "Memcpy" to "gpu_memcpy"."""

KERNEL = frozenset({"kernel", "Kernel"})
"""Categories of kernels."""

GRAPH = "cuda_graph"
"""Category of replays of CUDA graphs that Nsight Systems recorded as a whole, without kernels."""

GPU_WORK = KERNEL | {"gpu_memcpy", "gpu_memset", "Memcpy", "Memset", GRAPH}
"""Categories of events that occupy a GPU: kernels, copies, memsets, replays of graphs."""

HOST_WORK = frozenset(
    {"cpu_op", "Operator", "cuda_runtime", "Runtime", "cuda_driver", "python_function"}
)
"""Categories of events that occupy a thread of the host."""

GPU_ANNOTATION = "gpu_user_annotation"
"""Category of user annotations that Kineto draws over the GPU work launched within them."""

ANNOTATION = frozenset({"user_annotation", GPU_ANNOTATION})
"""Categories of annotations."""

STEP_PREFIX = "ProfilerStep"
"""Start of the names of PyTorch's annotations of steps, in whatever category."""


def has_category(trace: Trace, categories: Collection[str]) -> NDArray[np.bool_]:
    """Mark the events of these categories.

    Args:
        trace: the trace.
        categories: names of categories, as the trace writes them.

    Returns:
        bool array (events,).
    """
    return is_in(trace.cat, [code for code, cat in enumerate(trace.cats) if cat in categories])
