"""Write numbers with three digits, and rates in units that fit."""

from __future__ import annotations

import math


def rate(per_second: float, noun: str) -> str:
    """Write a rate with three digits and a prefix that fits."""
    scales = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
    scale, prefix = next((it for it in scales if per_second >= it[0]), (1.0, ""))
    return f"{three_digits(per_second / scale)} {prefix}{noun}"


def three_digits(value: float) -> str:
    """Write a number with three digits: 0.0123, 1.50, 1,234."""
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(0, decimals)}f}"


def count(value: float) -> str:
    """Write a count; one that is a mean has three digits."""
    return f"{value:,}" if isinstance(value, int) else three_digits(value)
