"""Which rank each file is: right, in order, and loud where it cannot be told."""

from __future__ import annotations

import random

import pytest

from tests.support.reporters import Recorder
from tp_tools.chrome.metadata import TraceMetadata
from tp_tools.errors import InputError
from tp_tools.merging.rank_names import RankChoice, parse_file_name
from tp_tools.merging.ranks import JobRank, resolve

ALL_MISSING = RankChoice(allow_missing=True)


def resolved(
    files: dict[str, TraceMetadata], choice: RankChoice = ALL_MISSING
) -> tuple[list[JobRank], list[int], list[str]]:
    """Ranks, missing ones, and what was said."""
    recorder = Recorder()
    found, missing = resolve(list(files.items()), choice, recorder)
    return found, missing, recorder.notes


def said(rank: int | None, world_size: int | None = 8, **more: object) -> TraceMetadata:
    """Metadata of a file, as its header would give it."""
    return TraceMetadata(rank=rank, world_size=world_size, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "rank", "labels", "profile", "stage"),
    [
        (
            "1717-TP-3-DP-0-PP-1-EP-3.trace.json.gz",
            None,
            {"TP": 3, "DP": 0, "PP": 1, "EP": 3},
            "1717",
            "",
        ),
        ("1717-TP-3-DECODE.trace.json.gz", None, {"TP": 3}, "1717", "DECODE"),
        ("1717-TP-0-DP-1-prefill.trace.json.gz", None, {"TP": 0, "DP": 1}, "1717", "prefill"),
        ("trace-rank-12.json", 12, {}, "", ""),
        ("rank-7.json.gz", 7, {}, "", ""),
        ("rank_7.json.gz", 7, {}, "", ""),
        ("worker3.1699.pt.trace.json", 3, {}, "", ""),
        ("My trace rank 7 (copy).json", 7, {}, "", ""),
        ("trace rank #7.json", 7, {}, "", ""),
        ("last_step_rank_7.json", 7, {}, "", ""),
        ("tp_rank_1_pp_rank_2.json", None, {"TP": 1, "PP": 2}, "", ""),
        (
            "dp0_pp0_tp1_dcp0_ep1_rank1.1766.pt.trace.json.gz",
            1,
            {"DP": 0, "PP": 0, "TP": 1, "DCP": 0, "EP": 1},
            "",
            "",
        ),
        ("host_4123.1699.pt.trace.json", None, {}, "", ""),
    ],
)
def test_names_of_profilers_are_understood(
    name: str, rank: int | None, labels: dict[str, int], profile: str, stage: str
) -> None:
    """Rank, labels, profile and stage as each of them writes them."""
    found = parse_file_name(f"traces/{name}")
    assert (found.rank, found.labels, found.profile, found.stage) == (rank, labels, profile, stage)


def test_the_folder_tells_the_rank_where_the_file_does_not() -> None:
    """rank3/trace.json is rank 3."""
    assert parse_file_name("job/rank3/trace.json").rank == 3


def test_order_is_by_rank_whatever_the_arguments() -> None:
    """Rank 10 comes after rank 9, also when files are given at random."""
    names = [f"rank{rank}.json" for rank in range(12)]
    random.Random(1).shuffle(names)
    found, missing, _ = resolved({name: said(int(name[4:-5]), 12) for name in names})
    assert [it.rank for it in found] == list(range(12))
    assert missing == []


def test_labels_are_shown_in_the_title() -> None:
    """The title says where the rank is on the parallel axes."""
    found, _, _ = resolved({"a-TP-3-DP-0.trace.json": said(3), "a-TP-0-DP-0.trace.json": said(0)})
    assert found[1].title == "rank 3 (DP0 TP3)"


def test_a_size_in_all_names_is_no_rank() -> None:
    """A tp8 in the name of every rank of eight says how many there are."""
    found, _, _ = resolved({f"b200_tp8_rank{r}.json": said(r) for r in range(3)})
    assert [it.labels for it in found] == [{}, {}, {}]
    assert resolved({"b200_tp8_rank0.json": said(0)})[0][0].labels == {}


def test_a_name_is_a_hint() -> None:
    """The name says 3, the file 2: the file counts, and that is said."""
    found, _, lines = resolved({"rank3.json": said(2), "rank4.json": said(4)})
    assert [it.rank for it in found] == [2, 4]
    assert lines == ["Rank by distributedInfo, names say another: rank3.json (rank 2)."]


def test_the_name_of_a_pod_is_no_rank() -> None:
    """All ranks of a machine are called worker-0: that is said to be no rank, and not another."""
    files = {f"/t/job-worker-{r // 2}_{40 + r}.17.pt.trace.json": said(r, 4) for r in range(4)}
    found, missing, lines = resolved(files, RankChoice())
    assert [it.rank for it in found] == [0, 1, 2, 3]
    assert missing == []
    assert [line.split(":")[0] for line in lines] == [
        "Rank by distributedInfo alone, numbers in their names repeat"
    ]


def test_the_rank_of_vllm_counts_within_its_engine() -> None:
    """Two engines of two ranks: by distributedInfo, or by the names alone."""
    names = [f"dp{dp}_pp0_tp{tp}_dcp0_ep0_rank{tp}.17.json" for dp in range(2) for tp in range(2)]
    for known in (True, False):
        it = {name: said(r, 4) if known else said(None, None) for r, name in enumerate(names)}
        found, _, lines = resolved(it, RankChoice())
        assert [(it.rank, it.labels["DP"]) for it in found] == [(0, 0), (1, 0), (2, 1), (3, 1)]
        assert bool(lines) is not known


@pytest.mark.parametrize("kind", ["exp[rank-16]-rank[{}].json", "rank{}_lora_rank16.json"])
def test_the_number_that_differs_is_the_rank(kind: str) -> None:
    """A job may be called after a rank of another kind."""
    found, _, _ = resolved({kind.format(rank): said(None, None) for rank in range(3)})
    assert [it.rank for it in found] == [0, 1, 2]


def test_a_doubled_rank_names_both_files() -> None:
    """Two files of rank 1."""
    with pytest.raises(InputError, match=r"a\.json and b\.json are both of rank 1"):
        resolved({"a.json": said(1), "b.json": said(1)})


def test_a_file_without_any_rank_is_refused() -> None:
    """With what to do about it."""
    with pytest.raises(InputError, match=r"trace\.json: its rank is unknown.*Name it rank0"):
        resolved({"/x/y/trace.json": said(None, None)})


def test_missing_ranks_are_an_error_that_says_which() -> None:
    """And how to go on without them."""
    files = {f"rank{r}.json": said(r) for r in (0, 1, 5)}
    with pytest.raises(
        InputError, match=r"5 of 8 ranks have no file: 2, 3, 4, 6, \.\.\. 7.*--allow-missing"
    ):
        resolved(files, RankChoice())


def test_missing_ranks_are_known_when_allowed() -> None:
    """--allow-missing goes on and knows what is missing."""
    _, missing, _ = resolved({f"rank{r}.json": said(r, 4) for r in (0, 3)})
    assert missing == [1, 2]


def test_gaps_are_found_without_a_world_size() -> None:
    """Ranks 0 and 2 by name alone: 1 is missing."""
    _, missing, lines = resolved({f"rank{r}.json": said(None, None) for r in (0, 2)})
    assert missing == [1]
    assert lines == ["Rank by name alone, they have no distributedInfo: rank0.json, rank2.json."]


def test_distributed_info_alone_is_fine_and_said() -> None:
    """Names that say nothing are no error."""
    found, _, lines = resolved({"/t/host_12.json": said(0, 1)})
    assert found[0].by == "distributedInfo"
    assert "distributedInfo alone" in lines[0]


def test_jobs_of_different_sizes_are_refused() -> None:
    """World sizes 8 and 16."""
    with pytest.raises(InputError, match=r"a job of 8 ranks.*one of 16"):
        resolved({"rank0.json": said(0, 8), "rank1.json": said(1, 16)})


def test_overlapping_process_groups_are_refused() -> None:
    """Group 1 cannot be {0, 1} and {1, 2}."""
    with pytest.raises(InputError, match="different jobs: process group 1"):
        resolved(
            {
                "rank0.json": said(0, groups={"1": frozenset({0, 1})}),
                "rank1.json": said(1, groups={"1": frozenset({1, 2})}),
            }
        )


def test_disjoint_groups_of_one_name_are_fine() -> None:
    """Each tensor group of a Megatron job may be called the same."""
    found, _, _ = resolved(
        {
            "rank0.json": said(0, groups={"1": frozenset({0, 1})}),
            "rank2.json": said(2, groups={"1": frozenset({2, 3})}),
        }
    )
    assert len(found) == 2


def test_labels_alone_count_like_digits() -> None:
    """Without distributedInfo: PP before TP; DP lies within TP where TP numbers do not repeat."""
    names = [f"id-TP-{tp}-DP-0-PP-{pp}.trace.json" for pp in (1, 0) for tp in (1, 0)]
    found, _, _ = resolved({name: said(None, None) for name in names})
    assert [(it.rank, it.labels["PP"], it.labels["TP"]) for it in found] == [
        (0, 0, 0),
        (1, 0, 1),
        (2, 1, 0),
        (3, 1, 1),
    ]
    names = [f"id-TP-{tp}-DP-{tp // 2}.trace.json" for tp in range(4)]
    assert [it.rank for it in resolved({name: said(None, None) for name in names})[0]] == [
        0,
        1,
        2,
        3,
    ]


def test_replicas_that_count_from_zero_are_told_apart() -> None:
    """Data parallel replicas of SGLang are jobs of their own: DP tells them apart."""
    files = {f"id-TP-{tp}-DP-{dp}.trace.json": said(tp, 2) for dp in (1, 0) for tp in (1, 0)}
    found, missing, _ = resolved(files, RankChoice())
    assert [(it.rank, it.replica, it.labels["TP"]) for it in found] == [
        (0, 0, 0),
        (1, 0, 1),
        (2, 1, 0),
        (3, 1, 1),
    ]
    assert missing == []


@pytest.mark.parametrize("tp", [1, 2])
def test_there_may_be_more_replicas_than_ranks_in_each(tp: int) -> None:
    """Five replicas of one or two ranks."""
    files = {f"id-TP-{t}-DP-{dp}.trace.json": said(t, tp) for dp in range(5) for t in range(tp)}
    found, missing, _ = resolved(files, RankChoice())
    assert [it.rank for it in found] == list(range(5 * tp))
    assert missing == []


def test_a_replica_without_a_number_is_no_replica() -> None:
    """Of two files of rank 0 one does not say which replica it is of: nobody can know."""
    with pytest.raises(InputError, match=r"both of rank 0 of 1\. Leave one out; .*DP-0, DP-1"):
        resolved({"id-TP-0.trace.json": said(0, 1), "id-TP-0-DP-1.trace.json": said(0, 1)})


def test_ranks_beyond_the_job_are_refused() -> None:
    """Rank 9 of a job of 8."""
    with pytest.raises(InputError, match="rank 9 of a job of 8"):
        resolved({"rank9.json": said(9, 8)})
