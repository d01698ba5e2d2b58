"""Count how late ranks came to collectives, as `stragglers` does, and add it up by place or group.

A place is a machine, or a rail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tp_tools.merging.ranks import some
from tp_tools.reporting.collective import Collective

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Lateness(Struct):
    """What ranks of one place came late.

    Attributes:
        ranks: the ranks of the place that share a collective.
        times_last: collectives to which one of them came last, later than another.
        caused_ns: time that all other ranks waited in these, divided among ranks that came last
            together.
        elsewhere_ns: the part of it in which ranks of other places waited.
    """

    ranks: set[int | None] = field(default_factory=set)
    times_last: int = 0
    caused_ns: float = 0.0
    elsewhere_ns: float = 0.0


def lateness(
    collectives: Iterable[Collective], places: Mapping[int | None, str]
) -> dict[str, Lateness]:
    """Add up what came late, by place; ranks without a place are in none.

    Args:
        collectives: collectives that no rank leaves before the last has come.
        places: the place of each rank.
    """
    found = defaultdict[str, Lateness](Lateness)
    for it in collectives:
        _add(found, it, places)
    return dict(found)


def _add(
    found: dict[str, Lateness], collective: Collective, places: Mapping[int | None, str]
) -> None:
    """Add a collective to the lateness of the places of its ranks."""
    arrivals = collective.arrivals
    waits = defaultdict[str | None, int](int)
    last = max(arrivals.values())
    for rank, arrival in arrivals.items():
        place = places.get(rank)
        waits[place] += last - arrival
        if place is not None:
            found[place].ranks.add(rank)
    total = sum(waits.values())
    late = [places.get(rank) for rank, arrival in arrivals.items() if arrival == last]
    for place in {it for it in late if it is not None} if total else ():
        share = late.count(place) / len(late)
        it = found[place]
        it.times_last += 1
        it.caused_ns += share * total
        it.elsewhere_ns += share * (total - waits[place])


def ranks_text(ranks: Iterable[int | None]) -> str:
    """Write the first few ranks, and the last."""
    return some(sorted(rank for rank in ranks if rank is not None))


def process_groups(collectives: Sequence[Collective]) -> dict[str, list[Collective]]:
    """Divide collectives by process group, by its label: "group 7, ranks 0, 8, 16, 24, ... 56".

    Groups of one name are told apart by their ranks: those that share a collective are in one.
    """
    groups = _connected([(it.group, list(it.arrivals)) for it in collectives])
    by_group = defaultdict[Hashable, list[Collective]](list)
    members = defaultdict[Hashable, set[int | None]](set)
    for it, group in zip(collectives, groups, strict=True):
        by_group[group].append(it)
        members[group].update(it.arrivals)
    found = {}
    for group, of_group in by_group.items():
        name = of_group[0].group
        ranks = f"ranks {ranks_text(members[group])}"
        found[ranks if name is None else f"group {name}, {ranks}"] = of_group
    return found


def _connected(parts: Sequence[tuple[Hashable, list[int | None]]]) -> list[Hashable]:
    """Return for each part a key that parts of one name have in common whose ranks are connected.

    Args:
        parts: name and ranks of each.
    """
    above: dict[Hashable, Hashable] = {}

    def top(key: Hashable) -> Hashable:
        while above.setdefault(key, key) != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    for name, ranks in parts:
        for rank in ranks:
            above[top((name, rank))] = top((name, ranks[0]))
    return [top((name, ranks[0])) for name, ranks in parts]
