"""Decimal microseconds to int nanoseconds, against Python's own decimals."""

import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools import engine
from tp_tools.chrome import timestamps

LARGEST = (1 << 63) - 1


def exact(text: str) -> int:
    """Nanoseconds by fractions: half away from zero."""
    value = Fraction(Decimal(text)) * 1000
    return int(abs(value) + Fraction(1, 2)) * (-1 if value < 0 else 1)


whole = st.integers(0, 10**15)
decimals = st.text("0123456789", max_size=30)
exponents = st.one_of(
    st.just(""), st.builds("{}{:+d}".format, st.sampled_from("eE"), st.integers(-30, 0))
)


@st.composite
def json_numbers(draw: st.DrawFn) -> str:
    """A JSON number that fits 64 bits of nanoseconds."""
    fraction = draw(decimals)
    sign = draw(st.sampled_from(["", "-"]))
    return f"{sign}{draw(whole)}{'.' + fraction if fraction else ''}{draw(exponents)}"


@PURE
@given(json_numbers(), st.booleans())
@example("0.0004999999999999999999999999999999", False)
@example("1.0005", False)
@example("-1.0005", False)
@example("12345678.00049999999999999999999999999999", False)
@example("9223372036854775.807", True)
@example("-0.0", False)
@example("5E0", False)
def test_every_json_number_is_read_exactly(text: str, quoted: bool) -> None:
    """Integers, decimals, exponents, in quotes or not: the nanosecond nearest to the text."""
    written = f'"{text}"' if quoted else text
    assert timestamps.nanoseconds(written.encode()) == exact(text)


@pytest.mark.parametrize(
    "text",
    [
        # what Decimal would take and JSON does not: Perfetto stops reading the file at these
        *('" 12"', '"12 "', '"+5"', '"1_000"', '".5"', '"5."', '"05"', '"0x10"', '"Infinity"'),
        *("null", "true", "{}", "[1]", '"abc"', '""', '"-"', '"1e"', '"12""', "NaN", ""),
        # bytes that are digits elsewhere
        '"١٢"',
    ],
)
def test_what_is_no_json_number_is_refused(text: str) -> None:
    """Only what Perfetto takes for a number is one, in quotes as well."""
    with pytest.raises(ValueError, match="not a number of microseconds"):
        timestamps.nanoseconds(text.encode())


@pytest.mark.parametrize(
    "text", ["9223372036854775.808", "-9223372036854775.808", "1e300", "1e999999", "9" * 5000]
)
def test_times_over_64_bits_are_refused(text: str) -> None:
    """A time that Perfetto's int64 of nanoseconds cannot hold is refused, and quickly."""
    with pytest.raises(ValueError, match="64 bits"):
        timestamps.nanoseconds(text.encode())


def test_an_absurd_exponent_is_refused_without_being_computed() -> None:
    """1e999999999999 is refused as text: its digits would fill the memory."""
    with pytest.raises(ValueError, match="not a number"):
        timestamps.nanoseconds(b"1e999999999999")


@PURE
@given(st.integers(-LARGEST, LARGEST))
def test_nanoseconds_come_back_from_their_text(time: int) -> None:
    """A time that is written is read back as the same time, and has three decimals."""
    text = timestamps.microseconds(time)
    assert timestamps.nanoseconds(text) == time
    assert text.partition(b".")[2].isdigit()
    assert len(text.partition(b".")[2]) == 3


plain = st.builds(
    lambda number, places: f"{number}{'.' + places if places else ''}",
    st.integers(0, 10**16 - 1),
    st.text("0123456789", max_size=3),
)


@PURE
@given(st.lists(plain, max_size=20))
@example(["9223372036854775.807", "9223372036854775.80", "9223372036854775"])
@example(["0", "0.0", "0.001", "0.01"])
@example(["9999999999999999.999"])
def test_plain_numbers_are_read_at_once_as_one_by_one(texts: list[str]) -> None:
    """The fast road gives what the slow one gives, or leaves the numbers to it."""
    found = timestamps.column([text.encode() for text in texts])
    if found is None:
        assert any(exact(text) > LARGEST for text in texts)
        return
    times, has_point = found
    assert times.dtype == np.int64
    assert times.tolist() == [exact(text) for text in texts]
    assert has_point.tolist() == ["." in text for text in texts]


@pytest.mark.parametrize(
    "odd",
    [b"-1", b"1e3", b'"1"', b"1.0000", b"12345678901234567", b"null", b"1.2.3", b"", b"."],
)
def test_the_fast_road_leaves_all_else_alone(odd: bytes) -> None:
    """A sign, an exponent, quotes, a fourth decimal, too many digits: not for the fast road."""
    assert timestamps.column([b"5", odd, b"6.5"]) is None


@pytest.mark.parametrize(
    ("text", "through_double"),
    [(b"12", False), (b"-12", False), (b'"12"', False), (b"12.0", True), (b"1e3", True)],
)
def test_only_points_and_exponents_go_through_a_double(text: bytes, through_double: bool) -> None:
    """Perfetto reads integers exactly, in quotes too."""
    assert timestamps.has_decimals(text) is through_double


def random_time(rnd: random.Random) -> str:
    """A time below 2^42 us, often near half a nanosecond, sometimes with an exponent or quoted."""
    whole = rnd.randrange(10 ** rnd.randrange(1, 13))
    if rnd.random() < 0.5:
        fraction = f"{rnd.randrange(1000):03d}5{'0' * rnd.randrange(15)}"
    else:
        length = rnd.randrange(1, 19)
        fraction = f"{rnd.randrange(10**length):0{length}d}"
    exponent = f"e-{rnd.randrange(12)}" if rnd.random() < 0.2 else ""
    text = f"{whole}.{fraction}{exponent}"
    return f'"{text}"' if rnd.random() < 0.2 else text


def test_what_perfetto_reads_is_foretold(engine_name: str) -> None:
    """Whether the parser's double lands on the exact nanosecond is known for every text."""
    rnd = random.Random(5)
    texts = [random_time(rnd) for _ in range(4000)]
    events = [f'{{"ph":"X","pid":1,"tid":{i},"ts":{t},"dur":0}}' for i, t in enumerate(texts, 2)]
    trace = f'{{"traceEvents":[{",".join(events)}]}}'.encode()
    with engine.load([trace], source="times", engine=engine_name) as tp:
        read = dict(
            engine.rows(
                tp,
                "SELECT tid, slice.ts FROM slice JOIN thread_track ON track_id = thread_track.id "
                "JOIN thread USING (utid)",
            )
        )
    assert len(read) == len(texts)
    foretold = [timestamps.perfetto_agrees(t.encode(), read[i]) for i, t in enumerate(texts, 2)]
    wrong = [(t, read[i]) for i, (t, f) in enumerate(zip(texts, foretold, strict=True), 2) if not f]
    assert not wrong
    exactly = sum(read[i] == exact(t.strip('"')) for i, t in enumerate(texts, 2))
    assert 0 < len(texts) - exactly < len(texts) / 10, "half nanoseconds must be among them"


@pytest.mark.parametrize("text", [b"10.9234567890123456789", b"1.00123456789012345678", b"0e400"])
def test_numbers_that_overflow_its_parser_are_never_agreed_on(text: bytes) -> None:
    """19 decimals can be too many, 20 are; zero times infinity is refused."""
    assert not timestamps.perfetto_agrees(text, timestamps.nanoseconds(text))
