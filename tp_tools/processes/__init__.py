"""Processes: a pool of workers, and how signals end this process.

Calls go into a pool and results come out in the order of the calls. No worker outlives the process
that opened the pool, and no temporary file outlives a process that a signal ends.
"""
