"""Processes: a pool of workers, what a worker does, and how signals end this process.

Calls go in, results come out in order; nothing outlives the process that opened a pool.
"""
