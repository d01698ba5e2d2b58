"""Merge the ranks of a job into one trace.

Files enter through `preparation.prepare`, which reads, repairs and aligns them as a `MergePlan`;
`output.blocks` turns the plan into bytes of Chrome JSON or .pftrace, `archive` into a zip.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.merging.job_files import JobFiles, find
    from tp_tools.merging.preparation import MergeOptions, MergePlan, prepare

__all__ = ["JobFiles", "MergeOptions", "MergePlan", "find", "prepare"]

__getattr__ = exporter(
    __name__,
    {
        "JobFiles": "job_files",
        "find": "job_files",
        "MergeOptions": "preparation",
        "MergePlan": "preparation",
        "prepare": "preparation",
    },
)
