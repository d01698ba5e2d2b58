"""Read what a profile of XLA says of planes and events, by the names that it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def text_of(value: bytes) -> str:
    """Return a text, which may be no UTF-8."""
    return value.decode("utf-8", "replace")


class Stats:
    """Reads the stats of a plane and of its events by their names."""

    def __init__(self, plane: Any) -> None:  # noqa: ANN401  made at run time
        self._names = {it.key: text_of(it.value.name) for it in plane.stat_metadata}
        self._plane = plane.stats
        self._events = {it.key: it.value for it in plane.event_metadata}

    def name(self, event: Any) -> str:  # noqa: ANN401
        """Return the name of an event."""
        found = self._events.get(event.metadata_id)
        return "event" if found is None else text_of(found.name or found.display_name) or "event"

    def of(self, event: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the stats of an event, with those of its kind."""
        kind = self._events.get(event.metadata_id)
        return self._named([*(kind.stats if kind is not None else ()), *event.stats])

    def of_plane(self) -> dict[str, Any]:
        """Return the stats of the plane itself."""
        return self._named(self._plane)

    def _named(self, given: Iterable[Any]) -> dict[str, Any]:
        return {self._names.get(it.metadata_id, "?"): self._value(it) for it in given}

    def _value(self, stat: Any) -> Any:  # noqa: ANN401
        if stat.HasField("ref_value"):
            return self._names.get(stat.ref_value, "")
        if stat.HasField("str_value"):
            return text_of(stat.str_value)
        for field in ("int64_value", "uint64_value", "double_value"):
            if stat.HasField(field):
                return getattr(stat, field)
        return None
