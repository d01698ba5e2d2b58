"""Format values of a database as JSON text."""

from __future__ import annotations

from json import dumps
from typing import Any


def microseconds(time_ns: int) -> str:
    """Return a time or duration, 0 or more, in microseconds with three decimals: exact ns.

    Example:
        >>> microseconds(1_234_005)
        '1234.005'
    """
    whole, rest = divmod(time_ns, 1000)
    return f"{whole}.{rest:03d}"


def members(values: dict[str, Any]) -> str:
    """Return an object as JSON, without the members that are None."""
    return dumps({key: value for key, value in values.items() if value is not None})
