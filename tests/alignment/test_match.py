"""Matching collectives across ranks: right, or declared uncertain."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from tests.support import generated
from tp_tools.alignment import match
from tp_tools.alignment.alignment import Alignment, Member, Mode, align
from tp_tools.alignment.collectives import UNKNOWN, Collectives
from tp_tools.alignment.event_series import EventSeries
from tp_tools.alignment.registration import register
from tp_tools.errors import InputError

MS = 1_000_000


def rank(ends: list[int], **columns: object) -> Collectives:
    """The all-reduces of a rank, 10 us long, by name alone unless columns say more."""
    count = len(ends)
    end = np.array(ends, np.int64) + 10**18
    unknown = np.full(count, UNKNOWN)
    table = Collectives(
        np.arange(count),
        ["all_reduce"] * count,
        [""] * count,
        [""] * count,
        [""] * count,
        unknown,
        unknown,
        [""] * count,
        np.full(count, 7),
        unknown,
        [""] * count,
        ["name"] * count,
        end - 10_000,
        end,
    )
    return replace(table, **columns)  # type: ignore[arg-type]


def matched(*tables: Collectives) -> tuple[list[list[int]], list[str]]:
    """The number of the match of each collective, by rank; and the confidence of each match."""
    middle = [int(it.end.mean()) if len(it) else 0 for it in tables]
    members = [Member(*pair) for pair in zip(tables, middle, strict=True)]
    alignment = align(members, "auto")
    of, pool = alignment.matches.of, alignment.pool
    result = []
    for number, table in enumerate(tables):
        column = np.full(len(table), -1)
        mine = pool.rank == number
        column[pool.row[mine]] = of[mine]
        result.append(column.tolist())
    return result, alignment.matches.confidence


def irregular(count: int, seed: int = 3) -> list[int]:
    """Ends of collectives with pauses that do not repeat, ns."""
    pauses = np.random.default_rng(seed).integers(300_000, 3_000_000, count)
    ends: list[int] = np.cumsum(pauses).tolist()
    return ends


def test_comms_ids_match_whatever_the_order() -> None:
    """The same ids are one collective, though the ranks recorded them in another order."""
    one = rank([1 * MS, 2 * MS, 3 * MS], comms_id=["a", "b", "c"])
    two = rank([1 * MS, 2 * MS, 3 * MS], comms_id=["c", "a", "x"])
    of, confidence = matched(one, two)
    assert of == [[0, -1, 1], [1, 0, -1]]
    assert confidence == ["certain", "certain"]


def test_a_lost_collective_does_not_shift_the_numbered_ones() -> None:
    """With a Seq, what follows a loss still matches its own."""
    said = {"group": ["0"] * 4, "size": np.full(4, 2)}
    one = rank([MS, 2 * MS, 3 * MS, 4 * MS], seq=np.array([5, 6, 7, 8]), **said)
    two = rank([MS, 3 * MS, 4 * MS, 5 * MS], seq=np.array([5, 7, 8, 9]), **said)
    of, _ = matched(one, two)
    assert of == [[0, -1, 1, 2], [0, 1, 2, -1]]


def test_equal_numbers_of_different_groups_do_not_match() -> None:
    """Seq 5 of the tensor group is not Seq 5 of the data group."""
    one = rank([MS], seq=np.array([5]), group=["tp"], members=["[0, 1]"])
    two = rank([MS], seq=np.array([5]), group=["dp"], members=["[0, 1]"])
    assert matched(one, two)[0] == [[-1], [-1]]


def test_groups_of_one_name_and_other_members_do_not_match() -> None:
    """Torch numbers groups; disjoint ones may share a name."""
    one = rank([MS], seq=np.array([5]), group=["1"], members=["[0, 1]"])
    two = rank([MS], seq=np.array([5]), group=["1"], members=["[2, 3]"])
    assert matched(one, two)[0] == [[-1], [-1]]


def test_replicas_do_not_match() -> None:
    """Data parallel replicas that are jobs of their own use the same numbers for other things."""
    table = rank([MS], seq=np.array([5]), group=["0"])
    pooled = match.pool([table, table], [0, 1])
    assert len(match.matches_by_identity(pooled)) == 0


def test_one_operation_of_two_kernels_matches_kernel_by_kernel() -> None:
    """The n-th kernel of an id belongs to the n-th."""
    one = rank([MS, 2 * MS], comms_id=["a", "a"])
    two = rank([MS, 2 * MS], comms_id=["a", "a"])
    assert matched(one, two)[0] == [[0, 1], [0, 1]]


def test_collectives_of_a_lone_rank_take_no_part() -> None:
    """A group of one rank has nothing to match."""
    one = rank([MS], comms_id=["a"], size=np.array([1]))
    assert matched(one, one)[0] == [[-1], [-1]]


def test_order_finds_the_start_by_time() -> None:
    """Profiles that begin at different collectives match at the shift that fits times."""
    ends = irregular(60)
    one, two = rank(ends[:50]), rank([end + 2_000 * MS for end in ends[13:]])
    of, confidence = matched(one, two)
    assert of[0][13:] == of[1][: 50 - 13]
    assert of[0][:13] == [-1] * 13
    assert of[1][50 - 13 :] == [-1] * 10
    assert set(confidence) == {"tested"}


def test_a_lost_collective_does_not_shift_the_unnumbered_ones() -> None:
    """By order and time: the loss stays alone, all others match their own."""
    ends = irregular(40)
    lost = [*ends[:20], *ends[21:]]
    of, _ = matched(rank(ends), rank([end - 700 * MS for end in lost]))
    assert of[0][20] == -1
    assert [*of[0][:20], *of[0][21:]] == of[1]


def test_what_could_lie_elsewhere_is_declared_uncertain() -> None:
    """Perfectly regular collectives fit at several shifts: no match claims to be sure."""
    ends = [i * MS for i in range(1, 61)]
    _, confidence = matched(rank(ends), rank([end + 40 * MS for end in ends]))
    assert set(confidence) <= {"uncertain"}


def test_kernels_of_other_sizes_do_not_match() -> None:
    """Bytes tell collectives apart that end together."""
    ends = irregular(20)
    one = rank(ends, nbytes=np.full(20, 512))
    two = rank(ends, nbytes=np.full(20, 1024))
    assert matched(one, two)[0] == [[-1] * 20, [-1] * 20]


def test_other_stream_numbers_do_not_keep_ranks_apart() -> None:
    """A stream is a number that each process gives out by itself."""
    ends = irregular(20)
    of, _ = matched(rank(ends), rank(ends, stream=np.full(20, 23)))
    assert of[0] == of[1] == list(range(20))


def test_groups_that_no_one_names_are_found() -> None:
    """Two groups of four ranks whose kernels say nothing are matched each in itself."""
    made = generated.job(ranks=8, steps=60, groups=2)
    found = generated.verdict(made, align(generated.ranks(made), "auto"))
    assert found.wrong == 0
    assert found.right > 700


@pytest.mark.parametrize("ranks", [8, 64])
def test_generated_matches_are_right(ranks: int) -> None:
    """No wrong match claims to be sure, and hardly any collective stays alone."""
    found = generated.nameless(ranks)
    assert found.wrong == 0
    assert found.right > 700
    assert found.alone < 0.01 * ranks * found.right


def test_a_regular_job_is_never_matched_wrongly() -> None:
    """Steps that hardly differ may stay uncertain, but not be wrong."""
    made = generated.job(ranks=8, steps=60, straggling=0, jitter=0.0005)
    assert generated.verdict(made, align(generated.ranks(made), "auto")).wrong == 0


def test_half_lost_still_matches() -> None:
    """Half of a rank's collectives lost: the other half match their own."""
    made = generated.job(ranks=4, steps=60, lost=0.5)
    found = generated.verdict(made, align(generated.ranks(made), "auto"))
    assert found.wrong == 0
    assert found.alone < 20


def test_counts_alone_are_never_sure() -> None:
    """Few collectives without args or times that agree match by number, uncertainly."""
    of, confidence = matched(rank([MS, 5 * MS]), rank([2 * MS, 9 * MS]))
    assert of == [[0, 1], [0, 1]]
    assert confidence == ["uncertain", "uncertain"]


def windows(begins: list[int], ends: list[int]) -> Collectives:
    """All-reduces from one time to another, ns."""
    table = rank(ends)
    return replace(table, ts=np.array(begins, np.int64) + 10**18)


def aligned(*tables: Collectives, mode: Mode = "auto") -> Alignment:
    """The ranks of these collectives, aligned."""
    return align([Member(table, int(table.end.mean())) for table in tables], mode)


def test_counts_are_tested_where_windows_overlap_and_no_shift_has_one_that_does() -> None:
    """However far apart the ends lie; three are too few for a clock, and it is said."""
    begins = [MS, 9 * MS, 20 * MS]
    one = windows(begins, [it + 4 * MS for it in begins])
    other = windows([it + MS for it in begins], [it + 4 * MS + 300_000 for it in begins])
    alignment = aligned(one, other)
    assert alignment.matches.of.tolist() == [0, 1, 2, 0, 1, 2]
    assert alignment.matches.confidence == ["tested"] * 3
    assert [it.how for it in alignment.ranks] == ["base"] * 2
    assert "only 3 collectives are surely" in alignment.ranks[0].why


def over_pcie(unit: int, count: int = 19) -> list[Collectives]:
    """Two ranks of one clock whose collectives of 3 units end 0.2 to 0.3 units apart."""
    rng = np.random.default_rng(5)
    starts = np.cumsum(rng.uniform(4, 9, count))
    ends = starts + 3 + rng.uniform(0, 0.3, count)
    late = ends + rng.uniform(0.2, 0.3, count)
    begins = starts - rng.uniform(0, 0.4, (2, count))
    return [
        windows((begin * unit).astype(np.int64).tolist(), (end * unit).astype(np.int64).tolist())
        for begin, end in zip(begins, (ends, late), strict=True)
    ]


@pytest.mark.parametrize("unit", [100_000, MS, 50 * MS])
@pytest.mark.parametrize("lost", [0, 5])
def test_ends_are_together_relative_to_what_lies_between_them(unit: int, lost: int) -> None:
    """At any scale, and with other counts on the ranks: tested, and base times explain the ends."""
    one, other = over_pcie(unit)
    tail = windows(*((column - 10**18)[lost:].tolist() for column in (other.ts, other.end)))
    alignment = aligned(one, tail)
    assert alignment.matches.of.tolist() == [*[-1] * lost, *(2 * [*range(19 - lost)])]
    assert set(alignment.matches.confidence) == {"tested"}
    if unit >= MS:
        assert {it.how for it in alignment.ranks} == {"base"}
        assert "as transfers of" in alignment.ranks[1].why


def test_a_clock_that_is_off_by_more_than_transfers_explain_is_fitted() -> None:
    """Over PCIe as well, where machines differ by seconds."""
    one, other = over_pcie(MS)
    shift = 7_000 * MS
    alignment = aligned(one, replace(other, ts=other.ts + shift, end=other.end + shift))
    assert set(alignment.matches.confidence) == {"tested"}
    assert {it.how for it in alignment.ranks} == {"collectives"}
    assert abs(alignment.ranks[1].clock.offset_ns + shift) < MS


@pytest.mark.parametrize("mode", ["auto", "collectives"])
def test_identities_do_not_make_transfers_a_clock(mode: Mode) -> None:
    """Matched by Comms Id, ends 0.25 of 3 ms apart are no better than base times."""
    ids = [f"{i}" for i in range(19)]
    tables = [replace(table, comms_id=ids) for table in over_pcie(MS)]
    if mode == "collectives":
        with pytest.raises(InputError, match="as transfers of"):
            aligned(*tables, mode=mode)
    else:
        assert {it.how for it in aligned(*tables).ranks} == {"base"}


def test_counts_are_uncertain_where_a_shift_has_windows_that_overlap() -> None:
    """Back to back, as when a clock is off by about one collective."""
    begins = [MS, 5 * MS, 9 * MS]
    one = windows(begins, [it + 3 * MS for it in begins])
    other = windows([it + 2 * MS for it in begins], [it + 5 * MS for it in begins])
    assert matched(one, other)[1] == ["uncertain"] * 3


@pytest.mark.parametrize("count", [8, 12])
def test_few_collectives_that_end_together_give_a_clock(count: int) -> None:
    """Tested by their windows, their ends agree to microseconds: whole ones, as Kineto wrote."""
    ends = [it // 1000 * 1000 for it in irregular(count)]
    rng = np.random.default_rng(1)
    tables = [
        windows([it - int(rng.integers(20_000, 200_000)) for it in shifted], shifted)
        for shifted in (ends, [it + 7_000 + int(rng.integers(-1, 2)) * 1000 for it in ends])
    ]
    middle = [int(it.end.mean()) for it in tables]
    alignment = align([Member(*pair) for pair in zip(tables, middle, strict=True)], "auto")
    assert set(alignment.matches.confidence) == {"tested"}
    assert [it.how for it in alignment.ranks] == ["collectives"] * 2


def test_unequal_counts_are_not_matched() -> None:
    """Three and two collectives that fit nowhere stay alone."""
    of, _ = matched(rank([MS, 5 * MS, 6 * MS]), rank([2 * MS, 9 * MS]))
    assert of == [[-1] * 3, [-1] * 2]


def test_sequences_that_share_nothing_do_not_lie_on_each_other() -> None:
    """Chance does not make eight matches more than misses."""
    one, two = (
        EventSeries(np.zeros(200, np.int64), np.array(irregular(200, seed))) for seed in (1, 2)
    )
    assert register(one, two, None) is None


def test_each_collective_is_given_away_once() -> None:
    """Two ends next to one of the base: only the closer one gets it."""
    base = EventSeries(np.zeros(1, np.int64), np.array([1_000]))
    found = base.nearest(np.zeros(2, np.int64), np.array([990.0, 1_003.0]), 50)
    assert found.tolist() == [-1, 0]


def test_messages_that_share_a_number_are_no_collective() -> None:
    """PyTorch gives all messages up to the next collective one Seq and Comms Id: unusable."""
    ends = [MS * i for i in range(1, 4)]
    kinds = (["send", "recv", "send"], ["recv", "send", "recv"])
    said = {"seq": np.full(3, 5), "comms_id": ["77"] * 3, "group": ["0"] * 3}
    found, confidence = matched(*(rank(ends, kind=kind, **said) for kind in kinds))
    assert (found, confidence) == ([[-1] * 3, [-1] * 3], [])


def test_uneven_all_to_alls_match() -> None:
    """Without numbers they go by order; ranks need not send as much as each other."""
    ends = irregular(30)
    tables = [
        rank(ends, kind=["all_to_all"] * 30, group=["0"] * 30, nbytes=np.arange(30) * (r + 1))
        for r in range(2)
    ]
    found, confidence = matched(*tables)
    assert found == [list(range(30))] * 2
    assert set(confidence) == {"tested"}
