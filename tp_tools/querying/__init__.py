"""Open traces in TraceProcessor and run queries on them.

Files enter as `load_trace` (one trace) or `load_job` (all ranks of a job, merged); rows leave as
`Rows` of `run_query`, and from there as frames and files (`frames`).
"""
