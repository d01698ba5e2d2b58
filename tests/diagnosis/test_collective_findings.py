"""Findings on waits for ranks, on the wire, and on pipeline bubbles."""

from __future__ import annotations

from typing import Any

from tests.support.diagnosing import collective, facts, late, numbers, window
from tp_tools.diagnosis import collective_findings
from tp_tools.diagnosis.model import Place


def test_the_rank_that_is_waited_for_and_its_cause() -> None:
    """Of 60 us of waiting alone rank 1 causes three quarters; what kept it is told."""
    given = numbers(
        window(0, compute=30_000, waiting=60_000, communication=10_000, waiting_percent=60.0),
        traces=(facts(0, world_size=3), facts(1, world_size=3)),
        stragglers=[
            late(1, 45.0, cause="idle", late_gaps_us=7.0, caused_by="gemm", caused_by_us=4.0),
            late(0, 15.0),
        ],
        collectives_by_rank=[collective("all_reduce", 70_000, 0, 60.0)],
    )
    found = collective_findings.waiting(given)
    assert found is not None
    assert found.cost_ns == 60_000
    assert found.says == (
        "Ranks wait for the last one for 60.000 us of 100.000 us (60.0 %), beside which nothing is "
        "computed; that is 85.7 % of the time in which collectives run alone. Rank 1 comes last to "
        "5 of 8 collectives and causes 75.0 % of all waiting; it idles 7.000 us longer than the "
        "rank in the middle before collectives to which it comes last, 4.000 us of that before "
        "gemm."
    )
    assert found.next_step.startswith("See why the CPU of rank 1 launches late")
    assert found.place == Place(0, 0, 60_000, "waits in nccl")
    assert found.doubts == ("Traces of 1 rank are missing: one of these may be later still.",)


def test_a_late_rank_may_compute_longer_or_be_late_for_no_known_cause() -> None:
    """What the numbers do not carry is not said."""

    def says(**more: Any) -> tuple[str, str]:  # noqa: ANN401  columns of stragglers
        given = numbers(window(0, waiting=9), stragglers=[late(1, 45.0, **more)])
        found = collective_findings.waiting(given)
        assert found is not None
        return found.says, found.next_step

    text, step = says(cause="work", late_work_us=3.0)
    assert text.endswith(
        "; its kernels and copies run 3.000 us longer than the rank in the middle before "
        "collectives to which it comes last."
    )
    assert "uneven batches" in step
    text, step = says()
    assert text.endswith("; why it is late is not told.")
    assert step.startswith("Compare rank 1")


def test_ranks_that_take_turns_are_not_blamed() -> None:
    """Where no rank causes half of the waiting, none stands out."""

    def found(*others: float) -> tuple[str, str]:
        rows = [late(1, 45.0), *(late(rank, us) for rank, us in enumerate(others, 2))]
        finding = collective_findings.waiting(numbers(window(0, waiting=9), stragglers=rows))
        assert finding is not None
        return finding.says, finding.next_step

    text, step = found(45.0)
    assert "Rank 1 comes last to 5 of 8 collectives and causes 50.0 % of all waiting" in text
    assert step.startswith("Compare rank 1")
    text, step = found(44.0, 9.0)
    assert "Ranks take turns in coming last: rank 1, which causes most, causes 45.9 %" in text
    assert step.startswith("See what differs from rank to rank")


def test_waits_at_the_first_collective_may_have_an_unrecorded_cause() -> None:
    """From three tenths of all waiting on it is said; a single collective has no first."""

    def doubts(*waits: float) -> tuple[str, ...]:
        rows = [collective("all_reduce", 99, 0, us, number) for number, us in enumerate(waits)]
        given = numbers(window(0, waiting=9), stragglers=[late(1, 45.0)], collectives_by_rank=rows)
        found = collective_findings.waiting(given)
        assert found is not None
        return found.doubts

    (doubt,) = doubts(3.0, 7.0)
    assert doubt.startswith("30.0 % of all waiting is at the first collective that was recorded")
    assert doubts(2.9, 7.1) == doubts(9.0) == ()


def test_clocks_that_were_not_set_are_a_doubt() -> None:
    """Waits between machines are then no better than their clocks."""
    ranks = (facts(0), facts(1, is_aligned=False))
    given = numbers(window(0, waiting=9), traces=ranks, stragglers=[late(1, 45.0)])
    found = collective_findings.waiting(given)
    assert found is not None
    (doubt,) = found.doubts
    assert doubt.startswith("The clocks of 1 rank are taken as they are: between machines")


def test_nobody_is_waited_for() -> None:
    """Without waiting, or without a rank that causes it, there is no finding."""
    assert (
        collective_findings.waiting(numbers(window(0, compute=9), stragglers=[late(1, 9)])) is None
    )
    assert (
        collective_findings.waiting(numbers(window(0, waiting=9), stragglers=[late(1, 0)])) is None
    )


def test_one_rank_does_not_tell_waiting_from_the_wire() -> None:
    """The finding says so, and asks for all ranks; with several it says that all had come."""
    rows = [collective("all_reduce", 30), collective("all_gather", 10)]
    alone = collective_findings.communication(
        numbers(window(None, compute=60, communication=40), collectives_by_rank=rows)
    )
    assert alone is not None
    assert alone.cost_ns == 40
    assert alone.says == (
        "Collectives run for 40 ns of 100 ns (40.0 %) while nothing is computed; 75.0 % of the "
        "time of all collectives is all_reduce."
    )
    assert "give the traces of all ranks" in alone.doubts[-1]
    assert "`tp-tools query allreduce`" in alone.next_step
    known = window(0, compute=60, communication=40, waiting_percent=0.0)
    shared = collective_findings.communication(numbers(known, collectives_by_rank=rows))
    assert shared is not None
    assert "all ranks having come as far as is known" in shared.says


def test_a_collective_that_takes_more_than_half_is_pointed_out() -> None:
    """It may be an exception; one that takes half is none."""

    def doubts(*durs: int) -> tuple[str, ...]:
        rows = [collective("all_reduce", dur) for dur in durs]
        given = window(0, communication=40, waiting_percent=0.0)
        found = collective_findings.communication(numbers(given, collectives_by_rank=rows))
        assert found is not None
        return found.doubts

    assert doubts(30, 10, 10) == (
        "One of 3 collectives takes 30 ns of their 50 ns: look at that one first.",
    )
    assert doubts(20, 10, 10) == ()
    assert doubts(20) == ()


def test_bubbles_are_taken_from_communication_and_waiting() -> None:
    """Of 50 ns of bubbles 40 are no communication any more, and 10 no waiting."""
    bubble = {"rank": 3, "device": 0, "part": "all", "kind": None, "message": 2, "ts": 0}
    bubble |= {"dur": 100, "bubble_ns": 50, "waiting_ns": None, "bubble_percent": 50.0}
    message = bubble | {"part": "message", "kind": "recv", "ts": 7, "dur": 60, "bubble_ns": 44}
    rows = [late(1, 45.0)]
    whole = window(0, compute=30, communication=40, waiting=30)
    given = numbers(whole, stragglers=rows, pipeline=[bubble, message])
    found = collective_findings.pipeline(given)
    waits = collective_findings.waiting(given)
    assert found is not None
    assert waits is not None
    assert (found.cost_ns, waits.cost_ns) == (50, 20)
    assert collective_findings.communication(given) is None
    assert found.says == (
        "Ranks compute nothing for 50 ns of 100 ns (50.0 %) while they send or receive; most on "
        "rank 3, 50.0 % of its time."
    )
    assert found.place == Place(3, 7, 60, "recv")
    assert collective_findings.pipeline(numbers(whole, pipeline=[])) is None
