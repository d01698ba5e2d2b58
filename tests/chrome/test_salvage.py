"""Damaged traces: what is sound in them survives, and what is left out is said."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import source_of
from tests.support.strategies import PURE
from tp_tools.chrome.damage import Losses
from tp_tools.chrome.quotes import escaped
from tp_tools.chrome.reader import read
from tp_tools.chrome.salvage import salvaged
from tp_tools.chrome.sanitize import sanitized

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

HEAD = b'{"schemaVersion": 1, "traceEvents": ['
TAIL = b'], "traceName": "x", "distributedInfo": {"rank": 1, "l": [1]}}'


def kept(text: bytes) -> tuple[bytes, Losses]:
    """The text without its damage."""
    losses = Losses()
    return b"".join(salvaged(iter([text]), losses)), losses


# -- quotes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "name"),
    [
        (b'"name":"a "b" c","pid":1', 'a "b" c'),
        (b'"name":"5" disk","pid":1', '5" disk'),
        (b'"name":"f("a", "b")","pid":1', 'f("a", "b")'),
        (b'"name":""a"","pid":1', '"a"'),
        (b'"name":"{"a": [1, "b"]}" ,\n "pid":1', '{"a": [1, "b"]}'),
        (b'"name":"a \\"b\\" "c"","pid":1', 'a "b" "c"'),
        (b'"name":"C:\\","pid":1', "C:\\"),
        (b'"pid":1,"name":"a "b""', 'a "b"'),
    ],
)
def test_quotes_in_names_are_escaped(members: bytes, name: str) -> None:
    """Another member of events behind a quote says that the name ends there."""
    event = b'{"ph":"X","cat":"kernel",' + members + b',"ts":1,"dur":2,"args":{"stream":7}}'
    event = event.replace(b'""","ts"', b'"" ,"ts"')
    found = escaped(event)
    assert found is not None
    assert found.length == len(event)
    assert found.count == 1
    assert json.loads(found.text)["name"] == name
    assert json.loads(found.text)["args"] == {"stream": 7}


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (b'{"name":"thread "with" quotes"}', 'thread "with" quotes'),
        (b'{"name":"5" disk"}', '5" disk'),
        (b'{"name":"a "b" c", "x": "y"}', 'a "b" c'),
        (b'{"l": ["a "b"", "c"], "name":"n"}', "n"),
    ],
)
def test_quotes_in_arguments_are_escaped(args: bytes, value: str) -> None:
    """Of a thread's name, say, or of an argument in which they come in pairs."""
    found = escaped(b'{"ph":"M","name":"thread_name","pid":1,"args":' + args + b"}")
    assert found is not None
    assert json.loads(found.text)["args"]["name"] == value


@pytest.mark.parametrize(
    "event",
    [
        b'{"ph":"X","name":"a","pid":1}',  # nothing to mend
        b'{"ph":"X","pid":1,"name":"k","args":{"a":"5" disk","b":"w"}}',
        b'{"ph":"X","name":"a "b","pid":5," c","pid":1}',
        b'{"ph":"X","name":"a" b,"pid":1}',
        b'{"ph":"X","name":"a "b"","ts":}',
        b'{"ph":"X","name":"a "b""',
    ],
)
def test_what_is_in_doubt_is_not_mended(event: bytes) -> None:
    """Where a string could end elsewhere as well, or more than quotes is wrong."""
    assert escaped(event) is None


# -- damage --------------------------------------------------------------------------------------

X = b'{"ph": "X", "name": "k", "pid": 1, "tid": 1, "ts": %d, "dur": 1}'


@pytest.mark.parametrize(
    ("text", "wanted", "repairs"),
    [
        (b"[%s,{,%s]", b"[%s,\n%s]", {"damaged_events": 1}),
        (b"[%s\xff\x00\x01,%s]", b"[%s,\n%s]", {"damaged_stretches": 1}),
        (b"[%s%s]", b"[%s,\n%s]", {"missing_commas": 1}),
        (b"[#,%s,%s]", b"[%s,%s]", {"damaged_stretches": 1}),
        (b"[%s],%s]", b"[%s,\n%s]", {"damaged_stretches": 1}),
        (b"[]%s,%s]", b"[%s,%s]", {"damaged_stretches": 1}),
        (b"[%s,%s,#]", b"[%s,%s]", {"damaged_stretches": 1}),
        (b'[%s,{"ph":"X","dur":,"ts":1},%s]', b"[%s,\n%s]", {"damaged_events": 1}),
        (
            b'[%s,{"ph":"X","args":{"l":[{"name":1},{"name":]}},%s]',
            b"[%s,\n%s]",
            {"damaged_events": 1},
        ),
        (
            b'{"a":[1,],"b":x y,"c":2,"traceEvents":[%s,%s],"d":"e "f: g"","h":[{"i":1}]}',
            b'{"a":[1],"c":2,"traceEvents":[%s,%s],"h":[{"i":1}]}',
            {"damaged_members": 2, "stray_commas": 1},
        ),
        (
            b'{"traceEvents":[%s,%s,{"ph":"X","args":{"l":[{"a":1}],"m":#],"x":1}',
            b'{"traceEvents":[%s,%s],"x":1}',
            {"damaged_events": 1},
        ),
    ],
)
def test_damage_is_cut_out(text: bytes, wanted: bytes, repairs: dict[str, int]) -> None:
    """The events around it stay, with a comma between them; each stretch counts once."""
    events = X % 1, X % 2
    found, losses = kept(text.replace(b"%s", b"%b") % events)
    assert found == wanted.replace(b"%s", b"%b") % events
    assert losses.repairs == repairs


def test_a_text_that_ends_amid_an_event_is_left_as_it_is() -> None:
    """Who reads it says that it was cut short."""
    text = b"[" + X % 1 + b", " + (X % 2)[:30]
    assert kept(text) == (text, Losses())


texts = st.text(st.sampled_from('ab,:{}[]"\\ \n'), max_size=12)
values = st.recursive(
    st.none() | st.integers(-9, 99) | texts | st.sampled_from(["ph", '},{"ph":']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def events(draw: DrawFn, number: int) -> bytes:
    """The text of an event as Kineto orders its members; its time is its number."""
    event: dict[str, Any] = {"ph": "X", "cat": draw(texts), "name": draw(texts)}
    event |= {"pid": 1, "tid": 2, "ts": number, "dur": 3}
    event["args"] = draw(st.dictionaries(texts, values, max_size=3))
    return json.dumps(event, indent=draw(st.sampled_from([None, 1]))).encode()


@st.composite
def damaged(draw: DrawFn, event: bytes) -> bytes:
    """An event with something inserted, or cut out, inside it."""
    at = draw(st.integers(1, len(event) - 2))
    behind = draw(st.integers(at, len(event) - 1))
    return draw(
        st.sampled_from(
            [
                event[:at] + b'"' + event[at:],
                event[:at] + b"\xff\x00\x17" + event[at:],
                event[:at] + event[behind:],
                event[:at] + b"\\" + event[at:],
                event[:at] + b"}" + event[at:],
                event[:at] + b"[" + event[at:],
                event[:at] + b'"' + event[at:behind] + b'"' + event[behind:],
            ]
        )
    )


@pytest.mark.parametrize("is_array", [False, True])
def test_a_bracket_in_a_damaged_name_does_not_end_the_events(is_array: bool) -> None:
    """The events behind it stay, and the damaged text is noted; the last event loses no member."""
    first, last = (
        b'{"ph":"X","name":"%s","pid":0,"tid":7,"ts":1,"dur":5}' % it for it in (b"a", b"c")
    )
    hit = first.replace(b'"a"', b'":"}]"')
    head, tail = (b"[", b"]") if is_array else (HEAD, TAIL)
    found, losses = kept(head + first + b"," + hit + b"," + last + tail)
    assert found.startswith(head + first)
    assert found.endswith(last + tail)
    assert losses.repairs == Counter(damaged_stretches=1)


ENDS = [
    b'"}]],"pid":0,"args":{"l":[1]}}',
    b'"}],"pid":0,"args":{"l":[1]}}',
    b'"}]rgs":{"l":[1]}}',
    b'"}],"rgs":{"l":[1]}}',
    b'"}]}rgs":{"l":[1]}}',
    b'"}]}}',
]
"""What may stand behind the name of a damaged event; each looks like the end of the events."""


@pytest.mark.parametrize("rest", ENDS)
@pytest.mark.parametrize("is_array", [False, True])
@pytest.mark.parametrize("is_last", [False, True])
def test_brackets_in_a_damaged_event_do_not_end_the_events(
    rest: bytes, is_array: bool, is_last: bool, tmp_path: Path
) -> None:
    """Members of the event are not those of the trace, and events behind it stay."""
    first, last = (
        b'{"ph":"X","name":"%s","pid":0,"tid":7,"ts":1,"dur":5}' % it for it in (b"a", b"c")
    )
    hit = b'{"ph":"X","name":"b' + rest
    written = [first, hit] if is_last else [first, hit, last]
    head, tail = (b"[", b"]") if is_array else (HEAD, TAIL)
    trace = read(source_of(head + b",".join(written) + tail, tmp_path))
    names = [trace.names[code] for code in trace.name[trace.ts >= 0].tolist()]
    assert [name for name in names if name != "b"] == ["a"] + ["c"] * (not is_last)
    assert trace.tail.text == tail or (is_last and trace.tail.lost)


@PURE
@given(st.data(), st.booleans())
def test_damage_in_the_last_event_stays_in_it(data: st.DataObject, is_array: bool) -> None:
    """The event before it and the members behind the events are as they were, or were cut short."""
    first, last = (
        b'{"ph":"X","name":"%s","pid":0,"tid":7,"ts":1,"dur":5,"args":{"x":[1,2]}}' % it
        for it in (b"a", b"b")
    )
    at = data.draw(st.integers(1, len(last) - len('"args":{"x":[1,2]}}')))
    put = data.draw(st.sampled_from([b"", *(b'" \\ { } [ ] , : \0 "] ],"  "} }]'.split(b" "))]))
    hit = last[:at] + put + last[at + data.draw(st.sampled_from([0, 1, 3])) :]
    head, tail = (b"[", b"]") if is_array else (HEAD, TAIL)
    with tempfile.TemporaryDirectory() as folder:
        trace = read(source_of(head + first + b"," + hit + tail, Path(folder)))
    assert trace.names[trace.name[0]] == "a"
    is_cut = trace.tail.cut_short or trace.tail.lost
    assert trace.tail.text == (tail if not is_cut else b"]" if is_array else b"]}")


@pytest.mark.parametrize("key", [b'"\\u0074s":{}', b'"\\u0074s":{},"\\u0070id":"a"'])
def test_a_key_written_with_an_escape_costs_one_event(key: bytes) -> None:
    """It is that of the time, twice; Perfetto would refuse the file."""
    sound = b'{"ph":"X","name":"a","pid":0,"tid":7,"ts":1,"dur":5}'
    hit = sound.replace(b'"ts"', key + b',"ts"')
    found, losses = kept(HEAD + sound + b"," + hit + TAIL)
    assert found == HEAD + sound + TAIL
    assert losses.repairs == Counter(damaged_events=1)


def test_text_behind_the_events_that_is_no_member_is_noted() -> None:
    """Nothing goes without a word, though nothing of it can be read."""
    event = b'{"ph":"X","name":"a","pid":0,"tid":7,"ts":1,"dur":5}'
    found, losses = kept(HEAD + event + b']", 5')
    assert found == HEAD + event + b"]}"
    assert losses.repairs == Counter(damaged_members=1)


@PURE
@given(st.data(), st.integers(1, 9), st.sampled_from([b",", b",\n  ", b" , "]), st.booleans())
def test_every_undamaged_event_survives_byte_for_byte(
    data: st.DataObject, count: int, separator: bytes, is_array: bool
) -> None:
    """Whatever is inserted into others or cut out of them; and the text around them."""
    made = [data.draw(events(number)) for number in range(count)]
    hit = data.draw(st.sets(st.integers(0, count - 1), max_size=3))
    written = [
        data.draw(damaged(event)) if number in hit else event for number, event in enumerate(made)
    ]
    head, tail = (b"[", b"]") if is_array else (HEAD, TAIL)
    found, losses = kept(head + separator.join(written) + tail)
    assert found.startswith(head)
    assert found.endswith(tail)
    at = len(head)
    for number, event in enumerate(made):
        if number not in hit:
            # a neighbour's control characters may have made them be mended together
            alike = event if event in found[at:] else b"".join(sanitized([event], Counter()))
            assert alike in found[at:], losses
            at = found.index(alike, at) + len(alike)
    if not hit:
        assert found == head + separator.join(written) + tail
        assert losses == Losses()


@PURE
@given(st.data(), st.integers(1, 40))
def test_damage_found_in_pieces_is_the_same(data: st.DataObject, window: int) -> None:
    """However the text comes in, and however little of it is looked at at a time."""
    made = [data.draw(events(number)) for number in range(4)]
    made[2] = data.draw(damaged(made[2]))
    text = HEAD + b",\n".join(made) + TAIL
    whole, losses = kept(text)
    blocks = [text[at : at + window] for at in range(0, len(text), window)]
    other = Losses()
    assert b"".join(salvaged(iter(blocks), other, window)) == whole
    assert other == losses
