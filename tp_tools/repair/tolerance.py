"""The default of what counts as jitter; apart from the rest, so that --help imports no numpy."""

TOLERANCE_NS = 1_000
"""CPU slices that overlap by at most this many ns are trimmed, not moved."""
