"""Edits as bytes: what is not edited stays as it was written, what is edited stays readable."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.handmade import fixed, overlap_options, shown
from tp_tools.errors import InputError
from tp_tools.files import ReadSizes, Source
from tp_tools.repair.analysis import analyze, rewrite
from tp_tools.writing.json.base_time import rebased

if TYPE_CHECKING:
    from pathlib import Path

DAY_NS = 86_400 * 10**9
EPOCH_US = 1_712_188_800_123_456  # 2024-04-04, 35 min after midnight
SHIFT = EPOCH_US * 1000 // DAY_NS * DAY_NS


def event(name: str, ts: str, dur: str, args: str = "", **more: object) -> str:
    """A kernel on stream 7, as text."""
    extra = "".join(f', "{key}": {json.dumps(value)}' for key, value in more.items())
    tail = f', "args": {args}' if args else ""
    return (
        f'{{"ph": "X", "cat": "kernel", "name": "{name}", "pid": 0, "tid": 7,\n'
        f'   "ts": {ts}, "dur": {dur}{extra}{tail}}}'
    )


EARLY, LATE = event("early", "0", "12.000"), event("late", "10.000", "12.000")


def trace(*events: str) -> bytes:
    """A trace of these events, indented."""
    return ('{\n "traceEvents": [\n  ' + ",\n  ".join(events) + "\n ]\n}\n").encode()


def output(*events: str, tolerance_ns: int = 1000) -> str:
    """The text of the repaired trace."""
    return fixed(trace(*events), tolerance_ns).data.decode()


def only(name: str, *events: str) -> dict[str, Any]:
    """The event of this name as it was written: its keys in order, numbers as they stand."""
    data = json.loads(output(*events), parse_float=Decimal)
    (found,) = [it for it in data["traceEvents"] if it["name"] == name]
    return dict(found)


def test_unedited_events_keep_their_bytes() -> None:
    """Odd spacing, escapes, duplicate keys, numbers of any form: copied as they are."""
    odd = [
        '{ "ph":"X",\t"name":"a\\tb \\u0007 \\"q\\"", "pid":1,"tid":2,"ts":1e1,"dur":2.50 }',
        '{"name":"object", "ph": "N", "pid": 1, "tid": 2, "custom": [1, {"b": null}], "ts": 5}',
        '{"ph":"i","s":"g","name":"é ü 漢字","pid":1,"tid":2,"ts":3}',
        '{"ph":"X","ph":"X","name":"twice","pid":1,"tid":3,"ts":"4","dur":"1"}',
    ]
    written = output(EARLY, *odd, LATE)
    for text in (EARLY, *odd):
        assert text in written
    assert LATE not in written


def test_a_moved_slice_says_where_it_was() -> None:
    """Its row's tid and its lane stand in args behind what was there; all else keeps its place."""
    late = event("late", "10.000", "12.000", '{ "correlation": 5, "stream": 7 }', custom="kept")
    moved = only("late", EARLY, late)
    assert list(moved) == ["ph", "cat", "name", "pid", "tid", "ts", "dur", "custom", "args"]
    assert moved["tid"] == 8
    assert (moved["ts"], moved["dur"]) == (Decimal("10.000"), Decimal("12.000"))
    assert moved["args"] == {"correlation": 5, "stream": 7, "tpt_tid": 7, "tpt_lane": 2}


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ("", {}),
        ("{}", {}),
        ("{ \n }", {}),
        ('{"a": {"b": [1, "}"]}}', {"a": {"b": [1, "}"]}}),
        ("null", {"args": None}),
        ("[1, 2]", {"args": [1, 2]}),
        ('"text }"', {"args": "text }"}),
    ],
)
def test_args_of_any_kind_are_kept(args: str, wanted: dict[str, object]) -> None:
    """Whatever stands in args stays there, and what is added is valid JSON."""
    moved = only("late", EARLY, event("late", "10.000", "12.000", args))
    assert moved["args"] == {**wanted, "tpt_tid": 7, "tpt_lane": 2}


@pytest.mark.parametrize("dur", ["10.5", '"10.5"', "1.05e1", "10.500000"])
def test_a_trimmed_slice_keeps_the_recorded_duration(dur: str) -> None:
    """A trimmed slice keeps the text of its recorded duration in args."""
    host = {"cat": "cpu_op"}
    events = [event("a", "0", dur), event("b", "10", "20")]
    events = [it.replace('"kernel"', json.dumps(host["cat"])) for it in events]
    trimmed = only("a", *events)
    assert trimmed["dur"] == 10
    assert json.dumps(trimmed["args"]["tpt_recorded_dur"], default=str).strip('"') == str(
        json.loads(dur, parse_float=Decimal)
    )


def test_a_name_survives_an_edit() -> None:
    """Quotes, backslashes and non-ASCII of an edited event mean what they meant."""
    name = 'void f<int>(char const*) [with T = \\"x\\"] é \\u00e9'
    late = event("NAME", "10.000", "12.000").replace("NAME", name)
    events = json.loads(output(EARLY, late))["traceEvents"]
    assert json.loads(f'"{name}"') in {it["name"] for it in events}


def test_a_bare_array_stays_one() -> None:
    """A list of events stays a list where no base time has to be said."""
    data = f"[\n{EARLY},\n{LATE}\n]\n".encode()
    written = fixed(data).data
    assert written.startswith(b"[\n" + EARLY.encode())
    assert written.endswith(b"]\n")
    assert len(json.loads(written)) == 2 + 2  # names of the row and of the lane


def test_new_rows_stand_at_the_end() -> None:
    """Metadata of lanes comes behind all events, separated from them."""
    events = json.loads(output(EARLY, LATE))["traceEvents"]
    assert [it["ph"] for it in events] == ["X", "X", "M", "M"]


def test_all_events_left_out_leaves_an_empty_list() -> None:
    """A trace of nothing but untimed events is still JSON."""
    assert json.loads(output('{"ph": "X", "name": "a", "pid": 1, "tid": 1}'))["traceEvents"] == []


@pytest.mark.parametrize("left_out", [{0}, {1}, {3}, {0, 1}, {2, 3}, {0, 2}, {0, 1, 2}])
def test_events_that_are_left_out_take_their_comma_along(left_out: set[int]) -> None:
    """First, last or in between, many or one: the rest is JSON, and unchanged."""
    events = [event(f"k{i}", "null" if i in left_out else str(i), "1") for i in range(4)]
    kept = [it["name"] for it in json.loads(output(*events))["traceEvents"]]
    assert kept == [f"k{i}" for i in range(4) if i not in left_out]


@pytest.mark.parametrize("own", ["", '"tid": null, '])
def test_a_thread_in_args_is_not_the_event_s_own(own: str) -> None:
    """An event without a thread gets one; what its args say of another one stays."""
    event = f'{{"ph": "X", "name": "a", "pid": 1, {own}"ts": 1, "dur": 2, "args": {{"tid": 7}}}}'
    it, _ = json.loads(output(event))["traceEvents"]
    assert it["args"] == {"tid": 7}
    assert isinstance(it["tid"], int)


def test_edits_across_runs(tmp_path: Path) -> None:
    """A file that is read in many pieces is rewritten as one that is read in one."""
    events = [
        event(f"k{i}", str(i * 10), "null" if i % 7 == 3 else "12", f'{{"correlation": {i}}}')
        for i in range(60)
    ]
    events[5] = events[5].replace('"ts": 50', '"ts": null')
    path = tmp_path / "t.json"
    path.write_bytes(trace(*events))

    def written(sizes: ReadSizes) -> bytes:
        file = Source(path, path.name, sizes=sizes)
        return b"".join(rewrite(file, analyze(file, overlap_options())))

    whole = written(ReadSizes())
    assert written(ReadSizes(70, 200)) == whole
    assert len(json.loads(whole)["traceEvents"]) == 59 + 2


def test_a_file_that_changes_meanwhile_is_an_error(tmp_path: Path) -> None:
    """A profiler that still writes must not lead to a mixture of two files."""
    path = tmp_path / "t.json"
    path.write_bytes(trace(EARLY, LATE))
    file = Source(path, path.name)
    analysis = analyze(file, overlap_options())
    path.write_bytes(trace(EARLY))
    with pytest.raises(InputError, match="changed while it was being read"):
        b"".join(rewrite(file, analysis))


def test_rebased_times_are_exact() -> None:
    """Every time moves by the same whole days, to the nanosecond."""
    written = json.loads(output(event("a", f"{EPOCH_US}.789", "1.500")), parse_float=Decimal)
    (found,) = written["traceEvents"]
    assert found["ts"] == Decimal(f"{EPOCH_US}.789") - Decimal(SHIFT) / 1000
    assert found["dur"] == Decimal("1.500")
    assert written["baseTimeNanoseconds"] == SHIFT
    assert shown(json.dumps(written, default=float).encode())[0][2] == EPOCH_US * 1000 + 789 - SHIFT


TAIL = b'],\n"traceName": "t"\n}'


def test_nothing_moves_without_a_shift() -> None:
    """Head and tail stay the same objects."""
    head = b'{"baseTimeNanoseconds": 5, "traceEvents": ['
    assert rebased(head, TAIL, 0) == (head, TAIL)


@pytest.mark.parametrize("base", [0, -5, 1_700_000_000_000_000_000])
@pytest.mark.parametrize("place", ["head", "tail"])
def test_the_base_time_moves_where_it_stands(base: int, place: str) -> None:
    """Before or behind the events; every other byte stays."""
    key = f'"baseTimeNanoseconds" : {base}'.encode()
    head = b'{"a": 1, ' + (key + b", " if place == "head" else b"") + b'"traceEvents": ['
    tail = b"]" + (b", " + key if place == "tail" else b"") + b', "b": 2}'
    moved_head, moved_tail = rebased(head, tail, DAY_NS)
    wanted = f'"baseTimeNanoseconds" : {base + DAY_NS}'.encode()
    assert (moved_head, moved_tail) == (head.replace(key, wanted), tail.replace(key, wanted))


def test_a_missing_base_time_is_added() -> None:
    """It was 0, so that absolute time is now the shift away."""
    head, tail = rebased(b'{"a": 1, "traceEvents": [', TAIL, DAY_NS)
    assert json.loads(head + tail) == {
        "a": 1,
        "traceEvents": [],
        "baseTimeNanoseconds": DAY_NS,
        "traceName": "t",
    }


@pytest.mark.parametrize("tail", [b"]}", b"]\n}\n", b'] , "b": 2 }', TAIL])
def test_a_base_time_is_added_to_any_tail(tail: bytes) -> None:
    """Whether keys follow the events or not."""
    head, moved = rebased(b'{"traceEvents": [', tail, 5)
    assert json.loads(head + moved)["baseTimeNanoseconds"] == 5


@pytest.mark.parametrize("head", [b"[", b" \n["])
def test_a_bare_array_becomes_an_object(head: bytes) -> None:
    """Only an object can say a base time."""
    moved_head, moved_tail = rebased(head, b"]\n", 5)
    assert json.loads(moved_head + moved_tail) == {"traceEvents": [], "baseTimeNanoseconds": 5}


def test_what_only_looks_like_a_base_time_stays() -> None:
    """The key inside another object, in a string, or in a list is not the trace's."""
    head = (
        b'{"deviceProperties": [{"baseTimeNanoseconds": 1}],'
        b' "note": "\\"baseTimeNanoseconds\\": 2", "distributedInfo": {"baseTimeNanoseconds": 3},'
        b' "baseTimeNanoseconds": 3, "traceEvents": ['
    )
    moved_head, tail = rebased(head, b'], "last": {"baseTimeNanoseconds": 4}}', 10)
    moved = json.loads(moved_head + tail)
    assert moved["baseTimeNanoseconds"] == 13
    assert moved["deviceProperties"] == [{"baseTimeNanoseconds": 1}]
    assert moved["note"] == '"baseTimeNanoseconds": 2'
    assert moved["distributedInfo"] == {"baseTimeNanoseconds": 3}
    assert moved["last"] == {"baseTimeNanoseconds": 4}


def test_a_look_alike_alone_is_no_base_time() -> None:
    """Where only another object has such a key, the trace's own is added."""
    head, tail = rebased(b'{"x": {"baseTimeNanoseconds": 3}, "traceEvents": [', b"]}", 10)
    assert json.loads(head + tail)["baseTimeNanoseconds"] == 10
    assert json.loads(head + tail)["x"] == {"baseTimeNanoseconds": 3}


@pytest.mark.parametrize("base", [b'"17"', b"1.5", b"1e18", b"null", b"[1]"])
def test_a_base_time_that_is_no_integer_is_an_error(base: bytes) -> None:
    """It cannot be moved exactly, and a wrong one would misplace the rank."""
    with pytest.raises(InputError, match=r"baseTimeNanoseconds is .*not an integer"):
        rebased(b'{"baseTimeNanoseconds": ' + base + b', "traceEvents": [', b"]}", 10)


def test_reading_again_finds_every_event() -> None:
    """Commas, braces and quotes inside strings do not mislead the second pass."""
    args = '{"s": "},{", "t": "]}", "u": "a\\\\b", "v": ["{", {}]}'
    late = only("late", event("early", "0", "12", args), event("late", "10", "12", args))
    assert late["args"] == {**json.loads(args), "tpt_tid": 7, "tpt_lane": 2}
