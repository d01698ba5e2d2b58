"""Say what a profile of XLA tells of its machine, GPUs and clock, and what it warns of.

Sources: xplane.proto; names of stats: xplane_schema.cc of XLA's profiler, which gives GPUs theirs
in cupti_collector.cc and rocm_collector.cc. Before it writes a profile, it takes the time of its
start from those of all lines, and keeps it in a plane of its own (timestamp_utils.cc).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.xplane.stats import Stats, text_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

GPU = re.compile(r"/device:GPU:(\d+)")
"""Names of planes of GPUs."""

_PROPERTIES = {
    "memory_size": "totalGlobalMem",
    "core_count": "numSms",
    "compute_cap_major": "computeMajor",
    "compute_cap_minor": "computeMinor",
}
"""Member of Kineto's deviceProperties for each stat of a plane."""

_ENVIRONMENT = "Task Environment"
_START = "profile_start_time"
_EPOCH_FROM_NS = 10**18
"""Times from here on count from 1970: the year 2001."""

_MOST_TOLD = 20


class Times(Struct, frozen=True):
    """The clock of a profile.

    Attributes:
        first_ns: the earliest time of a line with events, ns, which becomes 0.
        base_ns: that time in ns since the epoch; None where the profile does not say it.
    """

    first_ns: int
    base_ns: int | None

    @classmethod
    def of(cls, space: Any) -> Times:  # noqa: ANN401  made at run time
        """Read the clock of a profile."""
        stamps = [line.timestamp_ns for it in space.planes for line in it.lines if line.events]
        first = min(stamps, default=0)
        started = (
            Stats(it).of_plane().get(_START)
            for it in space.planes
            if text_of(it.name) == _ENVIRONMENT
        )
        start = next((it for it in started if isinstance(it, int)), 0)
        since = first if first >= _EPOCH_FROM_NS else first + start
        return cls(first, since if since >= _EPOCH_FROM_NS else None)


def header(space: Any, times: Times) -> dict[str, Any]:  # noqa: ANN401
    """Return the members of the trace that stand before its events, as Kineto calls them."""
    head: dict[str, Any] = {
        "xplane": {"planes": sum(bool(it.lines) for it in space.planes)},
        "deviceProperties": list(_gpus(space)),
    }
    if times.base_ns is not None:
        head["baseTimeNanoseconds"] = times.base_ns
    hosts = set(map(text_of, space.hostnames))
    if len(hosts) == 1:
        head["host_name"] = hosts.pop()
    return head


def _gpus(space: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    for plane in space.planes:
        if match := GPU.fullmatch(text_of(plane.name)):
            stats = Stats(plane).of_plane()
            gpu: dict[str, Any] = {"id": int(match[1])}
            if name := stats.get("device_type_string") or stats.get("device_vendor"):
                gpu["name"] = str(name)
            known = {key: stats.get(stat) for stat, key in _PROPERTIES.items()}
            yield gpu | {key: value for key, value in known.items() if isinstance(value, int)}


def told(space: Any, left_out: Counter[str]) -> Iterator[str]:  # noqa: ANN401
    """Yield lines on a profile: what became no event, and what the profiler itself said."""
    if left_out:
        yield f"Left out: {', '.join(f'{what} ({count:,})' for what, count in left_out.items())}."
    texts = [" ".join(text_of(it).split()) for it in (*space.errors, *space.warnings)]
    known = list(dict.fromkeys(filter(None, texts)))
    for text in known[:_MOST_TOLD]:
        yield f"The profiler of XLA says: {text}"
    if len(known) > _MOST_TOLD:
        yield f"The profiler of XLA says {len(known) - _MOST_TOLD} things more."
