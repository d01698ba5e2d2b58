"""A trace file as columns: what each event says, exactly, and what is refused."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.chrome.reader import read
from tp_tools.errors import InputError
from tp_tools.files.source import BATCH_BYTES, ReadSizes, Source
from tp_tools.trace.model import NO_ID, UNTIMED, Trace

ReadOf = Callable[..., Trace]


@pytest.fixture
def read_of(tmp_path: Path) -> ReadOf:
    """Reads a trace of these events, or of this text."""

    def make(*events: dict[str, Any] | bytes) -> Trace:
        path = tmp_path / "trace.json"
        texts = [e if isinstance(e, bytes) else json.dumps(e).encode() for e in events]
        path.write_bytes(b'{"traceEvents":[' + b",".join(texts) + b"]}")
        return read(Source(path, "trace.json"))

    return make


def read_text(text: bytes, path: Path, size: int = BATCH_BYTES) -> Trace:
    """Read a text, in blocks and batches of `size` bytes."""
    path.write_bytes(text)
    return read(Source(path, "trace.json", sizes=ReadSizes(size, size)))


def x(ts: object = 1, dur: object = 1, **more: object) -> dict[str, Any]:
    """A complete event."""
    return {"ph": "X", "name": "k", "pid": 1, "tid": 2, "ts": ts, "dur": dur, **more}


# -- what the columns hold -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "rounded"),
    [
        (x(4_398_046_511_103.5), False),
        (x(4_398_046_511_104.5), True),
        (x(4_398_046_511_104), False),
        ({"ph": "M", "name": "a", "ts": 4_398_046_511_104.5}, False),
    ],
)
def test_times_that_perfetto_rounds_are_noticed(
    event: dict[str, Any], rounded: bool, read_of: ReadOf
) -> None:
    """Decimals of 2^42 us and more; whole microseconds and metadata lose nothing."""
    assert read_of(x(1), event).rounded == rounded


def test_each_column_holds_what_the_event_says(read_of: ReadOf) -> None:
    """Phase, times, ids, name, category, link, and what metadata says, row by row."""
    trace = read_of(
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": {"name": "stream 2"}},
        x(10.5, "2.25", cat="kernel", args={"correlation": 7, "stream": 2}),
        {"ph": "s", "id": 7, "pid": "p", "tid": 0.0, "ts": 11, "cat": "ac2g", "name": "ac2g"},
        {"ph": "f", "id": "0x7", "bp": "e", "pid": "p", "ts": 12},
        x(20, None, name=None),
        {"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": 2, "args": {"sort_index": 5}},
    )
    assert trace.phase.tobytes() == b"MXsfXM"
    assert trace.ts.tolist() == [UNTIMED, 10_500, 11_000, 12_000, 20_000, UNTIMED]
    assert trace.dur.tolist() == [0, 2250, 0, 0, UNTIMED, 0]
    assert not trace.rounded
    assert [trace.tracks[i] for i in trace.track] == [
        (1, 2),
        (1, 2),
        ("p", 0),
        ("p", None),
        (1, 2),
        (1, 2),
    ]
    assert [trace.names[i] for i in trace.name] == [
        "thread_name",
        "k",
        "ac2g",
        "[No name]",
        "[No name]",
        "thread_sort_index",
    ]
    assert [trace.cats[i] for i in trace.cat] == ["", "kernel", "ac2g", "", "", ""]
    links = [trace.links[i] if i != NO_ID else None for i in trace.link]
    assert links == [None, b"7", b"7", b'"0x7"', None, None]
    assert trace.metadata == {0: "stream 2", 5: 5}
    assert not trace.repairs
    assert not trace.thorough


times = st.decimals(1, 10**15, places=3, allow_nan=False)  # 0 among late ones is never filled in
lengths = st.decimals(0, 2**42, places=3, allow_nan=False)  # longer ones Perfetto rounds
written = st.sampled_from(["{}", '"{}"', "{}e0", "{:.0f}", "{:.2f}", "{:.1f}"])


@PURE
@given(rows=st.lists(st.tuples(times, written, lengths, written), max_size=30), data=st.data())
def test_times_are_exact_however_they_are_written(
    rows: list[tuple[Decimal, str, Decimal, str]],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Integers, decimals, exponents and text, mixed in one file and in many small runs.

    Beside events that are all later than a day, 0 is a time that was never filled in.
    """
    texts = [(form.format(ts), form2.format(dur)) for ts, form, dur, form2 in rows]
    events = ",".join(f'{{"ph":"X","ts":{ts},"dur":{dur}}}' for ts, dur in texts)
    size = data.draw(st.sampled_from([20, 100, 1 << 22]))
    text = f"[{events}]".encode() if rows else b'{"traceEvents":[]}'
    trace = read_text(text, tmp_path_factory.mktemp("t") / "t", size)
    starts = [int(Decimal(ts.strip('"')) * 1000) for ts, _ in texts]
    never_filled = min(filter(None, starts), default=0) > 86_400 * 10**9
    assert trace.ts.tolist() == [it or (UNTIMED if never_filled else 0) for it in starts]
    assert trace.dur.tolist() == [int(Decimal(dur.strip('"')) * 1000) for _, dur in texts]


def test_ids_are_told_apart_by_kind(read_of: ReadOf) -> None:
    """7, 7.0 and "7" are one thread, nothing and "7a" are others."""
    trace = read_of(*(x(tid=tid) for tid in (7, "7", None, 7.0, "7a", -1, 7.5)), x(pid="1"))
    assert trace.tracks == [
        *((1, 7), (1, None), (1, "7a"), (1, -1), (1, 7.5)),
        (1, 2),
    ]
    assert trace.track.tolist() == [0, 0, 1, 0, 2, 3, 4, 5]
    assert trace.quoted is not None
    assert np.flatnonzero(trace.quoted).tolist() == [1, 7]


def test_a_slice_is_linked_by_its_correlation_not_by_an_id(read_of: ReadOf) -> None:
    """Other tools give slices an id of their own, which is no flow's."""
    trace = read_of(x(id=99, args={"correlation": 5}), {"ph": "s", "id": 5, "ts": 1})
    assert trace.link.tolist() == [0, 0]


@pytest.mark.parametrize("args", [{}, [1, {"a": 2}], "text", 5, None, True, {"correlation": [1]}])
def test_args_of_any_kind_are_read(args: object, read_of: ReadOf) -> None:
    """Only objects can say something; others are let be."""
    assert len(read_of(x(args=args), {"ph": "M", "name": "n", "args": args})) == 2


def test_a_phase_is_known_by_its_first_byte(read_of: ReadOf) -> None:
    """A phase "Xyz" is a slice, as in Perfetto; a letter whose code ends like that of X is none."""
    trace = read_of(x(ph="Xyz"), x(ph="\u0158"), x(ph="é"))
    assert trace.phase.tolist() == [ord("X"), 0xC5, 0xC3]


def test_batches_cover_the_file(tmp_path: Path) -> None:
    """Numbers of events go on from batch to batch."""
    text = json.dumps([x(ts) for ts in range(100)]).encode()
    trace = read_text(text, tmp_path / "t", 200)
    assert len(trace.batches) > 10
    assert [span.first for span in trace.batches] == np.cumsum(
        [0, *(span.count for span in trace.batches[:-1])]
    ).tolist()
    assert sum(span.count for span in trace.batches) == len(trace) == 100
    assert trace.ts.tolist() == [ts * 1000 for ts in range(100)]


def test_an_empty_trace_has_empty_columns(read_of: ReadOf) -> None:
    """No event is no error where Perfetto opens the file too."""
    trace = read_of()
    assert len(trace) == 0
    assert trace.ts.dtype == np.int64


# -- what Perfetto would drop --------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        {"name": "no phase", "ts": 5},
        {"ph": "", "ts": 5},
        {"ph": None, "ts": 5},
        {},
        x(ts=None),
        x(ts="NaN"),
        x(ts=""),
        {"ph": "X", "dur": 1},
        b'{"ph":"X","ts":NaN,"dur":1}',
        {"ph": "s", "ts": 5},
        {"ph": "s", "ts": 5, "id": None},
        {"ph": "f", "ts": 5, "id": [1]},
        {"ph": "b", "ts": 5},
        {"ph": "n", "ts": 5, "id": None},
    ],
)
def test_an_event_that_perfetto_drops_has_no_time(
    event: dict[str, Any] | bytes, read_of: ReadOf
) -> None:
    """Without a phase, a time, or an id where one is needed, there is no place for it."""
    trace = read_of(x(), event)
    assert trace.ts.tolist() == [1000, UNTIMED]


@pytest.mark.parametrize(
    "event",
    [
        {"ph": "s", "ts": 5, "id": "0x1F"},
        {"ph": "s", "ts": 5, "id": "ff"},
        {"ph": "f", "ts": 5, "id": 1.5},
        {"ph": "t", "ts": 5, "id": "no hex"},
        {"ph": "s", "ts": 5, "id": ""},
        {"ph": "f", "ts": 5, "id": -1},
        {"ph": "b", "ts": 5, "id": "any text"},
        {"ph": "e", "ts": 5, "id2": {"local": "0x1"}},
        {"ph": "i", "ts": 5},
    ],
)
def test_an_event_that_perfetto_shows_keeps_its_time(
    event: dict[str, Any], read_of: ReadOf
) -> None:
    """Ids may be text, hexadecimal for arrows."""
    assert read_of(event).ts.tolist() == [5000]


@pytest.mark.parametrize("dur", [b"null", b'"NaN"', b"NaN", b"-Infinity", b'""', b""])
def test_a_slice_without_a_duration_is_known(dur: bytes, read_of: ReadOf) -> None:
    """Whatever stands in place of the number, or nothing."""
    member = b',"dur":' + dur if dur else b""
    assert read_of(b'{"ph":"X","ts":1' + member + b"}").dur.tolist() == [UNTIMED]


# -- what has to be mended thoroughly ------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "repairs"),
    [
        (b'{"ph":"X","ts":1,"dur":2,"name":"a\tb"}', {"control_characters": 1}),
        (b'{"ph":"X","ts":1,"dur":2,"args":{"x":nan}}', {"not_a_number": 1}),
        (b'{"ph":"X","ts":1,"dur":2,}', {"stray_commas": 1}),
        (b'{"ph":"X","ts":1,"dur":2,"tts":null}', {"void_times": 1}),
        (b'{"ph":"X","ts":1,"dur":2,"tdur":NaN}', {"void_times": 1, "not_a_number": 1}),
        (b'{"ph":"i","ts":1,"dur":null}', {"void_times": 1}),
        (b'{"ph":"X","ts":1,"dur":2,"name":5}', {"bare_texts": 1}),
        (b'{"ph":"X","ts":1,"dur":2,"cat":true}', {"bare_texts": 1}),
        (b'{"ph":"X","ts":1,"dur":4.0005}', {"fine_times": 1}),
        (b'{"ph":"X","ts":"1.00123456789012345678","dur":2}', {"fine_times": 1}),
    ],
)
def test_what_perfetto_stops_at_or_misreads_is_mended(
    event: bytes, repairs: dict[str, int], read_of: ReadOf
) -> None:
    """The file is read again, every token is looked at, and what was done is counted."""
    trace = read_of(x(), event, x(5))
    assert trace.repairs == repairs
    assert trace.thorough
    assert len(trace) == 3
    assert UNTIMED not in trace.ts
    assert UNTIMED not in trace.dur


def test_metadata_may_have_no_time_but_not_a_bad_one(read_of: ReadOf) -> None:
    """A null there makes Perfetto v52 stop; a missing one does not."""
    name = {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "GPU 0"}}
    assert not read_of(name).repairs
    trace = read_of({**name, "ts": None})
    assert trace.repairs == {"void_times": 1}
    assert trace.metadata == {0: "GPU 0"}


def test_a_process_named_by_a_number_keeps_its_name(read_of: ReadOf) -> None:
    """Perfetto v52 counts it as an error and shows none."""
    trace = read_of({"ph": "M", "name": "process_name", "pid": 1, "args": {"name": 5}})
    assert trace.metadata == {0: "5"}
    assert trace.repairs == {"bare_texts": 1}


@pytest.mark.parametrize("name", ["", None, [], {}, {"a": 1}])
def test_metadata_that_names_nothing_is_left_out(name: object, read_of: ReadOf) -> None:
    """Perfetto counts an empty name as an error; the name that another event gives stays."""
    one, other = (
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": {"name": said}}
        for said in ("stream 2", name)
    )
    trace = read_of(one, other, {**other, "args": {}}, {**other, "name": "thread_sort_index"})
    assert trace.phase.tobytes() == b"M\0MM"
    assert trace.ts.tolist() == [UNTIMED] * 4
    assert {event: said for event, said in trace.metadata.items() if said} == {0: "stream 2"}


def test_null_among_the_events_is_left_out(read_of: ReadOf) -> None:
    """Perfetto refuses the file for it."""
    trace = read_of(x(), b"null", x(5))
    assert trace.ts.tolist() == [1000, UNTIMED, 5000]
    assert trace.thorough


def test_half_nanoseconds_that_perfetto_rounds_the_same_way_are_let_be(read_of: ReadOf) -> None:
    """Digits below a nanosecond are no reason to touch a file."""
    trace = read_of(b'{"ph":"X","ts":10.0005,"dur":2.00149}')
    assert (trace.ts.tolist(), trace.dur.tolist()) == ([10_001], [2001])
    assert not trace.thorough


# -- what is damaged -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (x("abc"), 'ts of event 0 is "abc", not a number of microseconds that fits 64 bits'),
        (x(" 12"), 'ts of event 0 is " 12", not a number'),
        (x(1, {}), "dur of event 0 is {}, not a number"),
        (x(1, True), "dur of event 0 is true, not a number"),
        ({"ph": "i", "ts": 1, "dur": "x"}, 'dur of event 0 is "x", not a number'),
        (x(tts="x"), 'tts of event 0 is "x", not a number'),
        (x(10**16), "ts of event 0 is 10000000000000000, not a number"),
        (x(1, 10**25), "dur of event 0 is"),
        (b'{"ph":"X","ts":1,"dur":1e999999999}', "dur of event 0 is 1e999999999, not a number"),
        (x(9 * 10**15, 9 * 10**15), "event 0 ends behind what 64 bits of ns can say"),
        (  # the double next to it is 1 us larger
            b'{"ph":"X","ts":8.6,"dur":9223372036854767.207}',
            "event 0 ends behind what 64 bits of ns can say",
        ),
        (b'{"ph":"X","ts":0,"dur":9223372036854775.807}', "event 0 ends behind what 64 bits"),
        (x(pid=[1]), r"Expected `int | float | str | null`, got `array` - at `$[0].pid`"),
        (x(tid=True), r"Expected `int | float | str | null`, got `bool` - at `$[0].tid`"),
        (x(name={"a": 1}), r"Expected `bool | int | float | str | null`, got `object`"),
        (b"5", "an event is not as Chrome's trace format wants: Expected `object`, got `int`"),
        (b'{"ph":X}', "is damaged at byte 22 of its text: JSON is malformed: invalid character."),
    ],
)
def test_an_event_that_cannot_be_read_costs_no_other(
    event: dict[str, Any] | bytes, message: str, read_of: ReadOf
) -> None:
    """It is left out and counted; a trace of nothing else is refused in one line that says why."""
    trace = read_of(x(), x(), event, x(5))
    assert trace.ts.tolist() == [1000, 1000, 5000]
    assert trace.repairs["damaged_events"] + trace.repairs["damaged_stretches"] == 1
    assert trace.damage is not None
    assert len(trace.damage) == 1
    with pytest.raises(InputError) as refusal:
        read_of(event)
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("trace.json: ")
    assert "\n" not in str(refusal.value)


def test_times_that_were_never_filled_in_are_left_out(read_of: ReadOf) -> None:
    """0 among times since 1970, or a day and more behind; metadata is often stamped 0."""
    name = {"ph": "M", "name": "process_name", "pid": 1, "ts": 0, "args": {"name": "GPU 0"}}
    trace = read_of(name, x(0), x(1_712_188_800_123_456), {"ph": "i", "ts": 0, "s": "t"})
    assert trace.ts.tolist() == [0, UNTIMED, 1_712_188_800_123_456_000, UNTIMED]
    assert trace.repairs == {"unfilled_times": 2}


@pytest.mark.parametrize("later", [1, 86_400 * 10**6])
def test_time_0_among_times_of_its_day_is_a_time(later: int, read_of: ReadOf) -> None:
    """A trace may begin there."""
    trace = read_of(x(0), x(later))
    assert trace.ts.tolist() == [0, later * 1000]
    assert not trace.repairs


def test_a_duration_of_years_is_what_perfetto_reads(read_of: ReadOf) -> None:
    """Its double holds no more digits; a duration that is missing stays missing."""
    long = b'{"ph":"X","ts":1,"dur":123456789012345.679}'
    trace = read_of(long, x(5, 2**53 + 1), {"ph": "X", "ts": 7})
    assert trace.dur.tolist() == [123456789012345664, (2**53 + 1) * 1000, UNTIMED]


@pytest.mark.parametrize("text", [b"[]", b"[{}]", b"[null]", b'[{"ph":"X","ts":null}, ]', b"["])
def test_an_array_that_holds_no_usable_event_is_refused(text: bytes, tmp_path: Path) -> None:
    """Perfetto takes an empty array for no trace at all."""
    with pytest.raises(InputError, match=r"^trace\.json: holds no events\. Was the"):
        read_text(text, tmp_path / "t")


# -- truncation ----------------------------------------------------------------------------------

WHOLE = json.dumps(
    {
        "schemaVersion": 1,
        "traceEvents": [x(1, 2.5, name="é\\", args={"l": [{"a": 1}, {"b": 2}]}), x(5), x(9)],
        "distributedInfo": {"rank": 1},
    },
    ensure_ascii=False,
    indent=1,
).encode()


def test_a_file_cut_anywhere_keeps_its_whole_events_and_says_what_was_lost(tmp_path: Path) -> None:
    """At every byte behind the events' beginning; nothing else counts as mended."""
    start = WHOLE.index(b"[") + 1
    counts = []
    for size in range(start, len(WHOLE)):
        trace = read_text(WHOLE[:size], tmp_path / "t")
        counts.append(len(trace))
        assert trace.repairs["truncated_tail"] == 1
        assert set(trace.repairs) <= {"truncated_tail", "trailing_backslashes"}
        kept = trace.text_size() + trace.tail.lost
        assert size - 20 <= kept <= size + 20  # brackets, commas, one escape more
        assert trace.thorough is False
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 3)


def test_a_packed_file_cut_anywhere_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """A gzip stream that stops gives the events that it still holds."""
    text = json.dumps([x(ts, name=f"kernel {ts * 7919 % 1000}") for ts in range(3000)]).encode()
    packed = gzip.compress(text)
    for size in range(2000, len(packed), 997):
        trace = read_text(packed[:size], tmp_path / "t")
        assert trace.repairs == {"truncated_tail": 1}
        assert 0 < len(trace) <= 3000
        assert trace.ts.tolist() == [ts * 1000 for ts in range(len(trace))]


def test_a_packed_file_without_its_checksum_lost_no_event(tmp_path: Path) -> None:
    """It is said to be cut short, though nothing of the text is missing."""
    trace = read_text(gzip.compress(WHOLE)[:-2], tmp_path / "t")
    assert trace.repairs["truncated_tail"] == 1
    assert (len(trace), trace.tail.lost) == (3, 0)


def test_zeros_that_a_crash_left_are_no_damage(tmp_path: Path) -> None:
    """A file whose last blocks were never written ends in zeros."""
    cut = WHOLE.index(b'"ts": 5')
    trace = read_text(WHOLE[:cut] + b"\0" * 5000, tmp_path / "t")
    assert len(trace) == 1
    assert trace.repairs == {"truncated_tail": 1, "zero_bytes": 1, "trailing_backslashes": 1}


def test_text_behind_the_trace_is_counted(tmp_path: Path) -> None:
    """The rest of a longer file that was overwritten is left out, and it is said."""
    trace = read_text(WHOLE + b'ts": 5}]}', tmp_path / "t")
    assert (len(trace), trace.tail.lost) == (3, 9)
    assert trace.repairs == {"trailing_text": 1, "trailing_backslashes": 1}


# -- real traces ---------------------------------------------------------------------------------

REAL = [
    *("alexnet_whole_us", "b200_vllm_tp8_rank0", "epoch_decimals_rank0", "h100_qwen15_chat"),
    *("mi300_resnet_ddp8_rank0", "nccl_args_rank0", "sglang_qwen3_decode", "train128_rank0"),
    *("train128_rank1", "vllm_piecewise_graph_execution", "mi300_xdit_sd35_rank0"),
]


@pytest.mark.parametrize("name", REAL)
def test_real_traces_are_read_exactly(name: str, real_trace: Callable[[str], Path]) -> None:
    """Every event of every recorded trace as Python's own decimals read it.

    Nothing is mended but one bandwidth of 20 decimals, which Perfetto shows tenfold.
    """
    path = real_trace(f"{name}.json.gz")
    trace = read(Source(path, name))
    assert trace.repairs == ({"long_decimals": 1} if name == "train128_rank0" else {})
    assert not trace.thorough
    whole = json.loads(gzip.decompress(path.read_bytes()), parse_float=Decimal)
    events = whole["traceEvents"]
    assert len(trace) == len(events)
    assert trace.ts.tolist() == [int(e["ts"] * 1000) if "ts" in e else UNTIMED for e in events]
    assert trace.dur.tolist() == [int(e["dur"] * 1000) if e["ph"] == "X" else 0 for e in events]
    assert [trace.names[i] for i in trace.name] == [e["name"] or "[No name]" for e in events]
    assert [trace.cats[i] for i in trace.cat] == [e.get("cat", "") for e in events]
    assert [trace.tracks[i] for i in trace.track] == [(e.get("pid"), e.get("tid")) for e in events]
