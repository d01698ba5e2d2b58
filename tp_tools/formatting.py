"""Format numbers, durations, sizes and names as people read them."""

from __future__ import annotations

import re
import textwrap

_TIME_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"))
_BYTE_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))

_BEFORE_UNIT = re.compile(
    r"(?<=\d) (?=(?:%|[num\N{MICRO SIGN}]?s|[kMGT]?B(?:/s)?|[kMGT]?FLOP/s|ppm)(?!\w))"
)
_NO_BREAK = "\N{NO-BREAK SPACE}"
_HOLD = "\x1f"  # stands for such a space while lines are broken: texts of traces may hold those


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


def unbroken(text: str) -> str:
    """Put no-break spaces between numbers and their units, for pages that break lines."""
    return _BEFORE_UNIT.sub(_NO_BREAK, text)


def lines(text: str, width: int, first: str = "", further: str = "") -> list[str]:
    """Break a text into lines, between words, and never between a number and its unit.

    Words that are longer than a line, such as paths, stay whole, so that they can be copied.

    Args:
        text: one paragraph.
        width: characters of a line at most.
        first: what the first line begins with.
        further: what the other lines begin with.
    """
    found = textwrap.wrap(
        _BEFORE_UNIT.sub(_HOLD, text),
        width,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_HOLD, " ") for line in found]


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
