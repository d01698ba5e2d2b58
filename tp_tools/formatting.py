"""Numbers and names as people read them."""

from __future__ import annotations

_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"))


def plural(count: int, noun: str) -> str:
    """1,234 kernels; 1 kernel."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def span(time: int) -> str:
    """A duration in ns with three or four digits: 2.346 ms."""
    for size, unit in _UNITS:
        if abs(time) >= size:
            return f"{time / size:.3f} {unit}"
    return f"{time} ns"


def percent(share: float) -> str:
    """A share from 0 to 1: 18.8 %."""
    return f"{100 * share:.1f} %"


def size(count: int) -> str:
    """Bytes: 12.3 MB (1e6)."""
    for scale, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def middle(name: str, width: int) -> str:
    """A long name shortened in its middle: kernels differ at both ends."""
    width = max(width, 8)
    if len(name) <= width:
        return name
    left = (width - 3) // 2
    return f"{name[:left]}...{name[len(name) - (width - 3 - left) :]}"
