"""Work that is shared gives what it gives undone by others, in its order."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.helping import Slow, here
from tests.support.strategies import PURE
from tp_tools.chrome.turns import in_turn

HELPERS = st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(0, 4)), max_size=4)


def numbered(number: int, text: bytes) -> tuple[int, bytes]:
    """Some work, that depends on what is asked and on the text."""
    return number, text.upper()


@PURE
@given(st.integers(0, 30), HELPERS)
def test_what_comes_of_it_is_in_order(count: int, helpers: list[tuple[int, int | None]]) -> None:
    """However slow each helper is, and whether it ends on the way."""
    pieces = [(partial(numbered, i), b"run%d" % i) for i in range(count)]
    crew = [Slow(*helper) for helper in helpers]
    assert list(in_turn(pieces, crew)) == [(i, b"RUN%d" % i) for i in range(count)]
    assert not any(helper.given or helper.done for helper in crew)


@pytest.mark.parametrize("taken", range(6))
def test_nothing_is_left_where_it_is_not_wanted_any_more(taken: int) -> None:
    """What helpers have in hand then would be taken for what is asked next."""
    crew = here(3)
    shared = in_turn([(partial(numbered, i), b"a") for i in range(9)], crew.helpers)
    for _ in range(taken):
        next(shared)
    shared.close()
    assert list(in_turn([(bytes.upper, b"b")] * 4, crew.helpers)) == [b"B"] * 4


def test_what_goes_wrong_leaves_nothing_either() -> None:
    """Where the texts themselves end in an error."""

    def pieces() -> object:
        yield bytes.upper, b"a"
        yield bytes.upper, b"a"
        raise KeyError

    crew = here(2)
    with pytest.raises(KeyError):
        list(in_turn(pieces(), crew.helpers))
    assert list(in_turn([(bytes.upper, b"b")], crew.helpers)) == [b"B"]


def test_a_helper_gets_the_first_runs() -> None:
    """As many as it can have in hand; the others are done here."""
    never = Slow(10**9)
    list(in_turn([(bytes.upper, b"%d" % i) for i in range(9)], [never]))
    assert never.asked
    assert not never.given
