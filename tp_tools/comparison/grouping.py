"""Sum the rows of kernels that have one short name."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.comparison.model import KERNEL, Key, Launches, Samples
from tp_tools.trace.short_names import short_name

if TYPE_CHECKING:
    from tp_tools.comparison.model import Side


def by_short_name(side: Side) -> Side:
    """Return the side with a row for the kernels of each short name and kind."""
    if side.full_names:
        return side  # it is so already
    short: dict[str, str] = {}
    longest: dict[str, tuple[float, str]] = {}
    groups: dict[Key, list[Samples]] = defaultdict(list)
    for key, samples in side.rows.items():
        name = key.name
        if key.level == KERNEL:
            name = short[key.name] = short_name(key.name)
            ns = float(samples.ns.sum())
            longest[name] = max(longest.get(name, (ns, key.name)), (ns, key.name))
        groups[replace(key, name=name)].append(samples)
    rows = {key: _sum(samples) for key, samples in groups.items()}
    return replace(
        side,
        rows=rows,
        launches=side.launches and _shortened(side.launches, short),
        full_names={name: full for name, (_, full) in longest.items()},
    )


def _sum(samples: list[Samples]) -> Samples:
    if len(samples) == 1:
        return samples[0]
    counts, ns = (sum(getattr(it, name) for it in samples) for name in ("counts", "ns"))
    return Samples(counts, ns)


def _shortened(launches: Launches, short: dict[str, str]) -> Launches:
    for name in launches.kinds:
        if name not in short:
            short[name] = short_name(name)
    return replace(
        launches,
        names=tuple(short[name] for name in launches.names),
        kinds={short[name]: kind for name, kind in launches.kinds.items()},
    )
