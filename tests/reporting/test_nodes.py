"""Large jobs: which machines, rails and process groups the others wait for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from fixtures import generate_ranks
from tests.support.generated import STEP
from tests.support.page_text import column, report_data
from tp_tools.progress import SILENT
from tp_tools.reporting import nodes
from tp_tools.reporting.collection import collect
from tp_tools.reporting.collective import collectives_of
from tp_tools.reporting.lateness import process_groups
from tp_tools.reporting.plots import heat_map

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.model import Figure

HOSTS = ["a", "a", "b", "b"]


def rows(
    number: int, group: str | None, kind: str = "all_reduce", sure: str = "certain", **arrivals: int
) -> list[dict[str, Any]]:
    """The rows of a collective in collectives_by_rank: `r3=100` arrives at 100 ns, on GPU 3 % 2."""
    same = {"kind": kind, "seq": number, "process_group": group, "confidence": sure, "step": None}
    return [
        {"collective": number, **same, "rank": int(rank[1:]), "device": int(rank[1:]) % 2}
        | {"arrival": arrival}
        for rank, arrival in arrivals.items()
    ]


JOB = [
    # rank 3 is last: 30 + 30 + 20 us are waited, of which 20 on its own machine
    *rows(0, "0", r0=0, r1=0, r2=10_000, r3=30_000),
    # ranks 0 and 2 are last together: each is half of the cause of 16 us
    *rows(1, "0", r0=108_000, r1=100_000, r2=108_000, r3=100_000),
    # two groups of one name, each on a machine; the second came together
    *rows(2, "tp", r0=200_000, r1=204_000),
    *rows(3, "tp", r2=200_000, r3=200_000),
    # neither counts: a late receiver holds nobody up, an uncertain match says nothing
    *rows(4, "0", kind="broadcast", r0=300_000, r1=900_000),
    *rows(5, "0", sure="uncertain", r0=300_000, r1=900_000),
]


def made(hosts: list[str], *listed: dict[str, Any]) -> ReportData:
    """The data of ranks on these machines."""
    data, _ = report_data(len(hosts), collectives_by_rank=list(listed))
    members = [
        replace(member, info=SimpleNamespace(host=host, metadata=None))
        for member, host in zip(data.members, hosts, strict=True)
    ]
    return replace(data, members=members)


def figures(data: ReportData, least: int = 4) -> dict[str, Figure]:
    """The figures by their keys."""
    return {it.key: it for it in nodes.figures(data, collectives_of(data), least)}


def cells(figure: Figure, *keys: str) -> list[tuple[Any, ...]]:
    """Columns of a figure's table, row by row."""
    return list(zip(*(column(figure.table, key) for key in keys), strict=True))


def test_machines_and_rails_by_hand() -> None:
    """The slowest first, with what ranks of other machines waited for it."""
    found = figures(made(HOSTS, *JOB))
    keys = ("ranks", "times_last", "caused_wait_us", "share", "elsewhere_us")
    assert cells(found["nodes"], "machine", *keys) == [
        ("b", "2, 3", 2, 80 + 8, "88.0 %", 60 + 4),
        ("a", "0, 1", 2, 8 + 4, "12.0 %", 4),
    ]
    # GPU 1 is rank 1 and rank 3; rank 2 waited 20 us for the latter, and is on GPU 0
    assert cells(found["rails"], "rail", *keys) == [
        ("GPU 1", "1, 3", 2, 80 + 4, "84.0 %", 50 + 4),
        ("GPU 0", "0, 2", 1, 16, "16.0 %", 16),
    ]


def test_process_groups_by_machine() -> None:
    """A row per group, those of one name told apart by ranks; blank where it has no rank."""
    found = figures(made(HOSTS, *JOB))["group-nodes"]
    assert found.plot is not None
    (heat,) = found.plot["data"]
    assert heat["x"] == ["b", "a"]
    assert heat["y"] == [
        "group 0, ranks 0, 1, 2, 3",
        "group tp, ranks 0, 1",
        "group tp, ranks 2, 3",
    ]
    waited = [["88.000 us", "8.000 us"], ["", "4.000 us"], ["0 ns", ""]]
    assert [[text.replace("\N{MICRO SIGN}", "u") for text in row] for row in heat["text"]] == waited
    keys = ("process_group", "machine", "ranks", "times_last", "caused_wait_us")
    assert cells(found, *keys) == [
        ("group 0, ranks 0, 1, 2, 3", "b", "2, 3", 2, 88),
        ("group 0, ranks 0, 1, 2, 3", "a", "0, 1", 1, 8),
        ("group tp, ranks 0, 1", "a", "0, 1", 1, 4),
    ]


def test_nameless_groups_are_the_ranks_that_share_collectives() -> None:
    """Ranks that are connected by a third one are in one group."""
    listed = [*rows(0, None, r0=0, r1=1), *rows(1, None, r1=0, r2=1), *rows(2, None, r3=0, r4=1)]
    data = made(["a"] * 5, *listed)
    found = process_groups(collectives_of(data))
    assert {name: [it.number for it in of] for name, of in found.items()} == {
        "ranks 0, 1, 2": [0, 1],
        "ranks 3, 4": [2],
    }


@pytest.mark.parametrize(
    ("hosts", "reason"),
    [([""] * 4, "no trace names its machine"), (["a", "a", "a", ""], "all ranks are of one")],
)
def test_without_two_machines_there_is_nothing_to_compare(hosts: list[str], reason: str) -> None:
    """The figure is left out for a reason."""
    found = figures(made(hosts, *JOB))
    assert list(found) == ["nodes"]
    assert found["nodes"].is_empty
    assert found["nodes"].text.startswith(reason)


def test_unknown_machines_are_a_row_and_have_no_rail() -> None:
    """They are counted, and given to no machine."""
    found = figures(made(["a", "a", "b", ""], *JOB))
    assert column(found["nodes"].table, "machine") == [nodes.UNKNOWN, "a", "b"]
    assert "The machine of 1 rank is not known." in found["nodes"].notes
    # alone on its machine, on GPU 0: so rank 2 may be on any
    assert column(found["rails"].table, "ranks") == ["0", "1"]


def test_small_jobs_have_no_such_figures() -> None:
    """Of fewer ranks the table of ranks says it all."""
    assert figures(made(HOSTS, *JOB), least=5) == {}
    assert nodes.figures(made(HOSTS, *JOB), []) == []


def test_sums_over_machines_are_those_of_stragglers(tmp_path: Path) -> None:
    """On generated ranks of two machines, what SQL says of the ranks adds up to the machines."""
    wishes = generate_ranks.Wishes(
        ranks=4, steps=8, args="seq", hosts=2, lossy_rank=None, only_collectives=True
    )
    job = generate_ranks.generate(generate_ranks.structure(STEP), wishes)
    files = [str(it) for it in generate_ranks.written(job, tmp_path, ".json")]
    data = collect(files, None, "auto", SILENT)
    found = figures(data)
    waited = {"node-0": 0.0, "node-1": 0.0}
    for rank, caused in data.rows("stragglers", "rank", "caused_wait_us"):
        waited[f"node-{rank // 2}"] += caused
    assert min(waited.values()) > 0
    table = dict(cells(found["nodes"], "machine", "caused_wait_us"))
    assert table == pytest.approx(waited)
    assert sorted(column(found["rails"].table, "rail")) == ["GPU 0", "GPU 1"]


def test_a_map_of_few_rows_has_room_for_the_times_of_its_colours() -> None:
    """In one row the times from 1 us to 1 ms stood upon each other."""
    heights = [
        heat_map([str(row) for row in range(rows)], [[2_000.0]] * rows, ["node-0"])["layout"][
            "height"
        ]
        for rows in (1, 4, 8)
    ]
    assert heights[0] == heights[1] < heights[2]
