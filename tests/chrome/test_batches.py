"""Cutting a text into head, runs of whole events and tail."""

import json
import os
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.command_line import TpTools
from tests.support.strategies import PURE
from tp_tools.chrome import read
from tp_tools.chrome.batches import BatchText, split_text
from tp_tools.chrome.stream import Malformed
from tp_tools.errors import InputError, UsageError
from tp_tools.files import Source
from tp_tools.trace.model import Head, Tail

ADVICE = " Give the file that the profiler wrote."

DECODER = msgspec.json.Decoder(list[dict[str, Any]])
TINY = 24
"""Bytes in a batch, so that nearly every event ends one."""


def cut(text: bytes, places: list[int]) -> Iterator[bytes]:
    """The text as blocks, cut at places that are taken modulo its length."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return iter([text[a:b] for a, b in pairwise(edges)])


def parts(text: bytes, *places: int) -> tuple[Head, list[BatchText[dict[str, Any]]], Tail]:
    """Head, runs and tail of a text that is read in these blocks."""
    head, *runs, tail = split_text(cut(text, list(places)), DECODER, "trace.json", TINY)
    assert isinstance(head, Head)
    assert isinstance(tail, Tail)
    assert all(isinstance(run, BatchText) for run in runs)
    return head, [run for run in runs if isinstance(run, BatchText)], tail


def events(text: bytes, *places: int) -> list[dict[str, Any]]:
    """All events, in order."""
    return [event for run in parts(text, *places)[1] for event in run.events]


# -- whole texts ---------------------------------------------------------------------------------

nasty_text = st.one_of(
    # lone surrogates are mended before the text is split
    st.text(st.characters(exclude_characters="\x7f", exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(
        [
            "},{",
            "}, {",
            '"},{"',
            "]}",
            '{"traceEvents":[',
            '"traceEvents":[',
            "\\",
            '\\"',
            "]",
            "NaN",
        ]
    ),
)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-99, 99), nasty_text, st.floats(-9, 9, width=16)
)
members = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(st.just({"a": 1}), max_size=6),
        st.dictionaries(nasty_text, inner, max_size=3),
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(["ph", "ts", "name", "args", "x y"]), members, max_size=4)
others = st.dictionaries(
    nasty_text.filter(lambda key: key != "traceEvents"),
    members,
    max_size=3,
)


@st.composite
def traces(draw: st.DrawFn) -> tuple[list[dict[str, Any]], bytes]:
    """Events, and the text of a trace of them, in any style."""
    wanted = draw(st.lists(objects, max_size=12))
    whole: object = wanted
    if draw(st.booleans()):
        whole = {**draw(others), "traceEvents": wanted, **draw(others)}
    item, key = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n\t", " :\n")]))
    text = json.dumps(
        whole,
        indent=draw(st.sampled_from([None, None, 1, 300])),
        separators=(item, key),
        ensure_ascii=draw(st.booleans()),
    )
    space = draw(st.sampled_from(["", "\n", " \t\r\n"]))
    return wanted, f"{space}{text}{space}".encode("utf-8", "replace")


blocks = st.lists(st.integers(0, 1 << 20), max_size=8)


@PURE
@given(traces(), blocks)
def test_the_texts_joined_are_the_text_that_was_read(
    pair: tuple[list[dict[str, Any]], bytes], places: list[int]
) -> None:
    """No byte is lost or doubled, and the events are those of the text, however it is written."""
    wanted, text = pair
    head, runs, tail = parts(text, *places)
    assert b"".join([head.text, *(run.text for run in runs), tail.text]) == text
    assert [event for run in runs for event in run.events] == wanted
    assert not tail.cut_short
    assert tail.lost == 0


@PURE
@given(traces(), blocks)
def test_each_run_holds_its_own_events(
    pair: tuple[list[dict[str, Any]], bytes], places: list[int]
) -> None:
    """A run's text is a separator and its events, so that it can be copied or changed alone."""
    for run in parts(pair[1], *places)[1]:
        text = run.text.decode().lstrip().removeprefix(",")
        assert json.loads(f"[{text}]") == run.events


def test_many_events_come_in_many_runs() -> None:
    """A long text is not held as one: what was taken is not kept."""
    text = b'{"traceEvents":[' + b",".join(b'{"n":%d}' % n for n in range(500)) + b"]}"
    _, runs, _ = parts(text, *range(0, len(text), 10))
    assert len(runs) > 100
    assert max(len(run.text) for run in runs) < 4 * TINY


def test_a_list_of_objects_inside_an_event_is_no_place_to_cut() -> None:
    """An event with thousands of objects in it stays whole, and costs few tries."""
    long = {"args": {"list": [{"a": n} for n in range(5000)]}}
    wanted = [{"n": 1}, long, {"n": 2}, long, {"n": 3}]
    assert events(json.dumps({"traceEvents": wanted}).encode(), 100, 50_000) == wanted


def test_text_that_looks_like_the_end_of_events_is_no_end() -> None:
    """Brackets, quotes and keys inside of strings mean nothing."""
    wanted = [{"name": '"}],"traceEvents":[{'}, {"name": "]}"}, {"name": '\\"},{\\"'}, {"a": "\\"}]
    for head in ({}, {"x": '"traceEvents":['}, {"y": {"traceEvents": [{"no": 1}]}}):
        text = json.dumps({**head, "traceEvents": wanted, "z": [{"a": 1}, {"b": 2}]}).encode()
        for place in range(len(text)):
            assert events(text, place) == wanted


# -- texts that were cut short -------------------------------------------------------------------

EVENTS = [
    {"ph": "X", "ts": 1.5, "args": {"list": [{"a": 1}, {"a": 2}], "s": "},{"}},
    {"ph": "M", "args": {"name": "é\\"}},
    {"ph": "i", "x": [True, None, -2.5e-3, {"y": []}]},
]


@pytest.mark.parametrize(
    ("whole", "indent"),
    [
        ({"traceEvents": EVENTS}, None),
        (
            {
                "a": {"b": [1, {}]},
                "traceEvents": EVENTS,
                "distributedInfo": {"rank": 3},
                "z": "end",
            },
            2,
        ),
        (EVENTS, None),
        (EVENTS, 1),
    ],
)
def test_a_text_cut_anywhere_keeps_exactly_its_whole_events(whole: Any, indent: int | None) -> None:  # noqa: ANN401
    """At every byte: the events that are whole, no other, and the rest is counted as lost."""
    text = json.dumps(whole, indent=indent, ensure_ascii=False).encode()
    start = text.index(b"[", text.index(b"traceEvents") if isinstance(whole, dict) else 0) + 1
    ends: list[int] = []
    for _ in EVENTS:
        at = text.index(b"{", ends[-1] if ends else start)
        ends.append(at + len(_raw(text, at)))
    for size in range(start, len(text)):
        head, runs, tail = parts(text[:size], size // 2)
        found = [event for run in runs for event in run.events]
        assert found == EVENTS[: sum(end <= size for end in ends)]
        written = b"".join([head.text, *(run.text for run in runs), tail.text])
        assert _events(json.loads(written)) == found
        closed = isinstance(whole, list) and size > ends[-1] and text[:size].rstrip().endswith(b"]")
        assert tail.cut_short is not closed
        kept = len(head.text) + sum(len(run.text) for run in runs)
        if size <= ends[-1]:
            assert tail.lost == len(text[kept:size].strip(b", \n"))


def _raw(text: bytes, at: int) -> bytes:
    """The text of the object that begins there."""
    source = text[at:].decode()
    return source[: json.JSONDecoder().raw_decode(source)[1]].encode()


def _events(whole: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    found: list[dict[str, Any]] = whole if isinstance(whole, list) else whole["traceEvents"]
    return found


@pytest.mark.parametrize("size", range(1, len('{"a": [1, {"b": "c"}], "traceEvents": [')))
def test_a_text_cut_before_its_events_is_refused(size: int) -> None:
    """There is nothing to keep; the message says so."""
    text = b'{"a": [1, {"b": "c"}], "traceEvents": ['[:size]
    with pytest.raises(InputError, match=rf"cut short at byte {size} of its text, before its t"):
        parts(text)


def test_members_behind_the_events_are_kept_as_far_as_they_are_whole() -> None:
    """The distributedInfo at the end of a file survives the loss of what follows it."""
    text = json.dumps({"traceEvents": [], "a": {"b": [1, 2]}, "n": 1234, "s": "end"}).encode()
    kept = []
    for size in range(text.index(b"]") + 1, len(text)):
        _, _, tail = parts(text[:size])
        kept.append({key: value for key, value in json.loads(b'{"":[' + tail.text).items() if key})
        assert tail.cut_short
        assert json.loads(b'{"":[' + tail.text)[""] == []
    whole: list[dict[str, object]] = [{}, {"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}, "n": 1234}]
    assert [k for i, k in enumerate(kept) if i == 0 or k != kept[i - 1]] == [
        *whole, {**whole[-1], "s": "end"}
    ]  # fmt: skip


def test_a_number_at_the_end_of_a_cut_file_is_not_believed() -> None:
    """A baseTimeNanoseconds may have lost digits: a wrong base would be worse than none."""
    _, _, tail = parts(b'{"traceEvents":[],"baseTimeNanoseconds": 17129')
    assert tail == Tail(b"]}", cut_short=True, lost=len(b'"baseTimeNanoseconds": 17129'))


def test_a_cut_inside_a_long_event_is_found_quickly() -> None:
    """20,000 objects inside the event that the file ends in do not mean 20,000 tries."""
    rest = b',{"args":[' + b",".join([b'{"a":[1,2]}'] * 20_000)
    _, runs, tail = parts(b'[{"n":1},{"n":2}' + rest)
    assert [event for run in runs for event in run.events] == [{"n": 1}, {"n": 2}]
    assert tail.lost == len(rest) - 1


def test_a_cut_inside_a_long_tail_is_found_quickly() -> None:
    """Nor do as many numbers behind the events."""
    rest = b',"groups":[' + b",".join([b'{"ranks":[0,1,2,3]}'] * 50_000)
    _, _, tail = parts(b'{"traceEvents":[{"n":1}],"rank":{"a":5}' + rest)
    assert tail == Tail(b'],"rank":{"a":5}}', cut_short=True, lost=len(rest) - 1)


# -- text behind the trace -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "behind", [b"garbage", b"}", b"]", b'{"traceEvents":[{"ph":"X"}]}', b"\0x"]
)
@pytest.mark.parametrize("text", [b'{"traceEvents":[{"a":1}],"b":"c"} \n', b'[{"a":1}] \n'])
def test_text_behind_the_trace_is_left_out_and_counted(text: bytes, behind: bytes) -> None:
    """Text that a longer file left behind its overwritten beginning is no part of the trace."""
    head, runs, tail = parts(text + behind, len(text))
    assert b"".join([head.text, *(run.text for run in runs), tail.text]) == text.rstrip()
    assert (tail.cut_short, tail.lost) == (False, len(behind))


# -- what is no trace ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "holds no text. Was the profiler stopped before it wrote?"),
        (b" \n\t ", "holds no text. Was the profiler stopped before it wrote?"),
        (
            b"null",
            "is not a Chrome JSON trace: it begins with b'n', at byte 0 of its text." + ADVICE,
        ),
        (
            b"hello",
            "is not a Chrome JSON trace: it begins with b'h', at byte 0 of its text." + ADVICE,
        ),
        (b"{}", "has no traceEvents array: not a Chrome JSON trace." + ADVICE),
        (
            b'{"a":{"traceEvents":[]}}',
            "has no traceEvents array: not a Chrome JSON trace." + ADVICE,
        ),
        (
            b'{"traceEvents":[],"x":{},"traceEvents":[{"ph":"X"}]}',
            "has two arrays named traceEvents. Give one trace.",
        ),
        (
            b'{"displayTimeUnit":1,"traceEvents":[]}',
            "its displayTimeUnit is 1, not text: Perfetto refuses it.",
        ),
        (
            b'{"displayTimeUnit":false,"displayTimeUnit":"ns","traceEvents":[]}',
            "its displayTimeUnit is false, not text: Perfetto refuses it.",
        ),
        (
            b'{"traceEvents":[],"displayTimeUnit":"ms","displayTimeUnit":1.5}',
            "its displayTimeUnit is 1.5, not text: Perfetto refuses it.",
        ),
        (
            b'{"traceEvents":[],"displayTimeUnit":false,"traceName":"cut.js',
            "its displayTimeUnit is false, not text: Perfetto refuses it.",
        ),
        (
            b'{"traceEvents":[],"systemTraceEvents":["x"]}',
            'its systemTraceEvents is ["x"], not text: Perfetto refuses it.',
        ),
    ],
)
def test_what_is_no_trace_is_refused_in_a_line(text: bytes, message: str) -> None:
    """Each reason has its own words, and they name the file."""
    with pytest.raises(InputError) as refusal:
        parts(text)
    assert str(refusal.value) == f"trace.json: {message}"
    assert not isinstance(refusal.value, Malformed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a":1}\n{"b":2}', "has no traceEvents array: not a Chrome JSON trace." + ADVICE),
        (b'{"traceEvent":[]}', "has no traceEvents array: not a Chrome JSON trace." + ADVICE),
        (b'{"traceEvents":null}', "its traceEvents is not an array."),
        (b'{"traceEvents":{"a":[]}}', "its traceEvents is not an array."),
        (b'{"traceEvents":1,"traceEvents":[]}', "its traceEvents is not an array."),
    ],
)
def test_what_may_hold_events_is_malformed(text: bytes, message: str) -> None:
    """Whoever reads it may find events behind the damage."""
    with pytest.raises(Malformed) as refusal:
        parts(text)
    assert str(refusal.value) == f"trace.json: {message}"


DAMAGED = [
    b'{"traceEvents":[{"a":1},{"a":#}]}',
    b'{"traceEvents":[{"a":1}#{"a":2}]}',
    b'{"traceEvents":[{"a":1} #{"a":2}]}',
    b'{"traceEvents":[#,{"a":2}]}',
    b'{"traceEvents":[{"a":1},{"a":2}],#"b":3}',
    b'{"traceEvents":[{"a":1},{"a":2}],"b":#}',
    b'{"b":#,"traceEvents":[{"a":1}]}',
    b'{#"traceEvents":[{"a":1}]}',
    b'[{"a":1},#{"a":2}]',
    b"[" + b'{"a":"x"},' * 40 + b'{"a":#},' + b'{"a":"x"},' * 40 + b'{"a":1}]',
]


@pytest.mark.parametrize(
    "text", [b'{"traceEvents":[],"a":"\x7f"}', b'{"a\x7f":1,"traceEvents":[]}']
)
def test_a_control_character_that_perfetto_refuses_is_not_passed_on(text: bytes) -> None:
    """JSON allows DEL; Perfetto gives up at one around the events, so it has to be mended."""
    with pytest.raises(Malformed, match="DEL"):
        parts(text)


@pytest.mark.parametrize("text", DAMAGED)
def test_damage_is_named_by_its_byte(text: bytes) -> None:
    """The offset in the text is exact, wherever runs and blocks end, and stands there once."""
    wanted = text.index(b"#")
    for place in (0, wanted // 2, wanted, wanted + 1):
        with pytest.raises(Malformed, match=rf"is damaged at byte {wanted} of its text") as refusal:
            parts(text, place)
        assert str(refusal.value).count("byte") == 1
        assert str(refusal.value).startswith("trace.json: ")


def test_random_damage_never_passes_for_a_trace() -> None:
    """A byte that is overwritten is refused or changes values, but the rest is never lost."""
    text = json.dumps({"a": 1, "traceEvents": EVENTS * 3, "b": [2]}).encode()
    rnd = random.Random(3)
    for _ in range(2000):
        broken = bytearray(text)
        broken[rnd.randrange(len(text))] = rnd.randrange(256)
        try:
            head, runs, tail = parts(bytes(broken), rnd.randrange(len(text)))
        except (InputError, UnicodeDecodeError):
            continue
        written = b"".join([head.text, *(run.text for run in runs), tail.text])
        assert written == broken or tail.lost
        assert len(_events(json.loads(written))) == sum(len(run.events) for run in runs)


@pytest.mark.parametrize("text", [b"[1]", b"[null]", b'[{"a":1},[2]]', b'{"traceEvents":["x"]}'])
def test_an_event_that_is_no_object_is_refused(text: bytes) -> None:
    """Perfetto refuses the whole file; the message says which value it is."""
    with pytest.raises(Malformed, match="an event is not as Chrome's trace format wants"):
        parts(text)


@pytest.mark.parametrize("where", ['{"traceEvents":[{"a":%s}]}', '[{"a":%s}]'])
def test_events_nested_without_end_are_refused(where: str) -> None:
    """A hundred thousand brackets are no reason to crash."""
    text = where % ("[" * 100_000 + "]" * 100_000)
    with pytest.raises(InputError, match="nested too deeply"):
        parts(text.encode())


def test_a_tail_nested_without_end_is_refused() -> None:
    """Nor are they behind the events."""
    text = b'{"traceEvents":[],"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(InputError, match="nested too deeply"):
        parts(text)


@PURE
@given(st.binary(max_size=80), blocks)
@example(b'[{"a":"\xff"}]', [])
def test_any_bytes_are_split_or_refused(text: bytes, places: list[int]) -> None:
    """No input ends in anything but events or an InputError."""
    try:
        parts(b"[" + text, *places)
        parts(b'{"traceEvents":[' + text, *places)
    except (InputError, UnicodeDecodeError):
        pass


# -- text without an end -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b" " * (3 << 20),
        b'{"traceEvents":[{"name":"' + b"x" * (3 << 20),
        b'{"a":' + b"[" * (3 << 20),
    ],
    ids=["white space", "a string", "brackets"],
)
def test_text_in_which_no_event_ends_is_held_up_to_a_limit(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable that raises the limit."""
    monkeypatch.setenv("TP_TOOLS_LONGEST_MIB", "2")
    blocks = (text[at : at + 65_536] for at in range(0, len(text), 65_536))
    with pytest.raises(InputError, match=r"in 2 MiB of its text.* --longest-event 4 "):
        list(split_text(blocks, DECODER, "trace.json"))


@pytest.mark.parametrize("head", [b"", b'[{"name":"', b'{"traceEvents":'])
def test_text_without_a_comma_is_held_up_to_the_limit(
    head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no text yet counts too: white space, a string, brackets."""
    monkeypatch.setenv("TP_TOOLS_LONGEST_MIB", "2")
    kinds = {b"": b" ", b'[{"name":"': b"x", b'{"traceEvents":': b"["}
    path = tmp_path / "t.json"
    path.write_bytes(head + kinds[head] * (3 << 20))
    with pytest.raises(InputError, match=r"t\.json: no event ends in 2 MiB"):
        read(Source(path, "t.json"))


def test_brackets_in_runs_are_refused_as_others_are(tmp_path: Path) -> None:
    """A text of nothing else is not held once per bracket, and is no trace."""
    path = tmp_path / "t.json"
    path.write_bytes(b'{"traceEvents":' + b"[ " * 50_000)
    with pytest.raises(InputError, match="an event is not as"):
        read(Source(path, "t.json"))


def test_the_limit_is_an_option_and_ends_with_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    """A text of 2 MB is refused at 1 MiB, and kept at 4."""
    monkeypatch.delenv("TP_TOOLS_LONGEST_MIB", raising=False)
    path = tmp_path / "t.json"
    event = {"ph": "X", "name": "x" * (2 << 20), "pid": 1, "tid": 1, "ts": 1, "dur": 1}
    path.write_text(json.dumps({"traceEvents": [event]}))
    tp_tools = TpTools(capsysbinary)
    assert tp_tools("fix", path, "--check", "--longest-event", "1").code == 3
    assert "TP_TOOLS_LONGEST_MIB" not in os.environ
    assert tp_tools("fix", path, "--check", "--longest-event", "4").code == 0


@pytest.mark.parametrize("given", ["", "-1", "2G"])
def test_a_limit_that_is_no_number(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by its name."""
    monkeypatch.setenv("TP_TOOLS_LONGEST_MIB", given)
    with pytest.raises(UsageError, match="TP_TOOLS_LONGEST_MIB"):
        list(split_text(iter([b"[]"]), DECODER, "trace.json"))
