"""Clocks of ranks: exact integer arithmetic, and the fit to the ends of collectives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import generated
from tp_tools.alignment.alignment import align
from tp_tools.alignment.clock import (
    Clock,
    Readings,
    fit,
    medians,
    residuals,
)
from tp_tools.errors import InputError

EPOCH = 1_767_189_312_000_000_000
SECOND = 10**9


def common(clock: Clock, *times: int) -> list[int]:
    """Return times on the common clock."""
    result: list[int] = clock.common(np.array(times, np.int64)).tolist()
    return result


def test_a_clock_without_drift_adds_its_offset_exactly() -> None:
    """Nanoseconds since the epoch are not rounded."""
    assert common(Clock(offset_ns=-4_999_999_999, at_ns=EPOCH), EPOCH + 7) == [
        EPOCH + 7 - 4_999_999_999
    ]


def test_drift_counts_from_the_middle() -> None:
    """50 ppm add 100 us two seconds after the middle, and nothing at the middle."""
    clock = Clock(offset_ns=3, drift_ppt=50_000_000, at_ns=EPOCH)
    assert common(clock, EPOCH, EPOCH + 2 * SECOND) == [EPOCH + 3, EPOCH + 2 * SECOND + 3 + 100_000]


def test_drift_does_not_overflow_in_a_month() -> None:
    """50 ppm over thirty days add 129.6 seconds exactly."""
    month = 30 * 86_400 * SECOND
    clock = Clock(drift_ppt=50_000_000, at_ns=EPOCH)
    assert common(clock, EPOCH + month) == [EPOCH + month + 1296 * SECOND // 10]


@given(
    st.lists(st.integers(0, 20 * SECOND), min_size=2, max_size=40),
    st.integers(-100_000_000, 100_000_000),
)
def test_times_never_change_places(offsets: list[int], drift: int) -> None:
    """Times keep their order on the common clock, so slices still nest and touch."""
    times = sorted(EPOCH + it for it in offsets)
    moved = common(Clock(12_345, drift, EPOCH + 10 * SECOND), *times)
    assert all(a <= b for a, b in pairwise(moved))


def test_medians_are_those_of_each_group() -> None:
    """The median is the lower one of an even number, and 0 for a group without values."""
    result = medians(np.array([0, 0, 2, 2, 2, 0]), np.array([5, 1, 9, 8, 7, 3]))
    assert result.tolist() == [3, 0, 8]


def readings_of(clocks: list[Clock], ends: list[int], noise: list[list[int]]) -> Readings:
    """Make the readings at these common times on clocks that need these corrections (no drift)."""
    rank = np.repeat(np.arange(len(clocks)), len(ends))
    collective = np.tile(np.arange(len(ends)), len(clocks))
    read = [
        e - c.offset_ns + n
        for c, ns in zip(clocks, noise, strict=True)
        for e, n in zip(ends, ns, strict=True)
    ]
    return Readings(rank, collective, np.array(read, np.int64))


def test_an_interrupted_rank_does_not_move_its_clock() -> None:
    """Two of twelve readings that are 3 ms late change the fitted offset by less than 100 ns."""
    truth = [Clock(at_ns=EPOCH), Clock(-5_000_000, at_ns=EPOCH)]
    ends = [EPOCH + i * 10_000_000 for i in range(12)]
    noise = [[0] * 12, [0, 40, -40, 20, 3_000_000, -20, 0, 10, -10, 3_000_000, 30, -30]]
    fitted = fit(
        readings_of(truth, ends, noise), [Clock(at_ns=EPOCH), Clock(-4_000_000, at_ns=EPOCH)]
    )
    assert fitted[0] == truth[0]
    assert abs(fitted[1].offset_ns - truth[1].offset_ns) < 100


def test_residuals_are_distances_to_the_median() -> None:
    """Three ranks that read 0, 10 and 100 lie -10, 0 and 90 from the collective's end."""
    readings = Readings(np.arange(3), np.zeros(3, np.int64), np.array([0, 10, 100]) + EPOCH)
    assert residuals(readings, [Clock()] * 3).tolist() == [-10, 0, 90]


@pytest.mark.parametrize("ranks", [8, 64])
def test_generated_clocks_are_found_without_any_args(ranks: int) -> None:
    """Offsets are found to 2 us, drifts to 1 ppm, from names alone, with stragglers and losses."""
    found = generated.nameless(ranks)
    assert found.offset_ns <= 2_000
    assert found.drift_ppm <= 1.0


@pytest.mark.parametrize("args", ["comms_id", "seq", "sizes"])
def test_generated_clocks_are_found_with_args(args: str) -> None:
    """Offsets are found to 2 us and drifts to 1 ppm from collectives with args."""
    made = generated.job(ranks=8, steps=200, args=args)
    found = generated.verdict(made, align(generated.ranks(made), "auto"))
    assert found.offset_ns <= 2_000
    assert found.drift_ppm <= 1.0


def test_ranks_of_different_groups_keep_base_times_between_them() -> None:
    """Two groups without common collectives get one clock each: that of their lowest rank."""
    made = generated.job(ranks=8, steps=100, groups=2, args="seq")
    alignment = align(generated.ranks(made), "auto")
    assert alignment.ranks[4].clock.offset_ns == 0
    middle = np.array([alignment.ranks[6].clock.at_ns])
    on_rank4 = made.ranks[4].read(made.ranks[6].true(middle))
    assert abs(int((alignment.ranks[6].clock.common(middle) - on_rank4)[0])) <= 2_000


def test_ranks_on_one_machine_stay_together() -> None:
    """A group that shares no collective moves with a rank on the same machine."""
    made = generated.job(ranks=8, steps=100, groups=2, args="seq", lossy_rank=None)
    for rank in (1, 4):  # on one machine, so with one clock
        made.ranks[rank].offset_ns, made.ranks[rank].drift = 3_000_000_000, 2e-5
        made.ranks[rank].__post_init__()
    hosts = ["a", "b", "c", "d", "b", "e", "f", "g"]
    alignment = align(generated.ranks(made, hosts), "auto")
    found = generated.verdict(made, alignment)
    assert found.offset_ns <= 2_000


def test_without_common_collectives_base_times_stay() -> None:
    """Ranks whose profiles share no collective keep their base times, with the reason."""
    made = generated.job(ranks=2, steps=60, args="seq", lossy_rank=None)
    for it, half in zip(made.ranks, (slice(100), slice(300, None)), strict=True):
        for name in ("work", "number", "arrival", "end", "ts", "stop"):
            setattr(it, name, getattr(it, name)[half])
    alignment = align(generated.ranks(made), "auto")
    assert [it.how for it in alignment.ranks] == ["base", "base"]
    assert all(it.clock.offset_ns == 0 for it in alignment.ranks)
    assert alignment.ranks[1].why == "no collective is surely one with another rank's"


def test_few_common_collectives_do_not_move_a_clock() -> None:
    """Seven common collectives are too few, and the reason names the number."""
    made = generated.job(ranks=2, steps=1, args="seq", lossy_rank=None, cut=0)
    for it in made.ranks:
        for name in ("work", "number", "arrival", "end", "ts", "stop"):
            setattr(it, name, getattr(it, name)[:7])
    alignment = align(generated.ranks(made), "auto")
    assert alignment.ranks[1].how == "base"
    assert "only 7" in alignment.ranks[1].why


def test_a_fit_that_does_not_help_is_taken_back() -> None:
    """Base times that agree exactly are kept, with the reason."""
    made = generated.job(
        ranks=2, steps=20, args="seq", largest_offset=0, largest_drift_ppm=0, end_noise=0
    )
    alignment = align(generated.ranks(made), "auto")
    assert [it.clock.offset_ns for it in alignment.ranks] == [0, 0]
    assert alignment.ranks[1].why == "base times fit as well or better"


def test_insisting_on_collectives_fails_without_them() -> None:
    """Mode "collectives" is an error if a rank has only its base time."""
    made = generated.job(ranks=2, steps=1, args="seq", lossy_rank=None, cut=0)
    made.ranks[1].number[:] = -1
    with pytest.raises(InputError, match="--align auto"):
        align(generated.ranks(made), "collectives")


@pytest.mark.parametrize("mode", ["base", "none"])
def test_clocks_stay_as_they_are_if_asked(mode: str) -> None:
    """Modes "base" and "none" match collectives, but change no clock."""
    made = generated.job(ranks=4, steps=50)
    alignment = align(generated.ranks(made), mode)  # type: ignore[arg-type]
    assert all(it.clock.offset_ns == it.clock.drift_ppt == 0 for it in alignment.ranks)
    assert generated.verdict(made, alignment).right > 300
