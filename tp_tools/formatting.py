"""Format numbers, durations, sizes and names as people read them."""

from __future__ import annotations

_TIME_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"))
_BYTE_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: 1,234 kernels; 1 kernel."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def span(time: int) -> str:
    """Write a duration in ns with three decimals of its unit: 2.346 ms; 12 ns."""
    for scale, unit in _TIME_UNITS:
        if abs(time) >= scale:
            return f"{time / scale:.3f} {unit}"
    return f"{time} ns"


def short_span(time: int) -> str:
    """Write a duration in ns with one decimal of its unit: 2.3 ms; 12 ns."""
    for scale, unit in _TIME_UNITS:
        if abs(time) >= scale:
            return f"{time / scale:.1f} {unit}"
    return f"{time} ns"


def percent(share: float) -> str:
    """Write a share from 0 to 1: 18.8 %."""
    return f"{100 * share:.1f} %"


def size(count: int) -> str:
    """Write a number of bytes in decimal units: 12.3 MB is 12.3e6 bytes."""
    for scale, unit in _BYTE_UNITS:
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def middle(name: str, width: int) -> str:
    """Shorten a name in its middle, since names of kernels differ at both ends.

    Args:
        name: the name.
        width: characters at most; 8 at least.
    """
    width = max(width, 8)
    if len(name) <= width:
        return name
    left = (width - 3) // 2
    return f"{name[:left]}...{name[len(name) - (width - 3 - left) :]}"
