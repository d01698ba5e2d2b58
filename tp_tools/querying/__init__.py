"""Open traces in TraceProcessor and run queries on them.

Files enter as `load_trace` (one trace) or `load_job` (all ranks of a job, merged); rows leave as
`Rows` of `run_query`, and from there as frames and files (`frames`).
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.querying.api import open_job, open_trace, query, query_all
    from tp_tools.querying.job_loader import load_job
    from tp_tools.querying.runner import run_queries, run_query
    from tp_tools.querying.trace_loader import LoadOptions, load_trace

__all__ = [
    "LoadOptions",
    "load_job",
    "load_trace",
    "open_job",
    "open_trace",
    "query",
    "query_all",
    "run_queries",
    "run_query",
]

__getattr__ = exporter(
    __name__,
    {
        "open_job": "api",
        "open_trace": "api",
        "query": "api",
        "query_all": "api",
        "load_job": "job_loader",
        "run_queries": "runner",
        "run_query": "runner",
        "LoadOptions": "trace_loader",
        "load_trace": "trace_loader",
    },
)
