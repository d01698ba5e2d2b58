"""Merge the ranks of a job into one trace.

Files enter through `preparation.prepare`, which reads, repairs and aligns them as a `MergePlan`;
`output.blocks` turns the plan into bytes of Chrome JSON or .pftrace, `archive` into a zip.
"""
