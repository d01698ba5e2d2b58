"""Fuzz the commands, in-process: mutated traces, folders of ranks, and headers of queries."""
