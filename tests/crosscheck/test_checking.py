"""Known losses of invented pairs are found, with what explains them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fixtures.pairs import KERNELS, Seen, Workload
from tests.support.crosschecking import column, recorded
from tp_tools.crosscheck.checking import check
from tp_tools.crosscheck.model import KINETO, NSYS, CrossCheck

WORKLOAD = Workload(steps=6)
LAUNCHES = len(WORKLOAD)


def compared(of_kineto: Seen, of_nsys: Seen, workload: Workload = WORKLOAD) -> CrossCheck:
    """What a comparison finds."""
    return check(recorded(workload, of_kineto), recorded(workload, of_nsys, NSYS))


def summary(found: CrossCheck) -> list[tuple[str, str, int, int]]:
    """Who lacks how many, why, and from where on."""
    return [(it.missing_in, it.reason, it.count, it.first) for it in found.losses]


def test_nothing_is_lost() -> None:
    """Two whole recordings have all kernels in common, though each run took its own times."""
    found = compared(Seen(seed=1), Seen(seed=2))
    assert (found.matched, found.losses, found.cannot) == (LAUNCHES, (), ())
    assert found.anchors == 6


def test_windows_differ() -> None:
    """Kineto's window is two steps of six: the steps say which, and what lies around it is told."""
    found = compared(Seen(first=10, last=20), Seen())
    assert summary(found) == [(KINETO, "before", 10, 0), (KINETO, "after", 10, 20)]
    assert found.places == 1


def test_each_reason() -> None:
    """Losses of both, in the middle and at the ends, with and without calls."""
    found = compared(
        Seen(first=5, records=[5, 6, 17], lost=[12]), Seen(last=25, records=[20], lost=[9])
    )
    assert summary(found) == [
        (KINETO, "before", 7, 0),  # five launches before it, and two of which it has the calls
        (KINETO, "neither", 1, 11),
        (KINETO, "records", 1, 16),
        (NSYS, "neither", 1, 2),
        (NSYS, "records", 1, 11),
        (NSYS, "after", 5, 16),
    ]


def test_kernels_at_the_begin_whose_calls_are_there() -> None:
    """Kineto drops kernels that start before its window, though it has their calls."""
    found = compared(Seen(records=[0, 1, 2]), Seen())
    assert summary(found) == [(KINETO, "begin", 3, 0)]


def test_a_call_says_which_of_equal_kernels_is_lost() -> None:
    """One of thirty equal launches in a step: the one whose call has no kernel."""
    workload = Workload(steps=1, layers=((0, 8),) * 30)
    found = compared(Seen(records=[21]), Seen(), workload)
    assert summary(found) == [(KINETO, "records", 1, 21)]
    assert found.losses[0].places == 1


def test_equal_places_are_counted() -> None:
    """Without a call the lost one may be any of the thirty but the first and the last."""
    workload = Workload(steps=1, layers=((1, 4), *((0, 8),) * 30, (2, 4)))
    found = compared(Seen(lost=[21]), Seen(), workload)
    [loss] = found.losses
    assert (loss.reason, loss.count, loss.places) == ("neither", 1, 30)


def test_without_steps_places_fit_equally() -> None:
    """Two steps of six, and no annotation: five places, of which none is better."""
    found = compared(Seen(first=5, last=15, steps=False), Seen())
    assert (found.matched, found.places, found.anchors) == (10, 5, 0)
    assert any("5 places fit equally" in note for note in found.notes)


def test_the_order_of_two_launches_differs() -> None:
    """Threads take turns anew: that is no loss."""
    found = compared(Seen(), Seen(swapped=[7]))
    assert (found.matched, found.moved, found.losses) == (LAUNCHES, 1, ())


def test_a_loss_in_each_at_another_step_is_no_other_order() -> None:
    """An all-reduce that Kineto lost and one of another step that nsys lost are two losses."""
    found = compared(Seen(lost=[9]), Seen(lost=[14]))
    assert [(it.missing_in, it.first) for it in found.losses] == [(KINETO, 9), (NSYS, 13)]


@given(st.sets(st.integers(0, LAUNCHES - 1), max_size=5), st.booleans(), st.booleans())
def test_what_one_lacks_is_counted_by_name(lost: set[int], in_kineto: bool, calls: bool) -> None:
    """Whatever one recording lost, the numbers by name are right."""
    lacking = Seen(records=lost) if calls else Seen(lost=lost)
    found = compared(lacking, Seen()) if in_kineto else compared(Seen(), lacking)
    told = Counter[str]()
    for it in found.losses:
        assert it.missing_in == (KINETO if in_kineto else NSYS)
        told.update(it.names)
    names = [KERNELS[kind][1 if in_kineto else 0] for kind, _ in WORKLOAD.layers]
    assert told == Counter(names[number % len(names)] for number in lost)
    assert found.matched == LAUNCHES - len(lost)


def test_graphs_hide_their_kernels() -> None:
    """Replays without kernels cannot be compared, and the cure is named."""
    of_nsys = replace(recorded(WORKLOAD, Seen(), NSYS), graphs=2)
    found = check(recorded(WORKLOAD, Seen()), of_nsys)
    [why] = found.cannot
    assert why.startswith("Nsight Systems recorded 2 replays of CUDA graphs without their kernels")
    assert (found.losses, found.durations) == ((), ())


def test_too_few_match() -> None:
    """Another program is none to compare with; nor is one without kernels."""
    other = recorded(Workload(steps=6, layers=((1, 7), (2, 3), (0, 9))), Seen(), NSYS)
    found = check(recorded(WORKLOAD, Seen()), other)
    assert found.cannot[0].startswith("0 of the 18 kernels of the shorter recording")
    empty = recorded(WORKLOAD, Seen(first=3, last=3))
    found = check(empty, recorded(WORKLOAD, Seen(), NSYS))
    assert found.cannot == ("Kineto's trace has no kernels",)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_detail_that_one_lacks_is_left_out(share: float) -> None:
    """Shared memory counts where most kernels of both have it, and a note says so where not."""
    one = recorded(WORKLOAD, Seen())
    shapes = [
        shape if at < share * LAUNCHES else (*shape[:3], None)
        for at, shape in enumerate(one.shapes)
    ]
    found = check(replace(one, shapes=shapes), recorded(WORKLOAD, Seen(), NSYS))
    told = (
        "Kernels are told by name, grid, block, registers: not both recordings have shared memory."
    )
    assert (told in found.notes) == (share < 0.5)


def test_kernels_without_a_duration() -> None:
    """A record that was never filled counts as a kernel, and in no duration."""
    one = recorded(WORKLOAD, Seen())
    found = check(replace(one, dur=column([0, *one.dur[1:]])), recorded(WORKLOAD, Seen(), NSYS))
    assert found.matched == LAUNCHES
    assert sum(it.unknown for it in found.durations) == 1
    assert any("1 kernel of Kineto without a duration" in note for note in found.notes)
