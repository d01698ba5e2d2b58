"""A trace that is opened is repaired first, unless it is no Chrome JSON."""

from __future__ import annotations

import gzip
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from perfetto.protos.perfetto.trace import perfetto_trace_pb2

from fixtures.make import HERE
from tests.support.command_line import kernel, write_trace
from tests.support.reporters import Recorder
from tp_tools import engine, library
from tp_tools.errors import InputError
from tp_tools.files.source import Source
from tp_tools.progress import SILENT
from tp_tools.querying.trace_loader import LoadOptions, is_chrome_json, load_planned, load_trace
from tp_tools.querying.viewer_ids import as_in_viewer
from tp_tools.repair import OverlapOptions
from tp_tools.repair.analysis import analyze

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.engine.processor import Processor

DECODE = Source(HERE / "pdl_decode.json.gz", "decode")
SLICES = "SELECT name, ts, dur FROM slice ORDER BY ts"


def pftrace() -> bytes:
    """A Perfetto trace of one slice, from 10 to 30 ns."""
    trace = perfetto_trace_pb2.Trace()
    thread = trace.packet.add(trusted_packet_sequence_id=1).track_descriptor
    thread.uuid, thread.thread.pid, thread.thread.tid = 1, 5, 6
    for ts, kind in ((10, "TYPE_SLICE_BEGIN"), (30, "TYPE_SLICE_END")):
        event = trace.packet.add(timestamp=ts, trusted_packet_sequence_id=1).track_event
        event.type, event.track_uuid, event.name = kind, 1, "a"
    data: bytes = trace.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("t.pftrace", bytes),
        ("t.pftrace.gz", gzip.compress),
        ("t.pftrace.zst", zstandard.ZstdCompressor().compress),
        ("no_suffix", gzip.compress),
    ],
)
def test_perfetto_traces_go_in_as_they_are(tmp_path: Path, name: str, packed: type) -> None:
    """A Perfetto trace is loaded, packed or not, zstd too, which v52 cannot read."""
    path = tmp_path / name
    path.write_bytes(packed(pftrace()))
    source = Source(path, name)
    with load_trace(source, LoadOptions("embedded")) as tp:
        assert engine.rows(tp, SLICES) == [("a", 10, 20)]


def test_archives_go_in_as_they_are(tmp_path: Path) -> None:
    """A zip of a trace is unpacked by TraceProcessor, and what it loses there is warned about."""
    overlapping = write_trace(tmp_path / "t.json", kernel("a", 1, 5), kernel("b", 3, 5))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(overlapping, "t.json")
    recorder = Recorder()
    how = LoadOptions("embedded")
    with load_trace(Source(tmp_path / "t.zip", "t.zip"), how, recorder) as tp:
        assert engine.rows(tp, SLICES) == [("a", 1000, 5000)]
    assert recorder.warnings == [
        "t.zip: TraceProcessor lost data on loading: 1 x slice_drop_overlapping_complete_event."
    ]


@pytest.mark.parametrize(
    ("text", "is_chrome"),
    [
        ('{"traceEvents": []}', True),
        ('\ufeff \n[{"ph": "X"}]', True),
        ('{"meta": {"version": 27}, "libs": []}', False),
        ("<systrace>", False),
    ],
)
def test_chrome_json_is_known_by_its_beginning(tmp_path: Path, text: str, is_chrome: bool) -> None:
    """Chrome JSON is repaired, with a byte order mark as well; a Firefox profile is left alone."""
    path = tmp_path / "t"
    path.write_text(text, encoding="utf-8")
    assert is_chrome_json(Source(path, "t")) == is_chrome


def test_a_repaired_trace_loses_nothing() -> None:
    """The opened trace is the one `fix` would write: no warning, moved slices on their lanes."""
    recorder = Recorder()
    sql = "SELECT COUNT(*) FROM slice WHERE EXTRACT_ARG(arg_set_id, 'args.tpt_lane') > 1"
    with load_trace(DECODE, LoadOptions("embedded"), recorder) as tp:
        assert engine.rows(tp, sql) == [(6,)]
    assert recorder.warnings == []


@pytest.mark.parametrize(
    ("raw", "stages"),
    [
        (
            False,
            ["reading decode", "placing slices", "asking SQL about overlaps", "loading decode"],
        ),
        (True, ["loading decode"]),
    ],
)
def test_whoever_waits_is_told_what_is_done(raw: bool, stages: list[str]) -> None:
    """Each stage is named, and every count of bytes ends full."""
    recorder = Recorder()
    load_trace(DECODE, LoadOptions("embedded", raw=raw), recorder).close()
    assert recorder.stages == stages
    assert sum(recorder.counted) == recorder.total > 0


@pytest.mark.parametrize("raw", [True, False])
def test_unusable_files(tmp_path: Path, raw: bool) -> None:
    """A file that nothing reads is an input error that names the file."""
    for name, data in (("empty", b""), ("text", b"no trace")):
        (tmp_path / name).write_bytes(data)
    for name in ("empty", "text", "missing"):
        with pytest.raises(InputError, match=name):
            load_trace(Source(tmp_path / name, name), LoadOptions("embedded", raw=raw))


def test_needs_of_the_library_are_complete() -> None:
    """With only the events that their headers name, queries give the rows and ids of all events."""
    check_needs(HERE / "pdl_decode.json.gz")


@pytest.mark.parametrize("name", ["b200_vllm_tp8_rank0.json.gz", "text_tids_2021.json.gz"])
def test_needs_of_the_library_on_recorded_traces(
    name: str, real_trace: Callable[[str], Path]
) -> None:
    """They are complete there, too."""
    check_needs(real_trace(name))


def check_needs(trace: Path) -> None:
    """Compare the rows of each query, from the events that it needs, with those from all events."""
    by_needs = defaultdict[frozenset[str] | None, list[str]](list)
    for name, path in library.queries().items():
        by_needs[library.parse(library.read(path), name).needs].append(name)
    source = Source(trace, trace.name)
    analyzed = analyze(source, OverlapOptions())
    with load_planned(source, analyzed, LoadOptions()) as everything:
        for needs, names in by_needs.items():
            with load_planned(source, analyzed, LoadOptions(needs=needs)) as needed:
                assert needed.is_partial == (needs is not None)
                for name in names:
                    assert rows(needed, name) == rows(everything, name), name


def rows(tp: Processor, query: str) -> list[tuple[Any, ...]]:
    """Rows with the ids of the viewer."""
    return as_in_viewer(engine.run_file(tp, library.find(query)), tp, SILENT).rows


def test_a_counter_without_a_value_costs_no_trace(tmp_path: Path) -> None:
    """TraceProcessor counts a failure, but no slice is lost: it is said, and rows are answered."""
    counter = {"ph": "C", "name": "c", "pid": 1, "tid": 1, "ts": 3}
    trace = write_trace(tmp_path / "rank0.json", kernel("gemm", 10, 20), counter)
    recorder = Recorder()
    with load_trace(Source(trace, "rank0.json"), LoadOptions(), recorder) as tp:
        assert engine.rows(tp, "SELECT name FROM slice") == [("gemm",)]
    assert recorder.warnings == [
        "rank0.json: no slice is lost, but other events do not count: 1 x json_parser_failure."
    ]
