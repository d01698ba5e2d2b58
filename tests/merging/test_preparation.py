"""Merging: nothing joined that does not belong together, nothing lost, everything in its place."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from fixtures import generate_ranks
from tests.support import generated
from tests.support.generated import write_rank
from tests.support.launched import GLOO, info, kernel, launched
from tp_tools import engine
from tp_tools.errors import InputError
from tp_tools.files import Source
from tp_tools.merging import output as merge_output
from tp_tools.merging import preparation
from tp_tools.merging.rank_names import RankChoice
from tp_tools.merging.summary import summary
from tp_tools.processes.pool import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.engine.processor import Processor

ANY = preparation.MergeOptions(choice=RankChoice(allow_missing=True))

ARROWS = """
WITH place AS (
  SELECT slice.id, slice.name, slice.category, pid, pid / 100000 AS rank
  FROM slice
  JOIN thread_track ON thread_track.id = slice.track_id
  JOIN thread USING (utid)
  JOIN process USING (upid)
)
SELECT a.rank, a.name, a.category, b.rank, b.name, b.category
FROM flow JOIN place AS a ON a.id = slice_out JOIN place AS b ON b.id = slice_in
"""


def merged(
    files: list[Path],
    wishes: preparation.MergeOptions = ANY,
    jobs: int = 1,
    form: merge_output.Form = "json",
) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The merged trace as JSON, its summary, and its text or packets."""
    with preparation.rank_pool(jobs) as pool, TemporaryDirectory() as folder:
        given = [Source(file, str(file)) for file in files]
        prepared = preparation.prepare(given, wishes, pool, folder=Path(folder))
        about = summary(prepared)
        counts = merge_output.Counts()
        text = b"".join(merge_output.blocks(prepared, pool, about, form, counts=counts))
    return json.loads(text) if form == "json" else {}, {**about, "counts": counts}, text


@contextmanager
def loaded(text: bytes) -> Iterator[Processor]:
    """The merged trace in TraceProcessor; a loss is an error."""
    with engine.load([text], source="the merge") as tp:
        yield tp


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Two ranks with the same ids everywhere, whose events interleave in time."""
    return [
        write_rank(
            tmp_path,
            f"rank{rank}.json",
            [event for i in range(20) for event in launched(1000 + 50 * i + 7 * rank, i + 1)],
            **info(rank),
        )
        for rank in range(2)
    ]


def test_launch_arrows_never_leave_their_rank(pair: list[Path]) -> None:
    """Every one of 40 arrows with 20 ids joins a launch and a kernel of one rank."""
    _, _, text = merged(pair)
    with loaded(text) as tp:
        arrows = engine.rows(tp, ARROWS)
        stats = engine.load_stats(tp)
    assert len(arrows) == 40
    assert all(a[0] == a[3] for a in arrows)
    assert not {"flow_duplicate_id", "flow_end_without_start"} & stats.keys()


def test_ids_are_unique_across_ranks(pair: list[Path]) -> None:
    """No pid, tid or arrow id is used by two ranks; all are below 2^31."""
    events = merged(pair)[0]["traceEvents"]
    ids: dict[int, set[int]] = {}
    for event in events:
        rank = event["pid"] // 100_000
        flow = {-event["id"]} if "id" in event else set()
        ids.setdefault(rank, set()).update({event["pid"], event["tid"], *flow})
    assert not ids[1] & ids[2]
    assert max(ids[1] | ids[2]) < 1 << 31


def test_a_merge_of_others_is_no_rank(tmp_path: Path) -> None:
    """Nor is it to be named one: the error says what takes it."""
    file = write_rank(tmp_path, "merged-17.json", [kernel(10, pid="[TP00] 1")])
    with pytest.raises(InputError, match=r"merged-17\.json: holds ranks that are merged"):
        merged([file])


BIND_IDS = [1, "0x10000000001", "77", 10**18, "a word", "", 2.5, "\u00b2"]
"""Ids that slices carry for flows: the first two are equal in their last 40 bits."""


def test_slices_of_a_bind_id_are_joined_in_their_rank_alone(tmp_path: Path) -> None:
    """What Perfetto reads as an id is the rank's own; what it reads as none joins nothing."""
    events = [
        kernel(20 * i + 10 * end, 5, f"{'end' if end else 'start'} {i}", bind_id=id_, **direction)
        for i, id_ in enumerate(BIND_IDS)
        for end, direction in enumerate(({"flow_out": True}, {"flow_in": True}))
    ]
    files = [write_rank(tmp_path, f"rank{r}.json", events, **info(r)) for r in range(2)]
    with loaded(merged(files)[2]) as tp:
        arrows = [(a[0], a[1], a[3], a[4]) for a in engine.rows(tp, ARROWS)]
    own = [(rank, f"start {i}", rank, f"end {i}") for rank in (1, 2) for i in range(4)]
    assert sorted(arrows) == own


def test_bind_ids_of_a_rank_are_none_between_ranks(tmp_path: Path) -> None:
    """In .pftrace slices carry the flows between ranks too: none meets a rank's own."""
    nccl = {"Collective name": "allreduce", "Process Group Name": "0", "Group size": 2}
    events = [
        it
        for i in range(3)
        for it in (
            kernel(100 * i, 5, "start", bind_id=i, flow_out=True),
            kernel(100 * i + 10, 5, "end", bind_id=i, flow_in=True),
            kernel(100 * i + 20, 30, "ncclDevKernel_AllReduce", args={**nccl, "Seq": i}),
        )
    ]
    files = [write_rank(tmp_path, f"rank{r}.json", events, **info(r)) for r in range(2)]
    with loaded(merged(files, form="pftrace")[2]) as tp:
        arrows = Counter((a[1], a[4], a[0] == a[3]) for a in engine.rows(tp, ARROWS))
    assert arrows == {
        ("start", "end", True): 6,
        ("ncclDevKernel_AllReduce", "ncclDevKernel_AllReduce", False): 3,
    }


@pytest.mark.parametrize("args", [{}, {"correlation": 9}])
def test_an_id_that_ties_nothing_stays(args: dict[str, int], tmp_path: Path) -> None:
    """Some profilers give slices an `id`: it is no arrow's, and there may be no arrow at all."""
    events = [kernel(10, id=7, args=args), kernel(30)]
    files = [write_rank(tmp_path, f"rank{r}.json", events, **info(r)) for r in range(2)]
    found = [e.get("id") for e in merged(files)[0]["traceEvents"] if e["ph"] == "X"]
    assert found == [7, None, 7, None]


def test_the_last_of_4096_ranks_has_ids(tmp_path: Path) -> None:
    """Rank 4095 fits, with a pid that is larger than its share."""
    events = [kernel(10), {**kernel(10), "cat": "cpu_op", "pid": 4_000_000, "tid": 4_000_000}]
    path = write_rank(tmp_path, "rank4095.json", events, **info(4095, 4096))
    found = [e for e in merged([path])[0]["traceEvents"] if e["ph"] == "X"]
    assert [(e["pid"], e["tid"]) for e in found] == [(409_600_000, 409_600_007), (409_699_999,) * 2]


def test_order_of_rows_within_a_rank_stays(tmp_path: Path) -> None:
    """Viewers before v57 sort threads by tid: large ids stay in order."""
    tids = [7, 20, 150_000, 150_001, 4_000_000]
    path = write_rank(
        tmp_path, "rank0.json", [{**kernel(10 * t), "tid": t} for t in tids], **info(0)
    )
    found = [e["tid"] for e in merged([path])[0]["traceEvents"] if e["ph"] == "X"]
    assert found == sorted(found)
    assert len(set(found)) == len(tids)


def test_asynchronous_slices_and_counters_stay_apart(tmp_path: Path) -> None:
    """Perfetto keys async slices by id without a pid; merged ranks must not share them."""
    events: list[dict[str, object]] = [
        {"ph": ph, "cat": "a", "name": "copy", "id": 5, "pid": 99, "tid": 99, "ts": ts}
        for ph, ts in (("b", 10), ("e", 20))
    ]
    events += [{"ph": "C", "name": "memory", "pid": 99, "tid": 99, "ts": 10, "args": {"MB": 1}}]
    files = [write_rank(tmp_path, f"rank{r}.json", events, **info(r)) for r in range(2)]
    with loaded(merged(files)[2]) as tp:
        tracks = engine.rows(tp, "SELECT track_id, dur FROM slice")
        assert len({track for track, _ in tracks}) == 2
        assert [dur for _, dur in tracks] == [10_000, 10_000]
        assert engine.rows(tp, "SELECT COUNT(*) FROM process_counter_track") == [(2,)]


def test_processes_are_named_by_rank_and_labels(tmp_path: Path) -> None:
    """Rank, labels and device in each name, in the order of ranks whatever that of the files."""
    files = [
        write_rank(tmp_path, f"x-TP-{r}-DP-0.trace.json", launched(100, 1), **info(r))
        for r in (1, 0)
    ]
    events = merged(files)[0]["traceEvents"]
    index = {e["pid"]: e["args"]["sort_index"] for e in events if e["name"] == "process_sort_index"}
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert [names[pid] for pid in sorted(names, key=index.__getitem__)] == [
        "rank 0 (DP0 TP0) CPU",
        "rank 0 (DP0 TP0) GPU 0",
        "rank 1 (DP0 TP1) CPU",
        "rank 1 (DP0 TP1) GPU 0",
    ]


def test_times_are_on_one_base(tmp_path: Path) -> None:
    """Ranks with different base times: absolute times stay, exactly."""
    bases = (1_767_189_312_000_000_000, 1_767_189_313_000_000_123)
    files = [
        write_rank(
            tmp_path,
            f"rank{r}.json",
            [kernel(1_000_000.001)],
            distributedInfo={"rank": r, "world_size": 2},
            baseTimeNanoseconds=base,
        )
        for r, base in enumerate(bases)
    ]
    trace = merged(files)[0]
    with loaded(json.dumps(trace).encode()) as tp:
        found = [ts for (ts,) in engine.rows(tp, "SELECT ts FROM slice ORDER BY ts")]
    assert [ts + trace["baseTimeNanoseconds"] for ts in found] == [b + 1_000_000_001 for b in bases]


def test_a_rank_is_repaired_as_by_fix(tmp_path: Path) -> None:
    """Overlapping kernels get a lane of their rank; nothing is lost on loading."""
    files = [
        write_rank(tmp_path, f"rank{r}.json", [kernel(10, 10, "a"), kernel(15, 10, "b")], **info(r))
        for r in range(2)
    ]
    with loaded(merged(files)[2]) as tp:
        rows = engine.rows(
            tp,
            "SELECT process.name, thread.name, slice.name FROM slice JOIN thread_track "
            "ON thread_track.id = track_id JOIN thread USING (utid) JOIN process USING (upid) "
            "ORDER BY 1, 2",
        )
    assert rows == [
        ("rank 0 GPU 0", "rank 0 · stream 7", "a"),
        ("rank 0 GPU 0", "rank 0 · stream 7 (2)", "b"),
        ("rank 1 GPU 0", "rank 1 · stream 7", "a"),
        ("rank 1 GPU 0", "rank 1 · stream 7 (2)", "b"),
    ]


ALL_REDUCE = {
    "Collective name": "allreduce",
    "In msg nelems": 1024,
    "Out msg nelems": 1024,
    "Group size": 3,
    "dtype": "BFloat16",
    "Process Group Name": "4",
    "Process Group Description": "tp",
    "Process Group Ranks": "[0, 1, 2]",
}


@pytest.fixture
def reducing(tmp_path: Path) -> list[Path]:
    """Three ranks, one numbered all-reduce: arrivals at 100, 130 and 110 us, all leave at 150."""
    name = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(x)"
    return [
        write_rank(
            tmp_path,
            f"rank{r}.json",
            [kernel(ts, 150 - ts, name, args={**ALL_REDUCE, "Seq": 9})],
            **info(r, 3),
        )
        for r, ts in enumerate((100, 130, 110))
    ]


def test_the_collectives_process_tells_window_and_straggler(reducing: list[Path]) -> None:
    """One slice from first arrival to last end, with what is known about it."""
    events = merged(reducing)[0]["traceEvents"]
    (found,) = [e for e in events if e.get("cat") == "collective" and e["ph"] == "X"]
    assert found["dur"] == 50
    args = found["args"]
    assert (args["kind"], args["bytes"], args["dtype"], args["seq"]) == (
        "all_reduce",
        2048,
        "BFloat16",
        9,
    )
    assert (args["skew_us"], args["straggler_rank"], args["first_rank"]) == (30, 1, 0)
    assert (args["ranks"], args["ranks_expected"]) == (3, 3)
    assert (args["matched_by"], args["confidence"]) == ("seq", "certain")
    names = [e["args"]["name"] for e in events if e["name"].endswith("_name") and e["pid"] == 1]
    assert names == ["collectives (all ranks)", "group 4 tp [0, 1, 2]"]


def parts(events: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """Name, start and duration of the slices that the merge made of collectives, by start."""
    made = [e for e in events if e["ph"] == "X" and e.get("cat", "").startswith("collective")]
    first = min(e["ts"] for e in made)
    return [(e["name"], round(e["ts"] - first, 3), e["dur"]) for e in made]


def test_a_slice_says_who_was_late_and_is_split(reducing: list[Path]) -> None:
    """Its name has the rank that came last; in it lie the waiting for that rank, and the wire."""
    assert parts(merged(reducing)[0]["traceEvents"]) == [
        ("all_reduce, 50.0 us, last: rank 1", 0, 50),
        ("waiting for rank 1", 0, 30),
        ("on the wire", 30, 20),
    ]


def test_where_all_come_together_nobody_is_late(tmp_path: Path) -> None:
    """Neither a name nor parts are made up."""
    files = [
        write_rank(
            tmp_path,
            f"rank{r}.json",
            [kernel(100, 50, "ncclDevKernel_AllReduce_x", args={**ALL_REDUCE, "Seq": 9})],
            **info(r, 3),
        )
        for r in range(3)
    ]
    assert parts(merged(files)[0]["traceEvents"]) == [("all_reduce, 50.0 us", 0, 50)]


def test_a_pdl_start_is_no_arrival(tmp_path: Path) -> None:
    """Rank 1 started first, at 90, but behind a kernel that ended at 140: it was the last to come.

    So `allreduce` has it, which reads the same trace.
    """
    files = [
        write_rank(
            tmp_path,
            f"rank{r}.json",
            [
                kernel(50, ahead - 50, "gemm"),
                kernel(
                    start, 150 - start, "ncclDevKernel_AllReduce_x", args=ALL_REDUCE | {"Seq": 9}
                ),
            ],
            **info(r, 3),
        )
        for r, (start, ahead) in enumerate([(100, 90), (90, 140), (110, 100)])
    ]
    assert parts(merged(files)[0]["traceEvents"]) == [
        ("all_reduce, 50.0 us, last: rank 1", 0, 50),
        ("waiting for rank 1", 0, 40),
        ("on the wire", 40, 10),
    ]


def test_arrows_between_ranks_join_one_collective(reducing: list[Path]) -> None:
    """From the first arrival to each of the others, kernel to kernel."""
    _, told, text = merged(reducing)
    with loaded(text) as tp:
        arrows = engine.rows(tp, ARROWS)
        assert "flow_duplicate_id" not in engine.load_stats(tp)
    assert sorted((a[0], a[3]) for a in arrows) == [(1, 2), (1, 3)]
    assert {a[2] for a in arrows} | {a[5] for a in arrows} == {"kernel"}
    assert told["counts"].links == 2


def test_no_links_draws_none(reducing: list[Path]) -> None:
    """--no-links leaves them out; the kernels still tell which collective they are part of."""
    trace, told, _ = merged(reducing, replace(ANY, links=False))
    assert told["counts"].links == 0
    kernels = [e for e in trace["traceEvents"] if e.get("cat") == "kernel"]
    assert [e["args"]["tpt_collective"] for e in kernels] == [0, 0, 0]


def test_the_window_is_one_for_all_ranks_and_cuts_nothing(pair: list[Path]) -> None:
    """--start and --end count from the first event of all; what crosses an edge stays whole."""
    # after the first event, rank 0 launches at 50 i and rank 1 at 7 + 50 i; kernels 5 us later
    trace, told, text = merged(pair, replace(ANY, start_ns=106_000, end_ns=160_000))
    lasting = sorted(e["dur"] for e in trace["traceEvents"] if e["ph"] == "X")
    assert lasting == [2, 2, 2, 10, 10, 10]
    assert told["counts"].slices == 6
    with loaded(text) as tp:
        assert len(engine.rows(tp, ARROWS)) == 2


def test_gpu_only_leaves_no_half_arrows(pair: list[Path]) -> None:
    """Launches are left out, and the arrows from them."""
    trace = merged(pair, replace(ANY, gpu_only=True))[0]
    assert {e.get("cat") for e in trace["traceEvents"] if e["ph"] != "M"} == {"kernel"}


def test_a_category_can_be_left_out(pair: list[Path]) -> None:
    """--exclude cuda_runtime takes launches and their arrows, and no kernel."""
    trace = merged(pair, replace(ANY, excluded=frozenset({"cuda_runtime"})))[0]
    assert sum(e["ph"] == "X" for e in trace["traceEvents"]) == 40
    assert not [e for e in trace["traceEvents"] if e["ph"] in "sf"]


def test_nothing_else_of_an_event_changes(tmp_path: Path) -> None:
    """Args, unknown members and names come through; numbers as they are written."""
    event = kernel(10, args={"grid": [1, 2, 3], "big": 0.1000}, cname="good", tts=4)
    path = write_rank(tmp_path, "rank0.json", [event], **info(0))
    text = merged([path])[2]
    (found,) = [e for e in json.loads(text)["traceEvents"] if e["ph"] == "X"]
    assert found["args"] == event["args"]
    assert (found["cname"], found["tts"], found["name"], found["cat"]) == (
        "good",
        4,
        "gemm",
        "kernel",
    )


def test_the_same_files_give_the_same_bytes(pair: list[Path]) -> None:
    """Whatever the order of arguments and the number of workers."""
    assert merged(pair)[2] == merged(pair[::-1])[2] == merged(pair, jobs=2)[2]


def test_a_merge_is_not_merged_again(pair: list[Path], tmp_path: Path) -> None:
    """The result in the same folder is refused by name."""
    again = tmp_path / "all.json"
    again.write_bytes(merged(pair)[2])
    with pytest.raises(InputError, match=r"all\.json: is the result of a merge"):
        merged([again])


def test_an_empty_rank_is_named(pair: list[Path], tmp_path: Path) -> None:
    """A rank whose profiler wrote nothing stops the merge."""
    empty = tmp_path / "rank2.json"
    empty.write_bytes(b"")
    with pytest.raises(InputError, match=r"rank2\.json"):
        merged([*pair, empty])


def test_generated_ranks_come_out_on_one_clock(tmp_path: Path) -> None:
    """The whole road: files in, one trace out whose ends of each collective agree to 3 us."""
    step = generate_ranks.structure(generated.STEP)
    job = generate_ranks.generate(step, generate_ranks.Wishes(ranks=4, steps=12, args="none"))
    files = list(generate_ranks.written(job, tmp_path))
    _, told, text = merged(files)
    assert all(it["aligned_by"] == "collectives" for it in told["ranks"])
    with loaded(text) as tp:
        spread = engine.rows(
            tp,
            "SELECT MAX(ends) FROM (SELECT MAX(ts + dur) - MIN(ts + dur) AS ends FROM slice "
            "WHERE category = 'kernel' AND EXTRACT_ARG(arg_set_id, 'args.tpt_collective') "
            "IS NOT NULL GROUP BY EXTRACT_ARG(arg_set_id, 'args.tpt_collective'))",
        )
        arrows = engine.rows(tp, ARROWS)
    assert spread[0][0] <= 3_000
    assert sum(a[0] != a[3] for a in arrows) == told["counts"].links
    assert all(a[2] == a[5] == "kernel" for a in arrows if a[0] != a[3])


def test_gloo_ranks_are_merged() -> None:
    """Recorded CPU ranks: annotations are the collectives, and all 24 of each rank are matched."""
    _, told, text = merged(sorted(GLOO.glob("*.gz")))
    assert [it["rank"] for it in told["ranks"]] == [0, 1, 2, 3]
    assert told["matched_collectives"]["total"] == 24
    with loaded(text) as tp:
        rows = engine.rows(
            tp,
            "SELECT EXTRACT_ARG(arg_set_id, 'args.kind'), COUNT(*) FROM slice "
            "WHERE category = 'collective' GROUP BY 1",
        )
    assert dict(rows) == {"all_reduce": 12, "all_gather": 4, "broadcast": 4, "barrier": 4}


def test_two_of_128_ranks_keep_base_times(real_trace: Callable[[str], Path]) -> None:
    """Sampled ranks whose collectives do not end together: base times stay, and it is said."""
    files = [real_trace(f"train128_rank{rank}.json.gz") for rank in range(2)]
    with pytest.raises(InputError, match="126 of 128 ranks have no file"):
        merged(files, preparation.MergeOptions())
    _, told, text = merged(files)
    assert [it["aligned_by"] for it in told["ranks"]] == ["base", "base"]
    assert [it["offset_ns"] for it in told["ranks"]] == [0, 0]
    with loaded(text):
        pass


def test_eight_real_ranks_lose_nothing(real_trace: Callable[[str], Path], tmp_path: Path) -> None:
    """Copies of a real rank as eight: every slice is there, arrows between ranks as asked for."""
    recorded = gzip.decompress(real_trace("b200_vllm_tp8_rank0.cut700.json.gz").read_bytes())
    files = []
    for rank in range(8):
        path = tmp_path / f"rank{rank}.json"
        path.write_bytes(recorded.replace(b'"rank": 0', b'"rank": %d' % rank, 1))
        files.append(path)
    _, told, text = merged(files, preparation.MergeOptions())
    slices = json.loads(recorded)["traceEvents"]
    expected = 8 * sum(e["ph"] == "X" for e in slices) + told["matched_collectives"]["total"]
    with loaded(text) as tp:
        assert (
            engine.rows(tp, "SELECT COUNT(*) FROM slice WHERE dur > 0 OR category != ''")[0][0]
            == expected
        )
        arrows = engine.rows(tp, ARROWS)
        assert "flow_duplicate_id" not in engine.load_stats(tp)
    between = [a for a in arrows if a[0] != a[3]]
    assert len(between) == told["counts"].links == 7 * told["matched_collectives"]["total"] > 0
    assert {(a[2], a[5]) for a in between} == {("kernel", "kernel")}


SLICES = """
SELECT s.name, s.ts, s.dur, process.name, thread.tid
FROM slice AS s JOIN thread_track ON thread_track.id = s.track_id
JOIN thread USING (utid) JOIN process USING (upid)
WHERE s.name != 'trace header'
ORDER BY s.ts, s.dur, s.name, process.name
"""


def packed(files: list[Path], wishes: preparation.MergeOptions = ANY) -> bytes:
    """The merged trace as `.pftrace`."""
    with TemporaryDirectory() as folder:
        given = [Source(file, str(file)) for file in files]
        prepared = preparation.prepare(given, wishes, ALONE, folder=Path(folder))
        return b"".join(merge_output.blocks(prepared, ALONE, summary(prepared), "pftrace"))


@pytest.mark.parametrize("wishes", [ANY, replace(ANY, links=False, start_ns=200_000)])
def test_pftrace_and_json_hold_the_same(tmp_path: Path, wishes: preparation.MergeOptions) -> None:
    """Slices, times, rows and all arrows, those between ranks among them."""
    step = generate_ranks.structure(generated.STEP)
    job = generate_ranks.generate(step, generate_ranks.Wishes(ranks=3, steps=6))
    files = list(generate_ranks.written(job, tmp_path))
    found = []
    for text in (merged(files, wishes)[2], packed(files, wishes)):
        with loaded(text) as tp:
            arrows = sorted(engine.rows(tp, ARROWS))
            found.append((engine.rows(tp, SLICES), arrows))
    assert found[0] == found[1]
    assert (wishes.links and any(a[0] != a[3] for a in found[0][1])) or not wishes.links


ARGS = """
SELECT s.ts, s.name, replace(flat_key, 'debug.args.', 'args.'), display_value
FROM slice AS s JOIN args USING (arg_set_id)
WHERE s.name != 'trace header' AND flat_key GLOB '*args.*'
ORDER BY 1, 2, 3, 4
"""


OTHERS = """
SELECT name, ts, dur, COUNT(DISTINCT track_id)
FROM slice
WHERE name IN ('asynchronous', 'everywhere')
GROUP BY 1, 2, 3
"""


def of_many_kinds(rank: int) -> list[dict[str, object]]:
    """Kernels that overlap, by much and by jitter, one without args of a collective, and others."""
    op = {"ph": "X", "cat": "cpu_op", "pid": 99, "tid": 99}
    wide = {"ph": "i", "cat": "mark", "name": "everywhere", "pid": 99, "tid": 99, "s": "g"}
    shared = {"cat": "copy", "name": "asynchronous", "pid": 99, "tid": 99, "id2": {"global": "7"}}
    return [
        kernel(100, 50, "long", args={"correlation": 1}),
        kernel(120, 60, "overlapping", args={"correlation": 2}),
        {**op, "name": "outer", "ts": 200, "dur": 100, "args": {"External id": 1}},
        {**op, "name": "outlasts it", "ts": 250, "dur": 50.4},
        *(kernel(300 + 100 * i + 7 * rank, 40, "ncclDevKernel_AllReduce") for i in range(3)),
        {**wide, "ts": 210},
        {**shared, "ph": "b", "ts": 205 + rank},
        {**shared, "ph": "e", "ts": 215 + rank},
        {"ph": "C", "name": "memory", "id": "7", "pid": 99, "tid": 99, "ts": 10, "args": {"MB": 1}},
    ]


def test_every_edit_of_a_rank_is_in_a_pftrace_too(tmp_path: Path) -> None:
    """Notes about moves, trims and collectives; asynchronous slices, instants and counters."""
    names = [f"rank{rank}.json" for rank in range(2)]
    files = [
        write_rank(tmp_path, name, of_many_kinds(i), **info(i)) for i, name in enumerate(names)
    ]
    found = []
    for form in ("json", "pftrace"):
        with loaded(merged(files, form=form)[2]) as tp:
            others = engine.rows(tp, OTHERS)
            counters = engine.rows(tp, "SELECT COUNT(*) FROM process_counter_track")
            slices = [row[:4] for row in engine.rows(tp, SLICES)]  # a lane has no tid there
            found.append((slices, engine.rows(tp, ARGS), others, counters))
    assert found[0] == found[1]
    keys = Counter(key for _, _, key, _ in found[0][1])
    assert keys["args.tpt_lane"] == keys["args.tpt_recorded_dur"] == 2
    assert keys["args.tpt_collective"] == 2 * 3 + 3


def test_lanes_share_the_row_of_their_stream_in_a_pftrace(tmp_path: Path) -> None:
    """Moved kernels stay in the thread of their stream."""
    files = [
        write_rank(tmp_path, f"rank{r}.json", [kernel(10, 10, "a"), kernel(15, 10, "b")], **info(r))
        for r in range(2)
    ]
    with loaded(packed(files)) as tp:
        rows = sorted((name, tid) for name, _, _, _, tid in engine.rows(tp, SLICES))
    assert rows == [("a", 100_007), ("a", 200_007), ("b", 100_007), ("b", 200_007)]


PLACES = """
SELECT t.name, CAST(a.display_value AS INT)
FROM track t JOIN args a ON a.arg_set_id = t.source_arg_set_id
WHERE a.key = 'sibling_order_rank' AND t.type = 'process_track_event'
ORDER BY 2
"""


def test_processes_of_a_pftrace_are_ranked_rank_by_rank(tmp_path: Path) -> None:
    """Perfetto v58 draws processes in this order: a rank with 1100 of them keeps to itself."""
    many = [kernel(10), *(kernel(10, cat="cpu_op", pid=20_000 + i) for i in range(1100))]
    files = [write_rank(tmp_path, "rank0.json", many, **info(0, 3))]
    files += [
        write_rank(
            tmp_path, f"rank{r}.json", [kernel(10), kernel(10, cat="cpu_op", pid=99)], **info(r, 3)
        )
        for r in (1, 2)
    ]
    with loaded(packed(files)) as tp:
        names, places = zip(*engine.rows(tp, PLACES), strict=True)
    assert len(set(places)) == len(places)
    assert [name.split()[1] for name in names] == ["0"] * 1101 + ["1"] * 2 + ["2"] * 2
    assert [name.split()[2] for name in names[-4:]] == ["CPU", "GPU", "CPU", "GPU"]


def test_ranks_that_are_months_apart_are_refused(tmp_path: Path) -> None:
    """One of them counts from another time: no double holds the ns of both in one trace."""
    event = {"ph": "X", "name": "a", "pid": 1, "tid": 1, "ts": 1.5, "dur": 2}
    files = [tmp_path / "rank0.json", tmp_path / "rank1.json"]
    for file, base in zip(files, (0, 1_790_857_026_000_000_000), strict=True):
        file.write_text(json.dumps({"baseTimeNanoseconds": base, "traceEvents": [event]}))
    with pytest.raises(InputError, match=r"rank1\.json: begins 20,727 days after .*rank0\.json"):
        merged(files)


@pytest.mark.parametrize("base", [2**63 - 1, -(2**63), 5 * 10**18])
def test_a_base_time_of_no_clock_is_refused(tmp_path: Path, base: int) -> None:
    """Times that no clock shows name the file and the member, in place of sums that overflow."""
    event = {"ph": "X", "name": "a", "pid": 1, "tid": 1, "ts": 1.5, "dur": 2}
    files = [tmp_path / "rank0.json", tmp_path / "rank1.json"]
    for file, given in zip(files, (1_790_857_026_000_000_000, base), strict=True):
        file.write_text(json.dumps({"baseTimeNanoseconds": given, "traceEvents": [event]}))
    with pytest.raises(InputError, match=rf"rank1\.json: by its baseTimeNanoseconds of {base}"):
        merged(files)
