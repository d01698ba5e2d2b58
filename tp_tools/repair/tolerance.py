"""Define the default tolerance, in a module of its own so that --help imports no numpy."""

TOLERANCE_NS = 1_000
"""CPU slices that overlap by at most this many ns count as jitter: trimmed, not moved."""
