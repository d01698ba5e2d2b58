"""Made exports become the trace that Kineto would have written; what they lack is said."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import nsys as made
from fixtures.nsys import annotation, call, global_pid, global_tid, kernel
from tp_tools.errors import InputError
from tp_tools.files.source import ReadSizes, Source

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.nsys import Tables

CONVERTED = [
    "CUPTI_ACTIVITY_KIND_KERNEL",
    "CUPTI_ACTIVITY_KIND_MEMCPY",
    "CUPTI_ACTIVITY_KIND_MEMSET",
    "CUPTI_ACTIVITY_KIND_RUNTIME",
    "CUPTI_ACTIVITY_KIND_SYNCHRONIZATION",
    "NVTX_EVENTS",
    "OSRT_API",
    "PROFILER_OVERHEAD",
    "TARGET_INFO_GPU",
    "TARGET_INFO_CUDA_DEVICE",
    "TARGET_INFO_SESSION_START_TIME",
    "PROCESSES",
    "ThreadNames",
    "StringIds",
    "META_DATA_EXPORT",
]


def read(path: Path, sizes: ReadSizes | None = None) -> dict[str, Any]:
    """The trace that an export holds, numbers as text."""
    source = Source(path, path.name, sizes=sizes or ReadSizes())
    found: dict[str, Any] = json.loads(b"".join(source.blocks()), parse_float=str)
    return found


def trace_of(tmp_path: Path, tables: Tables, **how: object) -> dict[str, Any]:
    """The trace of a made export."""
    return read(made.write(tmp_path / "made.sqlite", tables, **how))  # type: ignore[arg-type]


def events(trace: dict[str, Any], category: str, phase: str = "X") -> list[dict[str, Any]]:
    """Its events of a category."""
    return [it for it in trace["traceEvents"] if it.get("cat") == category and it["ph"] == phase]


def name_of(trace: dict[str, Any], pid: int, tid: int | None = None) -> str:
    """The name of a process, or of a thread of it."""
    kind = "process_name" if tid is None else "thread_name"
    [name] = [
        it["args"]["name"]
        for it in trace["traceEvents"]
        if it["name"] == kind and it["pid"] == pid and tid in {None, it["tid"]}
    ]
    return str(name)


def test_a_kernel_has_the_arguments_of_kineto(tmp_path: Path) -> None:
    """Name as Nsight Systems shows it, exact times, launch shape, and shares of the GPU's 3 SMs."""
    trace = trace_of(tmp_path, made.job())
    assert events(trace, "kernel")[1] == {
        "ph": "X",
        "cat": "kernel",
        "name": "void gemm<float, (int)128>(float *)",
        "pid": 0,
        "tid": 7,
        "ts": "6.001",
        "dur": "2.499",
        "args": {
            "device": 0,
            "context": 1,
            "stream": 7,
            "correlation": 2,
            "registers per thread": 40,
            "shared memory": 1536,
            "blocks per SM": "2.0",
            "warps per SM": "4.0",
            "grid": [2, 3, 1],
            "block": [64, 1, 1],
            "short name": "gemm",
            "nsys grid id": 2,
        },
    }
    assert trace["deviceProperties"] == [
        {"id": 0, "name": "NVIDIA H100", "totalGlobalMem": 85, "numSms": 3}
    ]
    assert trace["baseTimeNanoseconds"] == made.UTC_NS


def test_calls_have_kinetos_names_and_arrows(tmp_path: Path) -> None:
    """Versions of names are cut; each call that launched work starts an arrow, the work ends it."""
    trace = trace_of(tmp_path, made.job())
    runtime, driver = events(trace, "cuda_runtime"), events(trace, "cuda_driver")
    assert [it["name"] for it in runtime + driver] == [
        "cudaLaunchKernel",
        "cudaMemcpyAsync",
        "cuLaunchKernelEx",
    ]
    starts = [(it["id"], it["pid"], it["tid"], it["ts"]) for it in events(trace, "ac2g", "s")]
    assert starts == [(1, 100, 100, "1.000"), (2, 100, 100, "1.600"), (3, 100, 100, "8.600")]
    ends = [(it["id"], it["pid"], it["tid"], it["ts"]) for it in events(trace, "ac2g", "f")]
    assert ends == [(1, 0, 7, "2.000"), (2, 0, 7, "6.001"), (3, 0, 7, "9.000")]


def test_copies_memsets_and_waits_have_kinetos_names(tmp_path: Path) -> None:
    """Copies say where from and to; waits stand on a row of their own."""
    trace = trace_of(tmp_path, made.job())
    [copy], [memset] = events(trace, "gpu_memcpy"), events(trace, "gpu_memset")
    assert (copy["name"], copy["args"]["bytes"]) == ("Memcpy HtoD (Pinned -> Device)", 4096)
    assert float(copy["args"]["memory bandwidth (GB/s)"]) == pytest.approx(4096 / 700)
    assert (memset["name"], memset["args"]["bytes"]) == ("Memset (Device)", 64)
    [wait] = events(trace, "cuda_sync")
    assert (wait["name"], wait["args"]["stream"]) == ("Stream Sync", 7)
    assert name_of(trace, wait["pid"], wait["tid"]) == "waits of stream 7"


def test_ranges_stand_on_their_thread_and_marks_are_instants(tmp_path: Path) -> None:
    """Registered strings are resolved, and domains have the names that their rows give them."""
    trace = trace_of(tmp_path, made.job())
    step, reduce = events(trace, "user_annotation")
    assert (step["name"], step["pid"], step["tid"]) == ("step 0", 100, 100)
    assert (reduce["name"], reduce["args"]) == ("ncclAllReduce", {"domain": "NCCL"})
    [mark] = events(trace, "nvtx_mark", "i")
    assert (mark["name"], mark["ts"]) == ("here", "1.700")


def test_ranges_that_need_not_nest_have_a_row_of_their_own(tmp_path: Path) -> None:
    """Started ranges, and those that another thread ended, are on no thread."""
    ranges = [
        annotation(10, 30, "a", kind=60),
        annotation(20, 40, "b", kind=60, endGlobalTid=global_tid(100, 101)),
        annotation(50, 60, "c"),
    ]
    trace = trace_of(tmp_path, {"NVTX_EVENTS": ranges})
    a, b, c = events(trace, "user_annotation")
    assert c["tid"] == 100
    assert a["tid"] == b["tid"] != 100
    assert name_of(trace, 100, a["tid"]) == "NVTX ranges"


def test_a_range_without_an_end_is_a_mark_and_counted(tmp_path: Path) -> None:
    """No end is made up."""
    trace = trace_of(tmp_path, {"NVTX_EVENTS": [annotation(10, None, "open")]})
    [mark] = events(trace, "nvtx_mark", "i")
    assert (mark["name"], mark["ts"]) == ("open", "0.010")
    assert any("1 NVTX range never ended" in note for note in trace["exportNotes"])


def test_operators_of_emit_nvtx_are_operators(tmp_path: Path) -> None:
    """Their names say number, sequence and sizes; PyTorch's own annotations stay annotations."""
    texts = [
        "aten::mul, seq = 12, op_id = 7, sizes = [[2, 3], []]",
        "aten::empty, op_id = 8",
        "nccl:all_reduce, op_id = 9",
        "mine, op_id = x",
    ]
    ranges = [annotation(10 * n, 10 * n + 5, text) for n, text in enumerate(texts)]
    trace = trace_of(tmp_path, {"NVTX_EVENTS": ranges})
    assert [(it["name"], it["args"]) for it in events(trace, "cpu_op")] == [
        ("aten::mul", {"op_id": 7, "Sequence number": 12, "Input Dims": [[2, 3], []]}),
        ("aten::empty", {"op_id": 8}),
    ]
    names = [it["name"] for it in events(trace, "user_annotation")]
    assert names == ["nccl:all_reduce", "mine, op_id = x"]


def test_replays_of_graphs_are_slices_with_a_plain_warning(tmp_path: Path) -> None:
    """They have a name that says what is missing."""
    place = {"deviceId": 0, "contextId": 1, "streamId": 7, "globalPid": global_pid(100)}
    replay = {"start": 5, "end": 9, **place, "correlationId": 4, "graphId": 3}
    trace = trace_of(tmp_path, {made.GRAPH: [replay], made.API: [call(1, 3, correlation=4)]})
    [graph] = events(trace, "cuda_graph")
    assert graph["name"] == "CUDA graph 3, its kernels not recorded"
    assert [it["id"] for it in events(trace, "ac2g", "f")] == [4]
    assert any("their kernels are not in it" in note for note in trace["exportNotes"])


def test_one_call_may_launch_many_kernels(tmp_path: Path) -> None:
    """The nodes of a graph share the id of its launch: one arrow starts, several end."""
    nodes = [kernel(10 * n, 10 * n + 5, correlation=4, graphNodeId=n) for n in (1, 2, 3)]
    trace = trace_of(tmp_path, {made.KERNEL: nodes, made.API: [call(1, 3, correlation=4)]})
    assert len(events(trace, "ac2g", "s")) == 1
    assert [it["ts"] for it in events(trace, "ac2g", "f")] == ["0.010", "0.020", "0.030"]
    assert [it["args"]["graph node id"] for it in events(trace, "kernel")] == [1, 2, 3]


def test_the_first_call_of_an_id_starts_the_arrow(tmp_path: Path) -> None:
    """A driver call within a call of the runtime has its id, too."""
    calls = [call(4, 5, correlation=1, kind=1), call(3, 6, correlation=1)]
    trace = trace_of(tmp_path, {made.KERNEL: [kernel(9, 10, correlation=1)], made.API: calls})
    assert [it["ts"] for it in events(trace, "ac2g", "s")] == ["0.003"]


def test_processes_are_ranks_and_share_no_correlation(tmp_path: Path) -> None:
    """Equal ids and ordinals of two processes stay apart; what was changed is in args."""
    tables: Tables = {
        made.KERNEL: [
            kernel(10, 20, pid=200, correlation=5),
            kernel(11, 21, pid=100, correlation=5),
        ],
        made.API: [call(1, 2, pid=100, correlation=5), call(3, 4, pid=200, tid=200, correlation=5)],
    }
    trace = trace_of(tmp_path, tables)
    second, first = events(trace, "kernel")
    assert (first["pid"], second["pid"]) == (0, 1)
    assert (name_of(trace, 0), name_of(trace, 1)) == ("rank 0 GPU 0", "rank 1 GPU 1")
    assert first["args"]["correlation"] == 5
    assert second["args"]["correlation"] == 15
    assert second["args"]["nsys correlation"] == 5
    assert second["args"]["nsys device"] == 0
    joined = {it["id"]: it["ts"] for it in events(trace, "ac2g", "s")}
    assert joined == {5: "0.001", 15: "0.003"}
    assert any("counted in the order of their GPUs" in note for note in trace["exportNotes"])


def test_ranks_of_mpi_are_taken(tmp_path: Path) -> None:
    """MPI_RANKS says which process is which."""
    tables: Tables = {
        made.KERNEL: [kernel(10, 20, pid=200, device=1), kernel(11, 21, pid=100)],
        "MPI_RANKS": [
            {"globalTid": global_tid(100, 100), "rank": 9},
            {"globalTid": global_tid(200, 200), "rank": 8},
        ],
    }
    trace = trace_of(tmp_path, tables)
    assert (name_of(trace, 0), name_of(trace, 1)) == ("rank 9 GPU 0", "rank 8 GPU 1")
    assert trace["exportNotes"] == []


def test_processes_that_share_a_gpu_have_rows_each_on_one_device(tmp_path: Path) -> None:
    """TARGET_INFO_CUDA_DEVICE says that their GPU 0 is GPU 3, for both."""
    tables: Tables = {
        made.KERNEL: [kernel(10, 20, pid=200), kernel(11, 21, pid=100)],
        "TARGET_INFO_CUDA_DEVICE": [
            {"gpuId": 3, "cudaId": 0, "pid": 100},
            {"gpuId": 3, "cudaId": 0, "pid": 200},
        ],
    }
    second, first = events(trace_of(tmp_path, tables), "kernel")
    assert first["args"]["device"] == second["args"]["device"] == 3
    assert first["pid"] == 3 != second["pid"]


def test_equal_streams_of_two_contexts_are_two_rows(tmp_path: Path) -> None:
    """The second one's number is another, and args keep the recorded one."""
    tables: Tables = {made.KERNEL: [kernel(10, 20), kernel(11, 21, context=2)]}
    trace = trace_of(tmp_path, tables)
    first, second = events(trace, "kernel")
    assert first["tid"] == first["args"]["stream"] == 7
    assert second["tid"] == second["args"]["stream"] != 7
    assert second["args"]["nsys stream"] == 7
    assert name_of(trace, 0, second["tid"]) == "stream 7 (context 2)"


def test_equal_pids_of_two_containers_stay_apart(tmp_path: Path) -> None:
    """Pids that differ in the virtual machine alone are two processes."""
    calls = [call(1, 2), {**call(3, 4), "globalTid": global_tid(100, 100, vm=1)}]
    first, second = events(trace_of(tmp_path, {made.API: calls}), "cuda_runtime")
    assert first["pid"] == 100 != second["pid"]


def test_times_before_the_capture_move_the_clock_of_all(tmp_path: Path) -> None:
    """No time is negative, and each moment keeps its place on the clock of the day."""
    tables: Tables = {
        made.KERNEL: [kernel(-30, -10), kernel(5, 6)],
        "TARGET_INFO_SESSION_START_TIME": [{"utcEpochNs": made.UTC_NS}],
    }
    trace = trace_of(tmp_path, tables)
    assert [it["ts"] for it in events(trace, "kernel")] == ["0.000", "0.035"]
    assert trace["baseTimeNanoseconds"] == made.UTC_NS - 30


@pytest.mark.parametrize(
    ("stated", "base"),
    [
        ({"EXPORT_PARAM_TIME_SHIFT": "500"}, made.UTC_NS - 500),
        ({"EXPORT_PARAM_TIME_NORMALIZE": "true"}, None),
    ],
)
def test_times_that_the_export_moved_are_moved_back_or_have_no_clock(
    tmp_path: Path, stated: dict[str, str], base: int | None
) -> None:
    """A shift is known; where normalizing moved the times to is not."""
    assert trace_of(tmp_path, made.job(), stated=stated).get("baseTimeNanoseconds") == base


def test_a_single_process_has_the_rank_of_its_environment(tmp_path: Path) -> None:
    """Of the environment nothing but the rank and the size of the job is in the trace."""
    capture = [
        {"name": "PROCESS_0:ENVIRONMENT_VARIABLE", "value": value}
        for value in ("RANK=3", "WORLD_SIZE=8", "TOKEN=secret")
    ]
    path = made.write(tmp_path / "made.sqlite", made.job() | {"META_DATA_CAPTURE": capture})
    text = b"".join(Source(path, path.name).blocks())
    assert json.loads(text)["distributedInfo"] == {"rank": 3, "world_size": 8}
    assert b"secret" not in text
    assert b"TOKEN" not in text


@pytest.mark.parametrize("missing", CONVERTED)
def test_every_table_may_be_missing(tmp_path: Path, missing: str) -> None:
    """The rest of the export is read."""
    whole = trace_of(tmp_path, made.job())
    (tmp_path / "made.sqlite").unlink()
    trace = trace_of(tmp_path, made.job(), without=[missing])
    categories = {it["cat"] for it in trace["traceEvents"] if "cat" in it}
    lost = {it["cat"] for it in whole["traceEvents"] if "cat" in it} - categories
    assert len(lost - {"ac2g"}) <= 2, "calls are of two categories"


@pytest.mark.parametrize(
    "missing",
    [
        "globalPid",
        "deviceId",
        "contextId",
        "streamId",
        "correlationId",
        "demangledName",
        "shortName",
        "gridX",
        "registersPerThread",
        "staticSharedMemory",
        "nameId",
        "eventClass",
        "textId",
        "text",
        "domainId",
        "copyKind",
        "smCount",
    ],
)
def test_every_column_but_times_may_be_missing(tmp_path: Path, missing: str) -> None:
    """All events are there, without what the column said."""
    trace = trace_of(tmp_path, made.job(), without=[missing])
    assert [it["ts"] for it in events(trace, "kernel")] == ["2.000", "6.001"]
    assert len(events(trace, "cuda_runtime")) + len(events(trace, "cuda_driver")) + len(
        events(trace, "library_call")
    ) == 3  # fmt: skip


def test_rows_without_times_are_left_out_and_counted(tmp_path: Path) -> None:
    """An end before its start, and no end at all."""
    trace = trace_of(tmp_path, {made.KERNEL: [kernel(9, 8), {**kernel(1, 2), "end": None}]})
    assert events(trace, "kernel") == []
    assert "Left out: kernel without times (2)." in trace["exportNotes"]


def test_tables_that_are_not_shown_are_counted(tmp_path: Path) -> None:
    """Whoever misses them knows that they are in the export."""
    more = {"SCHED_EVENTS": [{"start": 1}, {"start": 2}], "NEW_EVENTS": [{"timestamp": 1}]}
    trace = trace_of(tmp_path, made.job() | more)
    assert trace["exportNotes"] == ["Not shown: NEW_EVENTS (1), 2 switches of threads."]


def test_diagnostics_are_passed_on_from_severity_two(tmp_path: Path) -> None:
    """Lost events are told; information is not."""
    rows = [
        {"severity": 1, "text": "Profiling has started."},
        {"severity": 3, "text": "Events\n were lost."},
    ]
    trace = trace_of(tmp_path, made.job() | {"DIAGNOSTIC_EVENT": rows})
    assert trace["exportNotes"] == ["Nsight Systems says: Events were lost."]


def test_an_export_without_cuda_is_told(tmp_path: Path) -> None:
    """It says how to record CUDA."""
    trace = trace_of(tmp_path, {"NVTX_EVENTS": [annotation(1, 2, "a")]})
    assert any("holds no CUDA activity" in note for note in trace["exportNotes"])


@pytest.mark.parametrize("without", [["StringIds"], []])
def test_an_export_without_names_is_told(without: list[str], tmp_path: Path) -> None:
    """Its kernels are all called "kernel": collectives among them are not known."""
    trace = trace_of(tmp_path, made.job() | {"StringIds": []}, without=without)
    assert [it["name"] for it in events(trace, "kernel")] == ["kernel", "kernel"]
    (note,) = trace["exportNotes"]
    assert note.startswith("Its table StringIds is missing or empty: kernels, calls and NVTX")


def test_exports_of_2022_are_read(tmp_path: Path) -> None:
    """Schema 2.9.1 names its facts by another table."""
    trace = trace_of(tmp_path, made.job(), schema="2.9.1", meta="EXPORT_META_DATA")
    assert trace["nsys"] == {"product": "2026.2.1.210", "schema": "2.9.1", "processes": 1}
    assert trace["exportNotes"] == []


def test_exports_of_before_2022_are_read(tmp_path: Path) -> None:
    """They have no facts, no processes, and kernels without mangled names; a note says so."""
    trace = trace_of(
        tmp_path, made.job(), schema="", without=["META_DATA_EXPORT", "PROCESSES", "mangledName"]
    )
    assert len(events(trace, "kernel")) == 2
    assert "Its version is not recorded" in trace["exportNotes"][0]


def test_an_export_without_events_is_one(tmp_path: Path) -> None:
    """Facts about the machine alone make a trace without events."""
    alone: Tables = {"TARGET_INFO_SYSTEM_ENV": [{"name": "secret", "value": "x"}]}
    trace = trace_of(tmp_path, alone, without=["META_DATA_EXPORT"])
    assert trace["traceEvents"] == []
    assert any("holds no CUDA activity" in note for note in trace["exportNotes"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["node7"], "node7"), (["node7", "node7"], "node7"), (["node7", "node8"], None), ([""], None)],
)
def test_the_machine_is_named_and_nothing_else_of_its_environment(
    tmp_path: Path, names: list[str], expected: str | None
) -> None:
    """The one Hostname of TARGET_INFO_SYSTEM_ENV is Kineto's host_name; other values stay out."""
    rows: list[dict[str, object]] = [{"name": "Hostname", "value": name} for name in names]
    rows.append({"name": "DeviceEnvironment", "value": "TOKEN=secret"})
    path = made.write(tmp_path / "made.sqlite", {"TARGET_INFO_SYSTEM_ENV": rows, **made.job()})
    assert read(path).get("host_name") == expected
    assert b"secret" not in b"".join(Source(path, path.name).blocks())


def test_versions_are_refused_or_told(tmp_path: Path) -> None:
    """A new major version is refused, a new minor one is told, none is told."""
    with pytest.raises(InputError, match=r"made.sqlite: .* unknown version \(schema 4.0.0"):
        trace_of(tmp_path, made.job(), schema="4.0.0")
    (tmp_path / "made.sqlite").unlink()
    assert "newer than" in trace_of(tmp_path, made.job(), schema="3.99.0")["exportNotes"][0]
    (tmp_path / "made.sqlite").unlink()
    assert "not recorded" in trace_of(tmp_path, made.job(), schema="")["exportNotes"][0]


def test_text_that_is_no_utf8_is_replaced(tmp_path: Path) -> None:
    """Names in a Windows code page are read with replacement characters."""
    path = made.write(tmp_path / "made.sqlite", made.job())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE StringIds SET value = CAST(X'6765E46D6D' AS TEXT) WHERE id = 1")
        connection.execute("UPDATE META_DATA_EXPORT SET value = CAST(X'E4' AS TEXT) WHERE rowid=2")
    assert events(read(path), "kernel")[0]["name"] == "ge\ufffdmm"


def test_a_cut_export_is_refused_in_one_line(tmp_path: Path) -> None:
    """It says to export the report again."""
    many = {made.KERNEL: [kernel(n, n + 1) for n in range(2000)]}
    path = made.write(tmp_path / "made.sqlite", many)
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(InputError, match=r"^made.sqlite: its database .*nsys export"):
        read(path)


def test_a_damaged_name_of_a_table_is_refused_in_one_line(tmp_path: Path) -> None:
    """SQLite's message holds the name, which is no text."""
    path = tmp_path / "made.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE spoiled (id)")
        database.commit()
    data = (
        path.read_bytes()
        .replace(b"CREATE TABLE", b"QREATE TABLE")
        .replace(b"spoiled", b"\xd8poiled")
    )
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"^made.sqlite: its database is damaged. .*nsys export"):
        read(path)


def test_a_locked_export_is_refused_in_one_line(tmp_path: Path) -> None:
    """Another program holds it."""
    path = made.write(tmp_path / "made.sqlite", made.job())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match=r"^made.sqlite: another program writes"):
            read(path)


@pytest.mark.parametrize("block", [7, 100])
def test_compression_and_sizes_change_nothing(tmp_path: Path, block: int) -> None:
    """The text is the same of plain and gzip, however little is read at a time."""
    path = made.write(tmp_path / "made.sqlite", made.job())
    packed = tmp_path / "made.sqlite.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    whole = b"".join(Source(path, "it").blocks())
    for file in (path, packed):
        assert b"".join(Source(file, "it", sizes=ReadSizes(block=block)).blocks()) == whole


def test_the_export_is_not_changed(tmp_path: Path) -> None:
    """Nothing is written into it or beside it."""
    path = made.write(tmp_path / "made.sqlite", made.job())
    before = path.read_bytes()
    path.chmod(0o444)
    read(path)
    assert path.read_bytes() == before
    assert [it.name for it in tmp_path.iterdir()] == ["made.sqlite"]


def test_an_export_in_write_ahead_mode_is_not_written_to(tmp_path: Path) -> None:
    """SQLite would put a log and its index beside it; changes that lie in a log are read."""
    path = made.write(tmp_path / "made.sqlite", made.job())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    assert [it["ts"] for it in events(read(path), "kernel")] == ["2.000", "6.001"]
    assert [it.name for it in tmp_path.iterdir()] == ["made.sqlite"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE StringIds SET value = 'late' WHERE id = 1")
        connection.commit()
        assert events(read(path), "kernel")[0]["name"] == "late"


def test_a_part_of_a_gpu_has_its_own_multiprocessors(tmp_path: Path) -> None:
    """Of MIG: shares of the 3 SMs of the GPU would be too small, its process has one of them."""
    device = {"gpuId": 0, "cudaId": 0, "pid": 100, "uuid": "MIG", "numMultiprocessors": 1}
    trace = trace_of(tmp_path, made.job() | {"TARGET_INFO_CUDA_DEVICE": [device]})
    args = events(trace, "kernel")[0]["args"]
    assert (args["blocks per SM"], args["warps per SM"]) == ("6.0", "12.0")
    assert trace["deviceProperties"][0]["numSms"] == 3


def test_waits_without_an_event_or_kind_say_none(tmp_path: Path) -> None:
    """4294967295 is no event, 0 no kind: reports of older versions have it in another column."""
    place = {"deviceId": 0, "contextId": 1, "streamId": 7, "globalPid": global_pid(100)}
    waits = [
        {"start": 1, "end": 2, **place, "syncType": 2, "eventId": 0xFFFFFFFF},
        {"start": 3, "end": 4, **place, "syncType": 0, "deprecatedSyncType": 1, "eventId": 5},
    ]
    one, other = events(trace_of(tmp_path, {made.SYNC: waits}), "cuda_sync")
    assert (one["name"], one["args"].get("event_id")) == ("Stream Wait Event", None)
    assert (other["name"], other["args"].get("event_id")) == ("Event Sync", 5)


def test_verbose_diagnostics_push_out_no_warning(tmp_path: Path) -> None:
    """Of more than can be told, errors and warnings come first."""
    rows = [{"severity": 4, "text": f"detail {number}"} for number in range(30)]
    rows += [{"severity": 2, "text": "Events were lost."}]
    notes = trace_of(tmp_path, made.job() | {"DIAGNOSTIC_EVENT": rows})["exportNotes"]
    assert notes[0] == "Nsight Systems says: Events were lost."
    assert notes[-1] == "Nsight Systems says 11 things more."


@pytest.mark.parametrize("ranks", [(0, 0), (0, None), (-1, 1), ("a", 1)])
def test_ranks_that_tell_no_processes_apart_are_not_taken(
    tmp_path: Path, ranks: tuple[object, object]
) -> None:
    """Two programs of MPI may both have a rank 0: processes are counted then."""
    tables: Tables = {
        made.KERNEL: [kernel(10, 20, pid=200, device=1), kernel(11, 21, pid=100)],
        "MPI_RANKS": [
            {"globalTid": global_tid(pid, pid), "rank": rank}
            for pid, rank in zip((100, 200), ranks, strict=True)
        ],
    }
    trace = trace_of(tmp_path, tables)
    assert (name_of(trace, 0), name_of(trace, 1)) == ("rank 0 GPU 0", "rank 1 GPU 1")
    assert "does not state a rank of each: they are counted" in trace["exportNotes"][0]


def test_ids_of_correlation_that_cuda_never_gives_are_none(tmp_path: Path) -> None:
    """With them the ids of several processes would not fit into 64 bits."""
    ids = 1 << 62, 4_294_967_295
    tables: Tables = {
        made.KERNEL: [kernel(10, 20, pid=pid, correlation=it) for pid in (100, 200) for it in ids],
        made.API: [call(1, 2, pid=pid, correlation=it) for pid in (100, 200) for it in ids],
    }
    trace = trace_of(tmp_path, tables)
    found = [it["args"].get("correlation") for it in events(trace, "kernel")]
    assert found == [None, 4_294_967_295, None, 10**15 + 4_294_967_295]
    assert len(events(trace, "ac2g", "f")) == 2


def test_kernels_whose_names_are_missing_are_counted(tmp_path: Path) -> None:
    """Where other names are there: they may be collectives."""
    nameless = kernel(9, 10, demangledName=77, shortName=78, mangledName=None)
    trace = trace_of(tmp_path, {made.KERNEL: [nameless, kernel(1, 2)]})
    assert events(trace, "kernel")[0]["name"] == "kernel"
    [note] = trace["exportNotes"]
    assert note.startswith("1 kernel without a name in it, called kernel here")


def test_a_time_of_the_day_that_is_none(tmp_path: Path) -> None:
    """0 is not 1970."""
    tables = made.job() | {"TARGET_INFO_SESSION_START_TIME": [{"utcEpochNs": 0}]}
    assert "baseTimeNanoseconds" not in trace_of(tmp_path, tables)


def test_work_that_names_no_process_is_of_the_one_that_calls_cuda(tmp_path: Path) -> None:
    """As in tables that were cut down: launches have their arrows, waits their stream."""
    trace = trace_of(tmp_path, made.job(), without=["globalPid", "PROCESSES", "eventType"])
    assert len(events(trace, "ac2g", "s")) == len(events(trace, "ac2g", "f")) == 3
    assert {it["pid"] for it in events(trace, "kernel")} == {0}
    assert name_of(trace, 0) == "GPU 0"
    [wait] = events(trace, "cuda_sync")
    assert (wait["pid"], name_of(trace, 0, wait["tid"])) == (0, "waits of stream 7")
    two = made.job()
    two[made.API].append(call(1, 2, pid=200))
    (tmp_path / "made.sqlite").unlink()
    trace = trace_of(tmp_path, two, without=["globalPid", "PROCESSES"])
    assert events(trace, "ac2g", "f") == [], "two processes call CUDA: whose work it is, none says"


def test_ranges_and_calls_without_a_column_of_their_kind(tmp_path: Path) -> None:
    """Ranges stand on their thread, calls are of the runtime."""
    trace = trace_of(tmp_path, made.job(), without=["eventType", "eventClass"])
    assert [it["name"] for it in events(trace, "cuda_runtime")] == [
        "cudaLaunchKernel",
        "cuLaunchKernelEx",
        "cudaMemcpyAsync",
    ]
    step = events(trace, "user_annotation")[0]
    assert (step["name"], step["tid"], step["ts"], step["dur"]) == ("step 0", 100, "0.900", "9.050")
