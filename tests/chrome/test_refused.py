"""Text that Perfetto refuses, in members that are no columns, is found and mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.handmade import fixed, shown, source_of, trace_of
from tests.support.perfetto_content import both
from tp_tools.chrome.reader import read
from tp_tools.chrome.refused import check_accepted, holds_huge_number
from tp_tools.chrome.stream import Malformed

if TYPE_CHECKING:
    from pathlib import Path

OTHER = ',{"ph":"X","name":"z","pid":1,"tid":1,"ts":9,"dur":1}'


def traced(members: str) -> bytes:
    """A trace of two slices, of which the first has these members."""
    return f'{{"traceEvents":[{{"ph":"X","name":"a","pid":1,"tid":1,{members}}}{OTHER}]}}'.encode()


VALUES = ("{}", "[]", "null", "true", '"x"', '""', '"1e400"', '{"a":1}')
"""Values that are no times."""


@pytest.mark.parametrize("space", ["", " ", "\n  "])
@pytest.mark.parametrize("key", ["ts", "dur", "tts", "tdur"])
def test_the_last_of_several_times_counts(key: str, space: str) -> None:
    """A time that is no number before another one of the same key costs neither file nor event."""
    times = {"ts": "6", "dur": "2", "tts": "6", "tdur": "2"}
    rest = ",".join(f'"{name}":{space}{time}' for name, time in times.items())
    events = [
        f'{{"ph":"X","name":"a","pid":1,"tid":{tid},"{key}":{space}{value},"args":{{"b":{{}}}},{rest}}}'
        for tid, value in enumerate(VALUES, 1)
    ]
    data = f'{{"traceEvents":[{",".join(events)}{OTHER}]}}'.encode()
    assert trace_of(data).repairs["void_times"] == len(VALUES)
    first = [("a", tid, 6_000, 2_000) for tid in range(1, len(VALUES) + 1)]
    assert sorted(shown(fixed(data).data)) == [*first, ("z", 1, 9_000, 1_000)]


@pytest.mark.parametrize("space", ["", " "])
@pytest.mark.parametrize("key", ["pid", "tid"])
def test_the_last_of_several_ids_counts(key: str, space: str) -> None:
    """Perfetto v52 would take 542 for the number of a text, and crash."""
    event = f'{{"ph":"X","{key}":{space}"main","name":"a","{key}":542,"ts":1,"dur":1}}'
    trace = trace_of(f'{{"traceEvents":[{event}]}}'.encode())
    assert trace.repairs["text_ids_twice"] == 1
    assert 542 in trace.tracks[trace.track[0]]


@pytest.mark.parametrize("key", ["bind_id", "id", "foo", "sf"])
@pytest.mark.parametrize(
    "number", ["1e400", "-1e999", "0e400", "1e000400", f"5E-{'1' * 40}", f"{'1' * 40}e-{'9' * 40}"]
)
def test_huge_numbers_cost_no_file(key: str, number: str) -> None:
    """A number that no double holds is written as text, so that Perfetto reads the file."""
    data = traced(f'"{key}":{number},"ts":6,"dur":2')
    assert trace_of(data).repairs["huge_numbers"] == 1
    written = fixed(data).data
    assert written.count(f'"{number}"'.encode()) == 1
    assert ("a", 1, 6_000, 2_000) in shown(written)


@pytest.mark.parametrize(
    "members",
    [
        '"ts":5,"ts":6,"dur":2',
        '"ts":"5","ts":6,"dur":2',
        '"ts":6,"dur":2,"args":{"ts":{},"dur":null,"x":"1e400"}',
        '"ts":6,"dur":2,"args":{"ts":[{"ts":1}],"hash":"ab3e4001"}',
        '"ts":6,"dur":2,"args":{"text":"at 1e400 or \\"ts\\":{}"}',
    ],
)
def test_what_perfetto_reads_stays(members: str) -> None:
    """Times given twice as numbers, and the like inside of args and strings, change nothing."""
    result = fixed(traced(members))
    assert result.data.startswith(b'{"traceEvents"')
    assert not result.analysis.trace.repairs
    assert members.encode() in result.data


def test_places_are_found_across_blocks() -> None:
    """A number or a key is found wherever blocks of marks end."""
    for shift in range(-12, 4):
        lead = b'{"x":"' + b"x" * ((1 << 17) + shift) + b'",'
        assert holds_huge_number(lead + b'"foo":1e400}')
        for twice, place in (('"ts":{},"ts":1', "time"), ('"args":{},"args":1', "args")):
            with pytest.raises(Malformed, match=place):
                check_accepted(lead + twice.encode() + b"}", [], "x.json")


@pytest.mark.parametrize("space", ["", " ", "\n  "])
@pytest.mark.parametrize("value", ["5", "null", "true", '"t"', "[]", '[{"y":1}]'])
def test_the_last_object_among_args_counts(value: str, space: str, tmp_path: Path) -> None:
    """Args that are no object hide none before them, in neither form, as in Perfetto v52."""
    given = (
        (1, f'"args":{space}{{"x":1}},"ts":6,"args":{space}{value},"dur":2'),
        (0, f'"args":{space}{{"x":0,"args":7}},"ts":6,"args":{space}{{"x":1}},"dur":2'),
        (0, f'"args":{space}{value},"ts":6,"dur":2,"args":{space}{{"x":1}}'),
    )
    for renamed, members in given:
        source = source_of(traced(members), tmp_path)
        assert read(source).repairs["args_twice"] == renamed
        as_json, as_pftrace = both(source)
        assert as_json == as_pftrace
        assert [it[-1] for it, _, _ in as_json.slices if it[2] == "a"] == ["args.x int 1"]
