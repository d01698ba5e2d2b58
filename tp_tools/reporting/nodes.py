"""Build the figures of large jobs: the machines, rails and process groups that others wait for."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tp_tools.alignment.collectives import SYNCHRONISING
from tp_tools.formatting import percent, plural
from tp_tools.merging.hosts import RankGpus, rails
from tp_tools.reporting.bars import ranked
from tp_tools.reporting.collective import SURE
from tp_tools.reporting.lateness import lateness, process_groups, ranks_text
from tp_tools.reporting.model import Figure
from tp_tools.reporting.plots import heat_map
from tp_tools.reporting.stragglers import caveats
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tp_tools.reporting.collective import Collective
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.lateness import Lateness

LEAST_RANKS = 64
"""From so many ranks on, questions are about machines and groups."""

MAX_BARS = 20
MAX_ROWS = 40
MAX_GROUPS = 60
"""Rows of the heat map at most."""

MAX_NODES = 128
"""Columns of the heat map at most."""

MAX_NAMED_NODES = 32
"""Columns of the heat map that have their names below them, at most."""

UNKNOWN = "not known"


def figures(
    data: ReportData, collectives: Sequence[Collective], least: int = LEAST_RANKS
) -> list[Figure]:
    """Build the figures; none below so many ranks.

    Args:
        data: the data of the report.
        collectives: the collectives of the job.
        least: number of ranks from which on there are figures.
    """
    shared = [it for it in collectives if it.kind in SYNCHRONISING and it.confidence in SURE]
    if len({rank for it in shared for rank in it.arrivals}) < least:
        return []
    hosts = {member.rank: member.info.host for member in data.members}
    nodes = {rank: host or UNKNOWN for rank, host in hosts.items()}
    count = len(set(hosts.values()) - {""})
    if count < 2:  # noqa: PLR2004  of one machine there is nothing to compare
        reason = "all ranks are of one machine" if count else "no trace names its machine"
        return [Figure("nodes", "Machines that the others wait for", reason)]
    notes = caveats(data)
    unknown = sum(not host for host in hosts.values())
    if unknown:
        notes.append(f"The machine of {plural(unknown, 'rank')} is not known.")
    by_node = lateness(shared, nodes)
    found = [
        _places(
            by_node,
            ("nodes", "Machines that the others wait for", "machine"),
            "The bar of a machine is what all other ranks together waited for its ranks, at "
            "collectives to which one of these came last; ranks of the machine wait for it, too. "
            "Names of machines are those in the traces.",
            notes,
        )
    ]
    by_rail = _rails(data, shared)
    if len(by_rail) > 1:
        found.append(
            _places(
                by_rail,
                ("rails", "Rails that the others wait for", "rail"),
                "The same by the number of the GPU on its machine: GPUs of one number usually "
                "share a rail of the network. Ranks whose number is not known are left out.",
                notes,
            )
        )
    return [*found, _map(shared, nodes, by_node, notes)]


def _rails(data: ReportData, collectives: Iterable[Collective]) -> dict[str, Lateness]:
    """Add up what came late by rail; ranks whose rail is not known are left out."""
    used = defaultdict[int | None, set[int]](set)
    for it in collectives:
        for rank, device in it.devices.items():
            if device is not None:
                used[rank].add(device)
    gpus = {
        member.rank: RankGpus(
            member.info.host,
            frozenset(used[member.rank]),
            len(member.info.metadata.gpus) if member.info.metadata is not None else 0,
        )
        for member in data.members
        if member.rank is not None
    }
    return lateness(
        collectives,
        {rank: f"GPU {rail}" for rank, rail in rails(gpus).items() if rail is not None},
    )


def _slowest_first(found: Mapping[str, Lateness]) -> list[tuple[str, Lateness]]:
    """Order places by the time that others waited for them."""
    return sorted(found.items(), key=lambda it: (-it[1].caused_ns, it[0]))


def _places(
    found: Mapping[str, Lateness], names: tuple[str, str, str], text: str, notes: Sequence[str]
) -> Figure:
    """Build the figure of machines or rails.

    Args:
        found: what came late, by place.
        names: the key and the title of the figure, and the word for a place.
        text: how to read it.
        notes: what may be wrong with it.
    """
    key, title, word = names
    ordered = _slowest_first(found)
    total = sum(it.caused_ns for _, it in ordered) or 1
    bars = [
        (name, round(it.caused_ns), "waits", f"{name}: came last {it.times_last:,} times")
        for name, it in ordered[:MAX_BARS]
    ]
    columns = (
        Column(word, word, "text"),
        Column("ranks", "ranks", "text"),
        Column("times_last", "came last"),
        Column("caused_wait_us", "others waited for it", "us"),
        Column("share", "share", "text"),
        Column("elsewhere_us", f"those of other {word}s", "us"),
    )
    rows = [
        (
            name,
            ranks_text(it.ranks),
            it.times_last,
            it.caused_ns / 1e3,
            percent(it.caused_ns / total),
            it.elsewhere_ns / 1e3,
        )
        for name, it in ordered
    ]
    omitted = len(ordered) - len(bars)
    cut = [f"The chart has the {MAX_BARS} that others waited for longest."] if omitted > 0 else []
    return Figure(
        key,
        title,
        text,
        queries=("collectives_by_rank",),
        bars=ranked(bars, {"waits": ("others waited for it", "var(--exposed)")}),
        table=Table(columns, rows, is_open=True),
        notes=[*cut, *notes],
    )


def _map(
    shared: Sequence[Collective],
    nodes: Mapping[int | None, str],
    by_node: Mapping[str, Lateness],
    notes: Sequence[str],
) -> Figure:
    """Build the heat map of lateness by process group and machine, the slowest first."""
    cells = {group: lateness(of_group, nodes) for group, of_group in process_groups(shared).items()}
    totals = {group: sum(it.caused_ns for it in row.values()) for group, row in cells.items()}
    groups = sorted(cells, key=lambda group: (-totals[group], group))
    columns = [name for name, _ in _slowest_first(by_node)]
    shown, named = groups[:MAX_GROUPS], columns[:MAX_NODES]
    cut = [
        f"The map has the {most} {what} with the most waiting, of {len(all_of):,}."
        for most, what, all_of in (
            (MAX_GROUPS, "process groups", groups),
            (MAX_NODES, "machines", columns),
        )
        if len(all_of) > most
    ]
    return Figure(
        "group-nodes",
        "Process groups by machine",
        "A row per process group, a column per machine, the slowest first. The stronger the "
        "colour, the longer the ranks of the group waited for those of them on this machine. "
        "Blank: it has none of them. Groups of which the profiler gives no name are told by the "
        "ranks that share collectives.",
        queries=("collectives_by_rank",),
        plot=heat_map(
            shown,
            [
                [cells[it][node].caused_ns / 1e3 if node in cells[it] else None for node in named]
                for it in shown
            ],
            named,
            "machine, the slowest first",
            "waited for",
            names_columns=len(named) <= MAX_NAMED_NODES,
        ),
        table=_cells_table(cells),
        notes=[*cut, *notes],
    )


def _cells_table(cells: Mapping[str, Mapping[str, Lateness]]) -> Table:
    """Make the table of process groups on machines that others waited for longest."""
    every = [(group, node, it) for group, row in cells.items() for node, it in row.items()]
    late = [it for it in every if it[2].times_last]
    late.sort(key=lambda it: (-it[2].caused_ns, it[0], it[1]))
    columns = (
        Column("process_group", "process group", "text"),
        Column("machine", "machine", "text"),
        Column("ranks", "its ranks there", "text"),
        Column("times_last", "came last"),
        Column("caused_wait_us", "others waited for it", "us"),
    )
    rows = [
        (group, node, ranks_text(it.ranks), it.times_last, it.caused_ns / 1e3)
        for group, node, it in late[:MAX_ROWS]
    ]
    omitted = len(late) - len(rows)
    return Table(columns, rows, f"And {plural(omitted, 'row')} more." if omitted else "")
