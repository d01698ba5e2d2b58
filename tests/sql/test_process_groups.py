"""`process_groups`: which group lost most by waiting, and for which of its ranks."""

from __future__ import annotations

from tests.support.gpu_traces import ask
from tests.support.rank_traces import Slice, foreign, group, reduction, rows, told


def reduced(
    number: int, end: float, arrivals: dict[int, float], name: str = "7", description: str = "tp"
) -> list[Slice]:
    """An all-reduce of a group, which ends on all its ranks at once."""
    args = {
        **told(size=len(arrivals), Seq=number),
        **group(name, *arrivals, description=description),
    }
    return [reduction(rank, start, end, args) for rank, start in arrivals.items()]


def test_every_column_by_hand() -> None:
    """Two groups of two ranks: in the second rank 3 comes 30 and 10 us late, rank 2 once 5 us."""
    events = foreign(
        [
            *reduced(0, 20, {0: 0, 1: 4}),
            *reduced(0, 60, {2: 0, 3: 30}),
            *reduced(1, 90, {2: 70, 3: 80}),
            *reduced(2, 120, {2: 105, 3: 100}),
        ]
    )
    worst, other = ask("process_groups", events)
    assert worst == {
        "process_group": "7",
        "process_group_desc": "tp",
        "members": "[2, 3]",
        "kind": "all_reduce",
        "ranks": 2,
        "ranks_expected": 2,
        "collectives": 3,
        "uncertain": 0,
        "wait_us": 45,
        "longest_skew_us": 30,
        # 30 after 30, 10 after 80, 15 after 105
        "transfer_us": 55,
        # 1024 bfloat16, three times
        "bytes": 6144,
        "straggler": 3,
        "straggler_times_last": 2,
        "straggler_wait_us": 40,
    }
    assert (other["members"], other["wait_us"], other["straggler"]) == ("[0, 1]", 4, 1)


def test_nobody_is_late_where_all_come_together() -> None:
    """And a group of which the trace holds one rank shares nothing."""
    together = foreign(reduced(0, 20, {0: 0, 1: 0}))
    columns = ("collectives", "wait_us", "straggler", "straggler_wait_us")
    assert rows("process_groups", together, *columns) == [(1, 0, None, None)]
    args = {**told(Seq=0), **group("7", 0, 1)}
    alone = foreign([reduction(0, 0, 10, args)])
    assert rows("process_groups", alone, *columns) == [(0, 0, None, None)]
