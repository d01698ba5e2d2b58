"""Events for a query keep the args that it reads, and everything else of theirs."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.writing.json.few_args import FewArgs

KEPT = ("correlation", "External id")
TEXT = st.text(max_size=4)
VALUES = st.one_of(
    st.integers(-9, 10**19), TEXT, st.none(), st.lists(st.integers(0, 9), max_size=2)
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {"ph": st.sampled_from(["X", "M", "s"])},
        optional={
            "name": TEXT,
            "ts": VALUES,
            "id": VALUES,
            "bind_id": VALUES,
            "args": st.dictionaries(st.sampled_from(["x", "name", "sort_index", *KEPT]), VALUES),
        },
    ),
    max_size=4,
)


@given(EVENTS)
def test_other_args_are_dropped(events: list[dict[str, object]]) -> None:
    """Members, values and separators stay, args that are not read go; metadata keeps its own."""
    text = b",\n".join(map(msgspec.json.encode, events))
    found = FewArgs(KEPT).of(b",\n" + text + b"\n")
    assert found.startswith(b",\n")
    assert found.endswith(b"\n")
    for event in events:
        if isinstance(args := event.get("args"), dict):
            args.pop("x", None)
    assert msgspec.json.decode(b"[" + found.strip(b",\n") + b"]") == events


def test_text_of_numbers_stays() -> None:
    """A time keeps its digits, which a number of Python would not."""
    event = b'{"ts":1700000000000000.123456,"args":{"External id":1e3}}'
    assert FewArgs(KEPT).of(event) == event


def test_what_is_not_known_is_left() -> None:
    """An event with a member that nobody knows, or args that are no object, is as it was."""
    for event in (b'{"ph":"X","own":1,"args":{"x":1}}', b'{"ph":"X","args":[1]}', b"\n"):
        assert FewArgs(KEPT).of(event) == event
