"""Collectives of generated jobs, merged and asked in SQL, against what is known of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fixtures import generate_ranks
from tests.support import generated
from tests.support.gpu_traces import answer, slice_of
from tests.support.handmade import text
from tp_tools import engine
from tp_tools.files import Source
from tp_tools.merging import output as merge_output
from tp_tools.merging import preparation
from tp_tools.merging.rank_names import RankChoice
from tp_tools.merging.summary import summary
from tp_tools.processes.pool import ALONE

if TYPE_CHECKING:
    from fixtures.generate_ranks import Job

Row = dict[str, Any]

CLOCK_NS = 3_000
"""How far a fitted clock may be off anywhere in a trace: 2 us in the middle, and the drift."""

SURE = ("certain", "tested")

Number = tuple[int, int]
"""A collective of the job: the group of ranks that it is of, and its number in it."""


@dataclass(frozen=True)
class Answers:
    """A job and what SQL says about its merge.

    Attributes:
        job: the truth.
        start_ns: what times are counted from, ns since the epoch on the clock of rank 0.
        by_rank: rows of `collectives_by_rank` by rank, in the order in which they were recorded.
        whole: rows of `allreduce` by number.
        ranks: rows of `stragglers` by rank.
    """

    job: Job
    start_ns: int
    by_rank: dict[int, list[Row]]
    whole: dict[int, Row]
    ranks: dict[int, Row]

    def truth(self) -> dict[Number, dict[int, tuple[int, int]]]:
        """By collective and rank: arrival and end, ns on the clock of rank 0."""
        known: dict[Number, dict[int, tuple[int, int]]] = defaultdict(dict)
        for rank, it in enumerate(self.job.ranks):
            arrival = self.job.as_rank0(rank, it.ts) - self.start_ns
            end = self.job.as_rank0(rank, it.stop) - self.start_ns
            for i in np.flatnonzero(it.number >= 0).tolist():
                number = self.job.group(rank), int(it.number[i])
                known[number][rank] = int(arrival[i]), int(end[i])
        return known

    def found(self) -> dict[int, dict[int, Number]]:
        """By collective of SQL: which collective of the job each rank's part is."""
        result: dict[int, dict[int, Number]] = defaultdict(dict)
        for rank, rows in self.by_rank.items():
            it = self.job.ranks[rank]
            for row, number in zip(rows, it.number[it.number >= 0].tolist(), strict=True):
                result[row["collective"]][rank] = self.job.group(rank), number
        return result


@pytest.fixture(
    scope="module",
    params=[
        pytest.param({"ranks": 8, "only_collectives": False}, id="8 ranks"),
        pytest.param({"ranks": 64, "steps": 30}, id="64 ranks"),
        pytest.param({"ranks": 8, "args": "comms_id"}, id="8 ranks, Comms Ids"),
        # nothing ties the clocks of two groups that never talk to each other
        pytest.param(
            {"ranks": 8, "args": "seq", "groups": 2, "largest_offset": 0, "largest_drift_ppm": 0},
            id="2 groups of 4, Seq",
        ),
    ],
)
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """A job on clocks that differ, with stragglers, cut profiles and lost collectives."""
    job = generated.job(**{"steps": 40, "straggling": 0.2, **request.param})
    return _merged(job, tmp_path_factory.mktemp("job"))


def _merged(job: Job, folder: Path) -> Answers:
    """The job merged by `tp-tools merge`."""
    files = [Source(path, str(path)) for path in generate_ranks.written(job, folder)]
    wishes = preparation.MergeOptions(choice=RankChoice(allow_missing=True))
    with TemporaryDirectory() as temporary:
        prepared = preparation.prepare(files, wishes, ALONE, folder=Path(temporary))
        text = b"".join(merge_output.blocks(prepared, ALONE, summary(prepared)))
    return _answers(job, prepared.start_ns, text)


def _answers(job: Job, start_ns: int, text: bytes) -> Answers:
    by_rank: dict[int, list[Row]] = defaultdict(list)
    with engine.load([text], source="the merge") as tp:
        for row in sorted(answer("collectives_by_rank", tp), key=lambda row: row["ts"]):
            by_rank[row["rank"]].append(row)
        whole = {row["collective"]: row for row in answer("allreduce", tp)}
        ranks = {row["rank"]: row for row in answer("stragglers", tp)}
    return Answers(job, start_ns, by_rank, whole, ranks)


def test_every_recorded_collective_is_there(answers: Answers) -> None:
    """Each rank has as many rows as it recorded collectives, each in one collective."""
    for rank, it in enumerate(answers.job.ranks):
        assert len(answers.by_rank[rank]) == (it.number >= 0).sum()
    assert answers.whole.keys() == answers.found().keys()


def test_no_sure_match_is_wrong(answers: Answers) -> None:
    """Lost collectives and cut profiles shift nothing: what is sure is one collective."""
    sure = {
        n: parts for n, parts in answers.found().items() if answers.whole[n]["confidence"] in SURE
    }
    assert all(len(set(parts.values())) == 1 for parts in sure.values())
    truth = answers.truth()
    shared = [number for number, parts in truth.items() if len(parts) > 1]
    assert len(sure) >= 0.95 * len(shared)
    whole = [n for n, parts in sure.items() if len(parts) == len(truth[min(parts.values())])]
    assert len(whole) >= 0.95 * len(sure)


def test_arrivals_and_ends(answers: Answers) -> None:
    """Arrival and end of each rank are those of the job, as far as clocks can tell."""
    truth, found = answers.truth(), answers.found()
    for rank, rows in answers.by_rank.items():
        for row in rows:
            arrival, end = truth[found[row["collective"]][rank]][rank]
            assert abs(row["arrival"] - arrival) <= CLOCK_NS
            assert abs(row["ts_end"] - end) <= CLOCK_NS
            assert row["is_pdl_start"] == 0


def test_windows_and_stragglers(answers: Answers) -> None:
    """First and last arrival, end, skew, transfer, straggler and waits of each all-reduce."""
    truth = answers.truth()
    for number, parts in answers.found().items():
        row = answers.whole[number]
        known = {rank: truth[n][rank] for rank, n in parts.items()}
        arrivals = sorted(arrival for arrival, _ in known.values())
        last, end = arrivals[-1], max(end for _, end in known.values())
        assert row["ranks"] == len(known)
        assert abs(row["first_arrival"] - arrivals[0]) <= CLOCK_NS
        assert abs(row["last_arrival"] - last) <= CLOCK_NS
        assert abs(row["window_end"] - end) <= CLOCK_NS
        assert abs(row["skew_us"] * 1000 - (last - arrivals[0])) <= 2 * CLOCK_NS
        assert abs(row["transfer_us"] * 1000 - (end - last)) <= 2 * CLOCK_NS
        waited = sum(last - arrival for arrival in arrivals)
        assert abs(row["wait_us"] * 1000 - waited) <= 2 * CLOCK_NS * len(known)
        # ranks that come together within the residual cannot be told apart: nobody may be last
        if row["straggler"] is not None:
            assert last - known[row["straggler"]][0] <= 2 * CLOCK_NS
        elif len(arrivals) > 1:
            assert last - arrivals[-2] <= 2 * CLOCK_NS


def test_blame(answers: Answers) -> None:
    """Who is made to wait, and by whom, over the whole job; clear stragglers are all found."""
    truth, found = answers.truth(), answers.found()
    waits, caused, clear = defaultdict[int, int](int), defaultdict[int, int](int), 0
    for number, parts in found.items():
        if answers.whole[number]["confidence"] not in SURE:
            continue
        arrivals = sorted((truth[n][rank][0], rank) for rank, n in parts.items())
        last, straggler = arrivals[-1]
        for arrival, rank in arrivals:
            waits[rank] += last - arrival
        if last - arrivals[-2][0] > 2 * CLOCK_NS:
            clear += 1
            caused[straggler] += sum(last - arrival for arrival, _ in arrivals)
            assert answers.whole[number]["straggler"] == straggler
    assert clear > 0
    for rank, row in answers.ranks.items():
        slack = 2 * CLOCK_NS * row["collectives"]
        assert abs(row["wait_us"] * 1000 - waits[rank]) <= slack
        # what close arrivals cause is little, but may be another rank's
        assert row["caused_wait_us"] * 1000 >= caused[rank] - slack * len(answers.ranks)


@pytest.mark.parametrize("args", ["none", "sizes"])
@pytest.mark.parametrize("cut", [0.0, 0.1])
def test_a_merge_of_others_on_one_clock(args: str, cut: float) -> None:
    """Ranks of one machine in the shape of SGLang's merger: nothing that is sure is wrong.

    Lost collectives and cut profiles make the counts differ, so that time has to say what matches.
    """
    job = generated.job(
        steps=40, straggling=0.2, args=args, cut=cut, largest_offset=0, largest_drift_ppm=0
    )
    events = [
        slice_of(
            it.cat, it.name, (f"[TP{rank:02d}] {it.row[0]}", it.row[1]), it.ts, it.end, **it.args
        )
        for rank in range(job.wishes.ranks)
        for it in generate_ranks.trace(job, rank).slices
    ]
    answers = _answers(job, generate_ranks.BASE_NS, text(events))
    test_every_recorded_collective_is_there(answers)
    test_arrivals_and_ends(answers)
    sure = {
        n: parts for n, parts in answers.found().items() if answers.whole[n]["confidence"] in SURE
    }
    assert all(len(set(parts.values())) == 1 for parts in sure.values())
    # rank 1 lost 5 % of them: those matches are uncertain, and the ends of cut profiles too
    complete = [parts for parts in answers.truth().values() if len(parts) == job.wishes.ranks]
    assert len(sure) >= 0.95 * len(complete)
