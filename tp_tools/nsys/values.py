"""Format values of a database as JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENCODE = msgspec.json.Encoder().encode


def microseconds(time_ns: int) -> str:
    """Return a time or duration, 0 or more, in microseconds with three decimals: exact ns.

    Example:
        >>> microseconds(1_234_005)
        '1234.005'
    """
    return f"{time_ns // 1000}.{time_ns % 1000:03d}"


def json_text(value: Any) -> str:  # noqa: ANN401  whatever JSON holds
    """Return a value as JSON."""
    return _ENCODE(value).decode()


def members(values: dict[str, Any]) -> str:
    """Return an object as JSON, without the members that are None."""
    return _ENCODE({key: value for key, value in values.items() if value is not None}).decode()


def event_blocks(groups: Iterable[list[str]]) -> Iterator[bytes]:
    """Yield the text of the members of an array of events, group by group.

    Args:
        groups: events as JSON; a group may be empty.
    """
    separator = ""
    for events in groups:
        if events:
            yield (separator + ",\n".join(events)).encode()
            separator = ",\n"
