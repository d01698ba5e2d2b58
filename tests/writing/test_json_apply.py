"""Edits of a run change what they name; every other byte of it stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.writing.json.apply import (
    ArgsEdit,
    BatchEdits,
    MemberEdit,
    apply_edits,
    write_batch,
)

if TYPE_CHECKING:
    from tp_tools.writing.json.apply import Change

TEXTS = st.sampled_from(["k", '"tid": 7,', '", "tid": 7, "', "}, {", "\\", "\u00e9", '{"pid":1}'])
IDS = st.sampled_from([7, 0, -1, 1.5, "stream 7", "a,b", 'a"b', None])
EVENTS = st.fixed_dictionaries(
    {"ph": st.just("X"), "name": TEXTS},
    optional={
        "pid": IDS,
        "tid": IDS,
        "dur": st.integers(0, 9),
        "args": st.one_of(
            TEXTS,
            st.just({"tid": 7}),
            st.just([{"pid": 7, "tid": 7}, {"tid": 7}]),
            st.just({"a": {"tid": 7}}),
        ),
    },
)
PUTS = st.builds(
    MemberEdit,
    st.sampled_from(["pid", "tid"]),
    st.sampled_from([b"12", b'"new"', b"0"]),
    st.booleans(),
)
STEPS = st.one_of(
    PUTS,
    st.builds(MemberEdit, st.sampled_from(["ts", "dur"]), st.just(b"3.250")),
    st.just(ArgsEdit(b'"tpt_lane": 2')),
    st.just(ArgsEdit(b'"tpt_recorded_dur": ', dur_behind=True)),
)
ONLY_IDS = st.lists(
    PUTS,
    min_size=1,
    max_size=2,
    unique_by=lambda put: put.key,
)
CHANGES = st.none() | ONLY_IDS.map(tuple) | st.lists(STEPS, min_size=1, max_size=4).map(tuple)
SEPARATORS = st.sampled_from([", ", ",", ",\n  ", " ,\t"])


def as_said(event: dict[str, Any], change: Change) -> dict[str, Any]:
    """The expected event, computed on parsed values."""
    event = dict(event)
    for step in change:
        if isinstance(step, MemberEdit):
            event[step.key] = json.loads(step.value)
            continue
        dur = json.dumps(event.get("dur")) if step.dur_behind else ""
        args = event.get("args", {})
        args = args if isinstance(args, dict) else {"args": args}
        event["args"] = args | json.loads(f"{{{step.members.decode()}{dur}}}")
    return event


@PURE
@given(
    st.lists(EVENTS, min_size=1, max_size=8),
    st.lists(CHANGES, min_size=1, max_size=4),
    st.data(),
    st.booleans(),
)
def test_what_is_said_is_done(
    events: list[dict[str, Any]],
    changes: list[Change | None],
    data: st.DataObject,
    is_first: bool,
) -> None:
    """Members that look like others in strings and lists, ids of any kind, other spaces between."""
    count = data.draw(st.sampled_from([1, 30])) * len(events)
    events = (events * 30)[:count]
    which = data.draw(st.lists(st.integers(-1, len(changes) - 1), min_size=count, max_size=count))
    for i, event in enumerate(events):
        change = changes[which[i]] if which[i] >= 0 else None
        puts = [step for step in change or () if isinstance(step, MemberEdit) and step.is_there]
        events[i] = dict.fromkeys((put.key for put in puts), 7) | event
    places = [i for i, code in enumerate(which) if code >= 0]
    if data.draw(st.booleans()):
        between = [data.draw(SEPARATORS)] * count
    else:
        between = data.draw(st.lists(SEPARATORS, min_size=count, max_size=count))
    colon = data.draw(st.sampled_from([": ", ":", " : "]))
    texts = [json.dumps(it, separators=(", ", colon)) for it in events]
    text = "".join(part for pair in zip(between, texts, strict=True) for part in pair)
    if is_first:
        text = text[len(between[0]) :]
    of_each = np.array([which[i] for i in places], np.int64)
    edits = BatchEdits(count, np.array(places, np.int64), of_each, changes)
    found = write_batch(text.encode(), edits=edits, is_first=is_first, packed=False)
    assert isinstance(found, bytes)
    made = found.decode() if is_first else found.decode().lstrip().removeprefix(",")
    wanted = []
    copied = []
    for event, code, its in zip(events, which, texts, strict=True):
        change = changes[code] if code >= 0 else ()
        if change is not None:
            wanted.append(as_said(event, change))
            copied += [its] if code < 0 else []
    assert json.loads(f"[{made}]") == wanted
    behind = 0
    for its in copied:  # what nothing is said of stands there as it stood, in its order
        behind = made.index(its, behind) + len(its)


MOVED = MemberEdit("tid", b"12", is_there=True)


def run_of(*events: str) -> bytes:
    """The text of a run that others stand before."""
    return "".join(", " + event for event in events).encode()


def edits_of(count: int, changes: dict[int, Change | None]) -> BatchEdits:
    """Edits by place."""
    places = np.array(list(changes), np.int64)
    return BatchEdits(count, places, np.arange(len(changes)), list(changes.values()))


def test_an_id_changes_alone() -> None:
    """Spaces, numbers and the order of members stay as they are: bytes that nobody edits."""
    event = '{"tid" :7 , "ts":1.50,"name": "say \\"tid\\"", "args":{"x":1e3}}'
    text = run_of(event, event.replace("7", "7000"), event)
    changes: dict[int, Change | None] = {0: (MOVED,), 2: (MOVED,)}
    assert apply_edits(text, edits_of(3, changes)) == run_of(
        event.replace("7", "12"), event.replace("7", "7000"), event.replace("7", "12")
    )


def test_an_id_that_an_event_lacks_is_its_own_then() -> None:
    """And not that of its args."""
    found = apply_edits(b'{"args": {"tid": 8}}', edits_of(1, {0: (MemberEdit("tid", b"12"),)}))
    assert json.loads(found or b"") == {"args": {"tid": 8}, "tid": 12}


@pytest.mark.parametrize(
    "event",
    [
        '{"tid": 7, "args": {"tid": 8}}',
        '{"args": {"tid": 8}, "tid": 7}',
        '{"tid": 7, "tid": 7}',
        '{"tid": [7]}',
        '{"name": "a"}',
    ],
)
def test_an_id_that_is_not_told_for_sure_is_found_as_json(event: str) -> None:
    """One that stands twice, or is written otherwise: the event's own changes, and no other."""
    plain = '{"tid": 7, "args": {}}'
    changes: dict[int, Change | None] = dict.fromkeys(range(3), (MOVED,))
    found = apply_edits(run_of(plain, event, plain), edits_of(3, changes))
    assert found is not None
    made = json.loads(b"[" + found[1:] + b"]")
    assert made == [it | {"tid": 12} for it in json.loads(f"[{plain},{event},{plain}]")]


@pytest.mark.parametrize("text", [b"", b', {"a": 1}', b', {"a": 1}, {"a": 2}, {"a": 3}', b", {]"])
def test_a_run_that_does_not_hold_its_events_is_not_edited(text: bytes) -> None:
    """Edits that were planned for one file are not applied to another."""
    edits = edits_of(2, {1: (MOVED,)})
    assert apply_edits(text, edits) is None
    assert write_batch(text, edits=edits, is_first=True, packed=True) is None
