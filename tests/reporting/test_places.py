"""Places of a page are found again in the timeline of a rank's own file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.support.page_text import report_data
from tp_tools.engine import Rows
from tp_tools.reporting.data import Member, ReportData
from tp_tools.reporting.places import Places


def member(rank: int | None, file: str, start_ns: int | None, rebase_ns: int) -> Member:
    """A trace that begins at a time of its own clock."""
    info: Any = SimpleNamespace(
        inventory=SimpleNamespace(start_ns=start_ns, end_ns=start_ns and start_ns + 8_000_000),
        defects=SimpleNamespace(rebase_ns=rebase_ns),
    )
    return Member(rank, f"rank {rank}", file, info)


def data(*members: Member, own_ts: int, common_ts: int) -> ReportData:
    """A rank 3 whose first work is at `own_ts` in its file, and at `common_ts` on all clocks."""
    columns = ("rank", "device", "ts")
    rows = {
        "gpu_time": Rows(columns, [(3, 0, own_ts)]),
        "gpu_timeline": Rows(columns, [(3, 0, common_ts), (3, 0, common_ts + 5)]),
    }
    return ReportData(list(members), rows, {}, None)


def test_times_of_all_ranks_become_times_of_a_file() -> None:
    """The file begins 1 ms before its first work, which is at 500 ns on the clock of all."""
    known = member(3, "it's 3.json", 9_000_000, 7_000_000)
    places = Places(data(known, own_ts=3_000_000, common_ts=500))
    assert places.at_time(3, 0, 500) == """tp-tools view 'it'"'"'s 3.json' --at 1.000ms"""
    assert places.at_time(3, 0, 2_500_500) == """tp-tools view 'it'"'"'s 3.json' --at 3.500ms"""
    assert places.at_time(3, 0, -1_000_000) is None
    assert places.at_time(3, 1, 500) is None


def test_a_time_is_on_the_clock_that_has_it() -> None:
    """Its own clock has 2 to 10 ms, the clock of all ranks has its work, from 500 to 505 ns."""
    places = Places(data(member(3, "a", 9_000_000, 7_000_000), own_ts=3_000_000, common_ts=500))
    assert places.at(3, 4_500_000) == "tp-tools view a --at 2.500ms"
    assert places.at(3, 505) == "tp-tools view a --at 1.000ms"
    assert places.at(3, 700) is None
    assert places.at(4, 505) is None


def test_a_time_on_both_clocks_is_of_neither() -> None:
    """Clocks that differ by 1 ms: it is not known which one a time of both is on."""
    known = member(3, "a", 2_000_000, 0)
    assert Places(data(known, own_ts=3_000_000, common_ts=4_000_000)).at(3, 4_000_002) is None
    same = Places(data(known, own_ts=4_000_000, common_ts=4_000_000))
    assert same.at(3, 4_000_002) == "tp-tools view a --at 2.000ms"


def test_slices_are_in_the_file_of_their_rank() -> None:
    """One file holds all ranks of a merge; of several files, each holds its own."""
    only, other = member(None, "all.json", 0, 0), member(4, "-4.json", 0, 0)
    assert Places(report_data()[0]).at_slice(7, 12) == "tp-tools view rank0.json --at 12"
    assert Places(report_data(2)[0]).at_slice(1, 12) == "tp-tools view rank1.json --at 12"
    assert Places(report_data(2)[0]).at_slice(2, 12) is None
    both = Places(data(only, other, own_ts=0, common_ts=0))
    assert both.at_slice(4, 0) == "tp-tools view ./-4.json --at 0"
    assert both.at_slice(4, None) is None


def test_files_of_unknown_start_have_no_times() -> None:
    """What is no Chrome JSON does not say when it begins."""
    places = Places(data(member(3, "a.pftrace", None, 0), own_ts=5, common_ts=5))
    assert places.at_time(3, 0, 5) is None
