"""A trace that is damaged before its events: they are found, and so are the members before them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.chrome.damage import Losses
from tp_tools.chrome.reader import read
from tp_tools.chrome.salvage import salvaged
from tp_tools.chrome.sanitize import sanitized
from tp_tools.errors import InputError
from tp_tools.files import Source

if TYPE_CHECKING:
    from pathlib import Path

X = b'{"ph": "X", "name": "k", "pid": 1, "tid": 1, "ts": %d, "dur": 1}'
EVENTS = b",\n".join(X % number for number in range(1, 4))
JOB = b'"distributedInfo":{"rank":1}'


def kept(text: bytes) -> tuple[dict[str, object], Counter[str]]:
    """The trace without its damage, and what was counted."""
    losses = Losses()
    decoded = json.loads(b"".join(salvaged(iter([text]), losses)))
    assert decoded["traceEvents"] == json.loads(b"[" + EVENTS + b"]")
    del decoded["traceEvents"]
    return decoded, losses.repairs


@pytest.mark.parametrize(
    "key",
    [
        b'"traceEvents: [',
        b"traceEvents: [",
        b"'traceEvents': [",
        b'"traceEvent": [',
        b'"trace\x00Events": [',
        b'"trace\xffvents": [',
        b'"traceEvents" [',
        b'"traceEvents":\n',
        b'"traceEvents":null,"traceEvents":[',
        b"\0" * 16 + b": [",
        b"\n ",
        b'"host_nam\\"traceEvents": [',
        b'"tr[": [',
        b'"\xffts": [',
        b'"host_name{aceEvents": [',
    ],
)
def test_a_damaged_key_costs_no_event(key: bytes) -> None:
    """However the key of the events is broken, all of them and the members before it stay."""
    found, repairs = kept(b"{" + JOB + b"," + key + EVENTS + b'],"a":1}')
    assert found == {"distributedInfo": {"rank": 1}, "a": 1}
    assert repairs in ({"damaged_members": 1}, {"damaged_heads": 1})


@pytest.mark.parametrize(
    ("member", "repairs"),
    [
        (b'"a":"say "hi"",', {"damaged_members": 1}),
        (b'"a":"say {"traceEvents":[]} now",', {"damaged_members": 3}),
        (b'"a":"not closed,', {"damaged_members": 1}),
        (b'"a":{"b":1,', {"damaged_members": 1}),
        (b'"a":[1,2,', {"damaged_members": 1}),
        (b'"a":1.2.3,', {"damaged_members": 1}),
        (b'"a":None,"b":0z12,', {"damaged_members": 2}),
        (b'"a":,', {"damaged_members": 1}),
    ],
)
def test_a_damaged_member_is_left_out(member: bytes, repairs: dict[str, int]) -> None:
    """The others stay, and so do all events."""
    found, counted = kept(b"{" + JOB + b"," + member + b'"traceEvents":[' + EVENTS + b"]}")
    assert found == {"distributedInfo": {"rank": 1}}
    assert counted == repairs


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    ("member", "value"),
    [
        (b'{"backend":"nc"cl","rank":1,"world_size":2}', {"backend": 'nc"cl'}),
        (b'{"rank":1,"world_size":2,"x":[{"d":"a "b" c"}]}', {"x": [{"d": 'a "b" c'}]}),
    ],
)
def test_quotes_in_a_job_are_escaped(member: bytes, value: dict[str, object], behind: bool) -> None:
    """The rank is known although a text beside it holds quotes, before and behind the events."""
    job, events = b'"distributedInfo":' + member, b'"traceEvents":[' + EVENTS + b"]"
    found, repairs = kept(b"{" + b",".join([events, job] if behind else [job, events]) + b"}")
    assert found == {"distributedInfo": {"rank": 1, "world_size": 2, **value}}
    assert repairs == {"unescaped_quotes": 1}


@pytest.mark.parametrize("before", [b"", b"{" + JOB + b"},", b"{" + JOB + b",\n"])
def test_a_head_that_is_gone_costs_no_event(before: bytes) -> None:
    """The file begins with an event, or has one bracket too many or too few before them."""
    _, repairs = kept(before + EVENTS + b"]}")
    assert repairs == {"damaged_heads": 1}


@pytest.mark.parametrize("log", [b"INFO: written\n", b"W1129 {rank 0} [W]\n", b"\x1b[0m"])
def test_a_log_before_the_trace_costs_no_event(log: bytes, tmp_path: Path) -> None:
    """Where a profiler's standard output was kept with the trace."""
    path = tmp_path / "t.json"
    path.write_bytes(log + b"{" + JOB + b',"traceEvents":[' + EVENTS + b"]}")
    trace = read(Source(path, path.name))
    assert len(trace) == 3
    assert b'"rank":1' in trace.head.text
    assert trace.repairs


HEADS = [
    {"schemaVersion": 1, "otherData": {"a": [1, {"b": "c"}]}, "host_name": "n"},
    {"deviceProperties": [{"id": 0, "name": "MI300X"}, {"id": 1, "name": ""}], "with_stack": 1},
    {"traceName": "a-TP-0.json", "otherData": {"stage": {"name": "prefill", "id": 3}}},
    {"displayTimeUnit": "ns", "metadata": {"highres-ticks": True}},
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: next(iter(head)))
def test_a_lost_bracket_costs_no_event(head: dict[str, object]) -> None:
    """Objects of the head that have a name or an id, but no phase, are not taken for events."""
    text = json.dumps(head).encode()[:-1] + b', "traceEvents": ' + EVENTS + b"]}"
    found, repairs = kept(text)
    assert found == head
    assert repairs == {"damaged_heads": 1}


@PURE
@given(st.data())
def test_any_damage_before_the_events_costs_none(data: st.DataObject) -> None:
    """Bytes inserted into a head or cut out of it, once the reader takes it for damaged."""
    head = json.dumps(data.draw(st.sampled_from(HEADS))).encode()[:-1] + b', "traceEvents": ['
    at = data.draw(st.integers(1, len(head)))
    stop = data.draw(st.integers(at, min(at + 9, len(head))))
    put = data.draw(st.sampled_from([b"", *(bytes([it]) for it in b'"\0{}[],:\\\xff')]))
    text = head[:at] + put + head[stop:] + EVENTS + b'], "a": 1}'
    saved = salvaged(iter([text]), Losses())
    found = json.loads(b"".join(sanitized(saved, Counter(), thorough=True)))
    assert found["traceEvents"] == json.loads(b"[" + EVENTS + b"]")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            b'{"schemaVersion":1,"cmd":"abc',
            "is cut short at byte 29 of its text, before its t",
        ),
        (b'{"traceEvents":', "is cut short at byte 15 of its text"),
        (b'{"a":1}}', "has no traceEvents array: not a Chrome"),
        (
            b'{"nodes":[{"id":1,"name":"root"}]}',
            "has no traceEvents array: not a Chrome",
        ),
        (b'{"events":[' + EVENTS + b"]}", "has no traceEvents array: not a Chrome"),
        (b'{"traceEvents":{"a":1}}', "its traceEvents is not an array"),
        (b"  \n", "holds no text"),
    ],
)
def test_a_text_without_events_is_one_clear_line(text: bytes, error: str, tmp_path: Path) -> None:
    """With the byte where it ends or breaks; another kind of JSON is not taken for a trace."""
    path = tmp_path / "t.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=error):
        read(Source(path, path.name))


@pytest.mark.parametrize(
    "text",
    [
        b'{"traceEvents":[%s],"n":#}',
        b'{"n":#,"traceEvents":[%s]}',
        b'{"traceEvents":[{"ph":"i","ts":1,"tid":#},{"ph":"i","ts":1,"args":{"a":#}},%s]}',
        b'{"traceEvents":[{"ph":"s","ts":1,"id":#},{"ph":"s","ts":1,"id":"#","bind_id":#},%s]}',
        b'{"traceEvents":[{"ph":"X","ts":1.#,"dur":1},%s]}',
        b'{"traceEvents":[{"ph":"i","ts":1,"name":"ProfilerStep##","pid":1,"tid":"#"},%s]}',
    ],
)
def test_numbers_of_thousands_of_digits(text: bytes, tmp_path: Path) -> None:
    """They are written as text, or with fewer digits; Python itself refuses to read them."""
    path = tmp_path / "t.json"
    path.write_bytes(text.replace(b"#", b"7" * 5000).replace(b"%s", EVENTS))
    assert int((read(Source(path, path.name)).phase == ord("X")).sum()) >= 3
    mended = b"".join(sanitized(iter([path.read_bytes()]), Counter(), thorough=True))
    json.loads(mended)


def test_an_event_of_thousands_of_digits_costs_no_other(tmp_path: Path) -> None:
    """A time that no clock can show is left out, with its place."""
    path = tmp_path / "t.json"
    path.write_bytes(b'{"traceEvents":[{"ph":"X","ts":' + b"1" * 5000 + b"}," + EVENTS + b"]}")
    trace = read(Source(path, path.name))
    assert len(trace) == 3
    assert trace.repairs == {"damaged_events": 1}
    assert trace.damage is not None
    assert [it.byte for it in trace.damage] == [16]


@pytest.mark.parametrize(
    "head",
    [b'{"tr[":[', b'{"]ts":[', b'{"nts":[', b'{"n":1,"traceEvents":[]}', b'{\0"traceEvents":['],
)
def test_a_damaged_key_in_sound_json_costs_no_event(head: bytes, tmp_path: Path) -> None:
    """The text is JSON and holds no array of that name, or an empty one; or seems to be UTF-16."""
    path = tmp_path / "t.json"
    path.write_bytes(head + EVENTS + b'],"a":1}')
    assert len(read(Source(path, path.name))) == 3
