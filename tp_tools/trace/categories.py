"""Categories of events, as Kineto names them today and named them until 2021.

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
"""Today's name of each category by its name until 2021."""

KERNEL = frozenset({"kernel", "Kernel"})
"""Kernels."""

GPU_WORK = KERNEL | {"gpu_memcpy", "gpu_memset", "Memcpy", "Memset"}
"""What keeps a GPU busy: kernels, copies, memsets."""

GPU_ANNOTATION = "gpu_user_annotation"
"""Annotations of the user, drawn over the GPU work that was launched within them."""


def has_category(trace: Trace, categories: Collection[str]) -> NDArray[np.bool_]:
    """Mark the events of these categories.

    Returns:
        bool array (events,).
    """
    return is_in(trace.cat, [code for code, cat in enumerate(trace.cats) if cat in categories])
