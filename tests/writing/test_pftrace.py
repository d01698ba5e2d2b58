"""A repaired trace as `.pftrace` shows the slices of the repaired JSON, under better names."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make import FIXTURES, HERE
from tests.support.handmade import (
    US,
    arrow,
    cpu,
    fixed,
    kernel,
    loaded,
    mark,
    micros,
    overlap_options,
    source_of,
    text,
    x,
)
from tests.support.helping import Slow, here
from tests.support.perfetto_content import both, pftrace_of, rows_in
from tests.support.strategies import LOADING, laminar
from tp_tools import engine, library
from tp_tools.errors import InputError
from tp_tools.files import ReadSizes, Source
from tp_tools.processes.pool import ALONE, Pool
from tp_tools.repair.analysis import analyze
from tp_tools.repair.analysis import rewrite as rewrite_trace
from tp_tools.writing.pftrace.options import Lanes, PftraceOptions
from tp_tools.writing.pftrace.writer import rewrite

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec
    from hypothesis.strategies import DrawFn, SearchStrategy

    from tests.support.handmade import Event

REAL = (
    "alexnet_whole_us.json.gz",
    "b200_vllm_tp8_rank0.json.gz",
    "epoch_decimals_rank0.cut.json.gz",
    "h100_qwen15_chat.json.gz",
    "mi300_resnet_ddp8_rank0.cut1500.json.gz",
    "mi300_xdit_sd35_rank0.cut3000.json.gz",
    "nccl_args_rank0.cut.json.gz",
    "sglang_qwen3_decode.json.gz",
    "train128_rank0.json.gz",
    "train128_rank1.json.gz",
    "vllm_piecewise_graph_execution.json.gz",
)
ROWS = PftraceOptions(lanes="rows")
STEP_NS = 500
"""Grid of generated times, so that many of them are equal."""

THREADS = [(0, 0), (0, 5), (0, 7), (5, 5), (5, 7)]
PAIRED = [(9, 9), (9, 10)]


def thread(threads: list[tuple[int, int]]) -> SearchStrategy[Event]:
    """Draw the thread of an event."""
    return st.sampled_from(threads).map(lambda ids: {"pid": ids[0], "tid": ids[1]})


def at(last: int = 30) -> SearchStrategy[msgspec.Raw]:
    """Draw a time."""
    return st.integers(0, last).map(lambda step: micros(step * STEP_NS))


VALUES = st.recursive(
    st.sampled_from([1, 2**53 + 1, -(2**62), 1.5, 'text é "q"', True, None, "p/q", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b.c", " ", "["]), inner, max_size=3)
    ),
    max_leaves=6,
)
ARGS = st.one_of(
    st.just({}),
    st.sampled_from([None, 5, "x", [1], {}]).map(lambda args: {"args": args}),
    st.dictionaries(
        st.sampled_from(["a", "b c", "d.e", "f[0]", "correlation"]), VALUES, max_size=4
    ).map(lambda args: {"args": args}),
)


@st.composite
def events(draw: DrawFn, kind: dict[str, SearchStrategy[Any]], most: int) -> list[Event]:
    """Draw events of one kind; the dicts drawn for "thread", "more" and "args" add their keys."""
    made = draw(st.lists(st.fixed_dictionaries(kind), max_size=most))
    return [
        {key: value for key, value in event.items() if key not in {"thread", "more", "args"}}
        | event["thread"]
        | event.get("more", {})
        | event.get("args", {})
        for event in made
    ]


SLICES = {
    "ph": st.just("X"),
    "name": st.sampled_from(["k", "m", ""]),
    "cat": st.sampled_from(["kernel", "cpu_op", ""]),
    "thread": thread(THREADS),
    "ts": at(),
    "dur": at(12),
    "args": ARGS,
}
INSTANTS = {
    "ph": st.sampled_from("iIR"),
    "name": st.sampled_from(["i", ""]),
    "thread": thread(THREADS),
    "ts": at(),
    "more": st.sampled_from([{}, *({"s": scope} for scope in "tpgx")]),
    "args": ARGS,
}
ARROWS = {
    "ph": st.sampled_from("stf"),
    "name": st.sampled_from(["ac2g", "fwdbwd"]),
    "cat": st.just("ac2g"),
    "thread": thread(THREADS + PAIRED),
    "ts": at(),
    "id": st.sampled_from([1, 2, 16, "10"]),
    "more": st.sampled_from([{"bp": "e"}, {"bp": "e"}, {}]),
}
SPANS = {
    "ph": st.sampled_from("bbene"),
    "name": st.sampled_from(["span", "other", ""]),
    "cat": st.sampled_from(["x", "y"]),
    "thread": thread(THREADS),
    "ts": at(),
    "more": st.sampled_from(
        [{"id": 1}, {"id": "1"}, {"id2": {"local": 1}}, {"id2": {"global": 1}}, {"id": "0xf"}]
    ),
    "args": ARGS,
}
COUNTERS = {
    "ph": st.just("C"),
    "name": st.sampled_from(["memory", ""]),
    "thread": thread(THREADS),
    "ts": at(),
    "more": st.sampled_from([{}, {"id": "z"}, {"id": 3}]),
    "args": st.dictionaries(
        st.sampled_from("uv"), st.sampled_from([1, 2.5, 2**60, "7"]), min_size=1
    ).map(lambda args: {"args": args}),
}


@st.composite
def pairs(draw: DrawFn) -> list[Event]:
    """Draw B and E events that nest, on threads of their own, in the order of time."""
    made = []
    for pid, tid in PAIRED:
        thread = {"pid": pid, "tid": tid}
        for start, end in draw(laminar(0, 30, 2)):
            begin = {"ph": "B", "name": f"from {start}", "cat": "c", "ts": micros(start * STEP_NS)}
            finish = {"ph": "E", "ts": micros(end * STEP_NS)}
            made.append(((start, 1, -end), begin | thread | draw(ARGS)))
            made.append(((end, 0, -start), finish | thread | draw(ARGS)))
    return [event for _, event in sorted(made, key=lambda it: it[0])]


def without_steps_from_nowhere(made: list[Event]) -> list[Event]:
    """Drop `t` events if some `f` binds to the next slice, since its flow may have no beginning.

    TraceProcessor begins such a flow at slice 0, and continues it at each later `t`. The comparison
    leaves out flows from slice 0, but could not recognize their continuations.
    """
    if not any(event["ph"] == "f" and "bp" not in event for event in made):
        return made
    return [event for event in made if event["ph"] != "t"]


@st.composite
def traces(draw: DrawFn) -> list[Event]:
    """Draw a trace with events of every phase, all but B and E in any order."""
    made = [
        event
        for kind, most in ((SLICES, 25), (INSTANTS, 6), (ARROWS, 12), (SPANS, 8), (COUNTERS, 5))
        for event in draw(events(kind, most))
    ]
    made = draw(st.permutations(without_steps_from_nowhere(made)))
    paired = draw(pairs())
    # Perfetto sorts events of one time only from the first X on
    first = x("first", 0, US, pid=11, tid=11)
    cut = draw(st.integers(0, len(made)))
    return [first, *made[:cut], *paired, *made[cut:]]


@LOADING
@given(traces(), st.sampled_from(["shared", "rows"]), st.sampled_from([200, 1000, 4 << 20]))
def test_random_events_are_shown_as_in_json(trace: list[Event], lanes: Lanes, size: int) -> None:
    """Slices, instants, flows and counters are those of the repaired JSON, with their args.

    This holds for any size of batches: events of one time may be read in several.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(text(trace), Path(folder), ReadSizes(batch=size))
        as_json, as_pftrace = both(source, PftraceOptions(lanes=lanes), lossy=True)
    assert as_pftrace.slices == as_json.slices
    assert as_pftrace.counters == as_json.counters
    assert not as_json.arrows - as_pftrace.arrows


@LOADING
@given(traces(), st.sampled_from([200, 1000]), st.integers(2, 4), st.sampled_from([100, 1000]))
def test_random_events_are_written_alike_by_any_workers(
    trace: list[Event], size: int, workers: int, least: int
) -> None:
    """Pairs, counters and spans need other batches, and the bytes do not tell who wrote what."""
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(text(trace), Path(folder), ReadSizes(batch=size))
        analysis = analyze(source, overlap_options())
        columns = source, analysis.trace, analysis.table, analysis.plan
        dying = Pool([Slow(1, 3), *(Slow(every) for every in range(2, workers))])
        for options in (PftraceOptions(), PftraceOptions(compressed=False)):
            alone, *shared = (
                b"".join(rewrite(*columns, options=options, pool=pool, least=least))
                for pool in (ALONE, here(workers), dying)
            )
            assert shared == [alone, alone]


@pytest.mark.parametrize("name", REAL)
def test_a_real_trace_is_shown_as_in_json(name: str, real_trace: Callable[[str], Path]) -> None:
    """Slices have the same name, time, category, depth, parent and args, and flows are the same."""
    as_json, as_pftrace = both(Source(real_trace(name), name))
    assert as_pftrace == as_json


@pytest.mark.parametrize(
    "options", [PftraceOptions(), ROWS, PftraceOptions(number=3, compressed=False)]
)
@pytest.mark.parametrize("name", [*FIXTURES, "torch_cpu_with_stack.json.gz"])
def test_a_fixture_is_shown_as_in_json(name: str, options: PftraceOptions) -> None:
    """Fixtures are shown the same with any options."""
    as_json, as_pftrace = both(Source(HERE / name, name), options)
    assert as_pftrace == as_json
    assert as_json.slices


ROW_OF_KERNEL = """
SELECT track.track_group_id, thread.tid, thread.name, process.name, process.pid, track.type
FROM slice
JOIN track ON track.id = slice.track_id
JOIN thread_track ON thread_track.id = track.id
JOIN thread USING (utid)
JOIN process USING (upid)
WHERE slice.name = '{}'
"""
OVERLAPPING = [
    kernel("early", 0, 12 * US, 1),
    kernel("late", 10 * US, 22 * US, 2),
    {"ph": "M", "name": "process_name", "pid": 0, "tid": 0, "args": {"name": "python3"}},
    {"ph": "M", "name": "process_labels", "pid": 0, "tid": 0, "args": {"labels": "GPU 0"}},
    {"ph": "M", "name": "thread_name", "pid": 0, "tid": 7, "args": {"name": "stream 7 "}},
]


def test_lanes_share_the_row_of_their_stream() -> None:
    """The tracks of both slices are one group, shown as one row, on the stream's thread."""
    data = pftrace_of(text(OVERLAPPING))
    (early,) = rows_in(data, ROW_OF_KERNEL.format("early"))
    (late,) = rows_in(data, ROW_OF_KERNEL.format("late"))
    assert early == late
    assert early[0] is not None
    assert early[1:4] == (7, "stream 7 ", "GPU 0")


def test_lanes_can_have_rows_of_their_own() -> None:
    """With --lanes rows a lane is a thread next to the stream's, as in JSON."""
    data = pftrace_of(text(OVERLAPPING), ROWS)
    (early,) = rows_in(data, ROW_OF_KERNEL.format("early"))
    (late,) = rows_in(data, ROW_OF_KERNEL.format("late"))
    assert early[1:3] == (7, "stream 7 ")
    assert late[1:3] == (8, "stream 7 (2)")


def test_a_lane_says_why_it_is_there() -> None:
    """The description of a lane's track, which the viewer shows, says which slices moved."""
    query = "SELECT EXTRACT_ARG(source_arg_set_id, 'description') FROM track"
    found = [it for (it,) in rows_in(pftrace_of(text(OVERLAPPING)), query) if it]
    assert len(found) == 1
    assert found[0].startswith("1 slice of stream 7 that overlaps others")


def test_no_process_has_pid_0() -> None:
    """GPU 0 gets a free pid, since pid 0 is the idle process to Perfetto."""
    other = cpu("op", 0, US, pid=1, tid=2)
    query = "SELECT pid, process.name FROM process JOIN thread USING (upid) WHERE tid = 7"
    ((pid, name),) = rows_in(pftrace_of(text([*OVERLAPPING, other])), query)
    assert pid not in {0, 1, 2, 7, 8}
    assert name == "GPU 0"


def test_ids_beyond_31_bits() -> None:
    """Ids above 31 bits, which the protobuf cannot hold, are replaced by different free ids."""
    large = [
        cpu(f"{pid} {tid}", 0, US, pid=pid, tid=tid) for pid in (5, 2**31) for tid in (9, 2**32 - 1)
    ]
    query = (
        "SELECT COUNT(DISTINCT utid), COUNT(DISTINCT upid), MAX(tid) < 1 << 31 "
        "FROM thread JOIN thread_track USING (utid)"
    )
    assert rows_in(pftrace_of(text(large)), query) == [(4, 2, 1)]


def test_args_are_exact() -> None:
    """Integers above 2^53 stay exact, keys keep their dots, lists and objects are flattened."""
    args = {"id": 2**53 + 1, "est. occupancy %": 50, "grid": [1, [2]], "of": {"a": -(2**62)}}
    query = "SELECT key, int_value FROM args WHERE key GLOB 'debug.args.*' ORDER BY key"
    assert rows_in(pftrace_of(text([x("k", 0, US, args=args)])), query) == [
        ("debug.args.est. occupancy %", 50),
        ("debug.args.grid[0]", 1),
        ("debug.args.grid[1][0]", 2),
        ("debug.args.id", 2**53 + 1),
        ("debug.args.of.a", -(2**62)),
    ]


def test_stacks_deeper_than_perfetto_stacks() -> None:
    """All of 1,300 nested slices keep their times, though a track of Perfetto holds 512 levels."""
    deep = [cpu(str(i), i * US, (2600 - i) * US) for i in range(1300)]
    found = rows_in(
        pftrace_of(text(deep)), "SELECT ts, dur, depth FROM slice WHERE category = 'cpu_op'"
    )
    assert sorted(found) == [(i * US, (2600 - 2 * i) * US, i % 512) for i in range(1300)]


@pytest.mark.parametrize("child_takes_time", [True, False])
def test_a_parent_is_read_after_its_child(*, child_takes_time: bool) -> None:
    """A slice that starts with a shorter one, but stands in a later batch, is its parent."""
    child = cpu("child", 0, US * child_takes_time)
    between = [cpu(f"op {i}", (10 + i) * US, (10 + i) * US + 1) for i in range(50)]
    parent = cpu("parent", 0, 5 * US, args={"is": "outer"})
    query = "SELECT p.name FROM slice AS c JOIN slice AS p ON p.id = c.parent_id"
    data = pftrace_of(text([child, *between, parent]), sizes=ReadSizes(batch=500))
    assert rows_in(data, query) == [("parent",)]


ENDS = """
SELECT a.name, b.name
FROM flow
JOIN slice AS a ON a.id = slice_out
JOIN slice AS b ON b.id = slice_in
"""


@pytest.mark.parametrize("kernel_ns", [0, US])
@pytest.mark.parametrize("launch_ns", [0, US])
def test_an_arrow_within_one_moment(kernel_ns: int, launch_ns: int) -> None:
    """A flow leads from launch to kernel if both start at one time and the kernel stands first."""
    launch = cpu("launch", 0, launch_ns, cat="cuda_runtime")
    work = kernel("work", 0, kernel_ns, 1)
    data = text([work, launch, *arrow(1, launch, work)])
    assert rows_in(pftrace_of(data), ENDS) == [("launch", "work")]


def test_arrows_that_slices_carry_themselves() -> None:
    """Version 2 flows, `bind_id` with `flow_out` and `flow_in`, join their slices."""
    out = cpu("out", 0, US, bind_id="0x7", flow_out=True)
    into = cpu("in", 5 * US, 6 * US, bind_id="0x7", flow_in=True)
    assert rows_in(pftrace_of(text([into, out])), ENDS) == [("out", "in")]


@pytest.mark.parametrize("phase", "XBbn")
@pytest.mark.parametrize("goes_out", [True, False])
def test_events_of_any_phase_carry_flows_as_in_json(phase: str, goes_out: bool) -> None:
    """X, B, b and n events do, whatever stands before them; E, e and i events do not."""
    here, there = ("flow_out", "flow_in") if goes_out else ("flow_in", "flow_out")
    ts = US if goes_out else 9 * US
    of_async = {"id": 1, "cat": "c"}
    own = mark(phase, ts, name="own", bind_id=7, **{here: True}, **of_async)
    end = mark("E" if phase == "B" else "e", ts + US, bind_id=7, flow_out=True, **of_async)
    events = [
        cpu("other", 5 * US, 6 * US, bind_id=7, tid=9, **{there: True}),
        *([mark("b", ts, name="around", **of_async)] if phase == "n" else []),
        {**own, "dur": 1} if phase == "X" else own,
        *([end] if phase != "X" else []),
        mark("i", 2 * US, name="i", s="t", bind_id=7, flow_out=True),
        mark("B", 20 * US, name="none"),
        mark("E", 21 * US),
    ]
    shown = rows_in(text(events), ENDS)
    assert shown == [("own", "other") if goes_out else ("other", "own")]
    assert rows_in(pftrace_of(text(events)), ENDS) == shown


def test_a_slice_without_an_end() -> None:
    """A B without E has no end; inside another slice it ends with that slice."""
    inner, outer = mark("B", US, name="inner"), cpu("outer", 0, 5 * US)
    never = mark("B", 9 * US, name="never")
    query = "SELECT name, dur FROM slice WHERE name != 'trace header' ORDER BY ts"
    assert rows_in(pftrace_of(text([outer, inner, never])), query) == [
        ("outer", 5 * US),
        ("inner", 4 * US),
        ("never", -1),
    ]


HEADER = {
    "schemaVersion": 1,
    "distributedInfo": {"backend": "nccl", "rank": 3, "world_size": 8},
    "baseTimeNanoseconds": 1_700_000_000_000_000_000,
}


def test_nothing_of_the_header_is_lost() -> None:
    """Top-level members of the file, and metadata that names nothing, become args of an instant."""
    data = pftrace_of(text(OVERLAPPING, **HEADER))
    query = (
        "SELECT EXTRACT_ARG(arg_set_id, 'debug.args.distributedInfo.rank'), "
        "EXTRACT_ARG(arg_set_id, 'debug.args.baseTimeNanoseconds'), "
        "EXTRACT_ARG(arg_set_id, 'debug.args.metadataEvents[0].args.labels') "
        "FROM slice WHERE category = 'tpt_header'"
    )
    assert rows_in(data, query) == [(3, HEADER["baseTimeNanoseconds"], "GPU 0")]


def test_the_time_of_day() -> None:
    """The clock snapshot ties trace time to the base time of the header."""
    data = pftrace_of(text([kernel("k", 5 * US, 6 * US, 1)], **HEADER))
    query = "SELECT ts, clock_value FROM clock_snapshot WHERE clock_name = 'REALTIME'"
    assert rows_in(data, query) == [(5 * US, HEADER["baseTimeNanoseconds"] + 5 * US)]


@pytest.mark.parametrize("header", [{}, {"baseTimeNanoseconds": "noon"}])
def test_a_trace_without_a_time_of_day(header: dict[str, str]) -> None:
    """Times that do not count from 1970 are not taken for dates."""
    query = "SELECT COUNT(*) FROM clock_snapshot"
    assert rows_in(pftrace_of(text([kernel("k", 5 * US, 6 * US, 1)], **header)), query) == [(0,)]


def test_two_traces_in_one_file() -> None:
    """Two traces written one after the other keep their own processes, names and flows."""
    launch, work = cpu("launch", 0, US), kernel("work", 5 * US, 6 * US, 1)
    events = [launch, work, *arrow(1, launch, work)]
    files_in_order = [
        pftrace_of(
            text(
                [
                    event | {"name": f"{event['name']} {rank}", "pid": event["pid"] + 100 * rank}
                    for event in events
                ]
            ),
            PftraceOptions(number=rank, label=f"rank {rank}", compressed=bool(rank)),
        )
        for rank in (0, 1)
    ]
    query = (
        "SELECT a.name, b.name, process.name FROM flow JOIN slice a ON a.id = slice_out "
        "JOIN slice b ON b.id = slice_in JOIN thread_track t ON t.id = b.track_id "
        "JOIN thread USING (utid) JOIN process USING (upid) ORDER BY 1"
    )
    assert rows_in(files_in_order, query) == [
        ("launch 0", "work 0", "rank 0 GPU 0"),
        ("launch 1", "work 1", "rank 1 GPU 100"),
    ]


def test_an_empty_trace() -> None:
    """A trace without events holds only its header."""
    assert rows_in(pftrace_of(text([], **HEADER)), "SELECT name FROM slice") == [("trace header",)]


@pytest.mark.parametrize("name", ["pdl_decode.json.gz", "amd_stream0.json.gz"])
def test_queries_give_the_same_rows(name: str) -> None:
    """Every query of the library gives the same rows, except for ids of TraceProcessor."""
    own = {"id", "other_id", "slice_id", "track_id", "launch_id", "kernel_id"}
    source = Source(HERE / name, name)
    analysis = analyze(source, overlap_options())
    with (
        engine.load(rewrite_trace(source, analysis), source="as JSON") as as_json,
        engine.load(
            rewrite_trace(source, analysis, pftrace=PftraceOptions()), source="as .pftrace"
        ) as tp,
    ):
        for query, path in library.queries().items():
            rows = []
            for answer in (engine.run_file(as_json, path), engine.run_file(tp, path)):
                kept = [i for i, column in enumerate(answer.columns) if column not in own]
                rows.append([tuple(row[i] for i in kept) for row in answer.rows])
            assert rows[1] == rows[0], query


@pytest.mark.parametrize("size", [1, 3])
def test_the_file_changed_meanwhile(size: int, tmp_path: Path) -> None:
    """A file that changed since it was read is refused, whoever meets it."""
    source = source_of(text(OVERLAPPING), tmp_path)
    analysis = analyze(source, overlap_options())
    source.path.write_bytes(source.path.read_bytes().replace(b"args", b"a[gs"))
    with pytest.raises(InputError, match=r"trace\.json: changed while it was being read"):
        list(rewrite(source, analysis.trace, analysis.table, analysis.plan, pool=here(size)))


def test_of_arguments_given_twice_the_last_count() -> None:
    """In the input as in both results: nothing that Perfetto shows is lost."""
    data = (
        b'{"traceEvents":[{"ph":"X","cat":"kernel","name":"k","pid":0,"tid":7,"ts":1,"dur":2,'
        b'"args":{"stream":7},"args":{"correlation":5,"correlation":6}}]}'
    )
    query = (
        "SELECT REPLACE(key, 'debug.', ''), display_value FROM slice JOIN args USING (arg_set_id) "
        "WHERE slice.name = 'k'"
    )
    for form in (data, fixed(data).data, pftrace_of(data)):
        with loaded(form) as tp:
            assert list(engine.rows(tp, query)) == [("args.correlation", "6")]
