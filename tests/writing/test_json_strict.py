"""Text that Perfetto v52 refuses a file for is never written, and what it reads is let through."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tp_tools import engine
from tp_tools.errors import InputError, VerificationError
from tp_tools.writing.json.apply import BatchEdits, MemberEdit, apply_edits
from tp_tools.writing.json.strict import check_events, check_object, checks_of

EVENT = b'{"ph":"X","name":"k","cat":"c","pid":1,"tid":1,"ts":10,"dur":2}'


def with_member(text: bytes) -> bytes:
    """An event with one more member."""
    return EVENT[:-1] + b"," + text + b"}"


REFUSED = [
    with_member(rb'"pid":"C:\\"'),
    with_member(rb'"args":{"a":"\\\\"}'),
    with_member(b'"ts":{},"ts":10'),
    with_member(b'"dur":null'),
    with_member(b'"tts":"soon"'),
    with_member(b'"ts":true'),
    with_member(b'"foo":1e400'),
    with_member(b'"foo":01'),
    with_member(b'"foo":.5'),
    b"null",
    b"[1]",
]
READ = [
    EVENT,
    with_member(rb'"name":"say \"a\\b\" \\\" c"'),
    with_member(b'"ts":"10.5"'),
    with_member(b'"foo":1e300,"bar":"a: 1e400","args":{"a":[1,null,{}]}'),
    with_member(b'"ts":1234567890123456.789,"dur":0'),
]


@pytest.mark.parametrize("event", REFUSED)
def test_refuses_what_perfetto_refuses(event: bytes) -> None:
    """Perfetto v52 opens no file with such an event, and the check raises."""
    with pytest.raises(VerificationError):
        check_events([EVENT, event])
    with pytest.raises(InputError):
        engine.load([b'{"traceEvents":[%b,%b]}' % (EVENT, event)], source="refused")


@pytest.mark.parametrize("event", READ)
def test_lets_pass_what_perfetto_reads(event: bytes) -> None:
    """The check is no stricter than Perfetto."""
    check_events([event])
    with engine.load([b'{"traceEvents":[%b]}' % event], source="read") as tp:
        assert engine.rows(tp, "SELECT COUNT(*) FROM slice") == [(1,)]


def test_no_events_are_fine() -> None:
    """A trace with nothing new has nothing to check."""
    check_events([])


@pytest.mark.parametrize("text", [rb'{"path":"C:\\"}', b'{"a":1', b'{"a":"\xff"}'])
def test_refuses_such_text_around_the_events(text: bytes) -> None:
    """Members of the trace are held to the same rules."""
    with pytest.raises(VerificationError):
        check_object(text)
    check_object(b'{"path":"C:","traceEvents":[{}]}')


@pytest.mark.parametrize(
    "edit", [MemberEdit("pid", json.dumps("C:\\").encode(), True), MemberEdit("ts", b"null")]
)
def test_edits_are_checked(edit: MemberEdit) -> None:
    """An edit that would write a text that Perfetto refuses ends the writing: of ids, or others."""
    edits = BatchEdits(1, np.array([0]), np.array([0]), [(edit,)])
    with pytest.raises(VerificationError):
        apply_edits(EVENT, edits)


def test_a_refusal_names_the_trace_and_a_way_out() -> None:
    """Whose text it is, whose fault, and what to do; nobody is asked for a report."""
    with pytest.raises(VerificationError) as refusal, checks_of("a.json"):
        check_events([REFUSED[0]])
    said = str(refusal.value)
    assert said.startswith("a.json: tp-tools made text of it that Perfetto would refuse (")
    assert "a fault of tp-tools, not of the trace" in said
    assert said.endswith("Nothing was written; -o NAME.pftrace writes no such text.")
