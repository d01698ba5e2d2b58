"""Describe a trace: its job, GPUs and versions, the counts of its events, its defects.

A `Source` enters `trace_info.describe`, which returns a `TraceInfo`: Chrome JSON is counted from
its columns, any other format by SQL. It leaves as lines (`facts.lines`) or as an object for JSON.
"""
