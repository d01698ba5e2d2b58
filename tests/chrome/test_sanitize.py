"""Text that Perfetto refuses or misreads, mended as it streams past."""

import json
import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.chrome import sanitize_numbers
from tp_tools.chrome.sanitize import encoded, sanitized

INF = float("inf")


def mend(text: bytes, *, thorough: bool = False) -> tuple[bytes, Counter[str]]:
    """The mended text, and what was counted."""
    repairs = Counter[str]()
    return b"".join(sanitized([text], repairs, thorough=thorough)), repairs


def cut(text: bytes, places: list[int]) -> list[bytes]:
    """The text as blocks, cut at places that are taken modulo its length."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


# -- known answers -------------------------------------------------------------------------------

MENDED = [
    pytest.param(b'\xef\xbb\xbf{"a":1}', b'{"a":1}', {"byte_order_marks": 1}, id="bom"),
    pytest.param(b"\xef\xbb\xbf[1]", b"[1]", {"byte_order_marks": 1}, id="bom of an array"),
    pytest.param(
        b'{"a":NaN, "b" : -Infinity,"c":[Infinity,NaN]}',
        b'{"a":"NaN", "b" : "-Infinity","c":["Infinity","NaN"]}',
        {"not_a_number": 4},
        id="not a number",
    ),
    pytest.param(
        b'{"a":\n     NaN}', b'{"a":\n     "NaN"}', {"not_a_number": 1}, id="indented NaN"
    ),
    pytest.param(b"[NaN]", b'["NaN"]', {"not_a_number": 1}, id="only NaN"),
    pytest.param(
        b"[9223372036854775808,-9223372036854775809,18446744073709551615]",
        b'["9223372036854775808","-9223372036854775809","18446744073709551615"]',
        {"large_integers": 3},
        id="over 63 bits",
    ),
    pytest.param(
        b'{"id":9223372036854775813,"bind_id" :\n 18446744073709551615,"i":[9223372036854775813],'
        b'"x":"\\"id\\":9223372036854775813","id":7,"id":-9223372036854775813}',
        b'{"id":"0x8000000000000005","bind_id" :\n "0xffffffffffffffff",'
        b'"i":["9223372036854775813"],"x":"\\"id\\":9223372036854775813","id":7,"id":"-9223372036854775813"}',
        {"large_integers": 4},
        id="ids over 63 bits",
    ),
    pytest.param(
        b"[0.00012345678901234567,1.9234567890123456789,-12345678901234567890.25e-3,"
        b"9223372036854775808E-3]",
        b"[1.2345678901234567e-4,1.923456789012345678,-1.23456789012345678e16,"
        b"9.22337203685477580e15]",
        {"long_decimals": 4},
        id="over 18 decimals",
    ),
    pytest.param(b'"\\u00e9\\u65e5"', '"é日"'.encode(), {"escapes": 2}, id="escapes"),
    pytest.param(b'"\\uD83D\\ude00"', '"😀"'.encode(), {"escapes": 1}, id="pair"),
    pytest.param(
        b'"\\ud83d \\ude00"',
        '"\ufffd \ufffd"'.encode(),
        {"lone_surrogates": 2},
        id="lone surrogates",
    ),
    pytest.param(
        b'"\\ude00\\ud83d"', '"\ufffd\ufffd"'.encode(), {"lone_surrogates": 2}, id="swapped pair"
    ),
    pytest.param(
        b'{"C:\\\\":"\\\\\\\\","k":"a\\\\"}',
        b'{"C:\\u005c":"\\\\\\u005c","k":"a\\u005c"}',
        {"trailing_backslashes": 3},
        id="strings that end in a backslash",
    ),
    pytest.param(
        b'"C:\\Users\\u12\\,\\x"',
        b'"C:\\\\Users\\\\u12\\\\,\\\\x"',
        {"unknown_escapes": 4},
        id="a Windows path",
    ),
    pytest.param(
        b'"a\xffb\xe2\x82,\xc3"',
        '"a\ufffdb\ufffd,\ufffd"'.encode(),
        {"invalid_utf8": 3},
        id="invalid utf-8",
    ),
    pytest.param(b'{"a":1}\0\0\0', b'{"a":1}', {"zero_bytes": 1}, id="zero bytes"),
    pytest.param(
        b' {\n "meta" : {},"traceEvents":[]}',
        b' {"tpt_first": "or Perfetto takes this file for another format",'
        b'\n "meta" : {},"traceEvents":[]}',
        {"first_keys": 1},
        id="a first key that means Firefox",
    ),
]

UNTOUCHED = [
    b'"NaN, Infinity: NaN, [NaN] 99999999999999999999, 0.12345678901234567890"',
    b'{"a, NaN": "x: NaN", "b": ",Infinity"}',
    b"[9223372036854775807,-9223372036854775808, 1e-12345678901234567890, 1.5E+19]",
    b'["9223372036854775808"]',
    b"[0.123456789012345678, 0.0043859649122807015, 9223372036854775807.5e3]",
    b'"a\\"b\\\\c\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u0022\\u005c"',
    b'"\\\\u00e9 \\\\ud83d"',
    '"é日😀\ufffd\u2028"'.encode(),
    b'{"a":"meta","libs":1}',
    b'[{"meta":1}]',
    b'{"metadata":1}',
    b'{"a":[1,,2,]}',
    b"",
    b'"\\u12',  # what a cut file ends with
    b'"\\',
    b'"\xe6\x97',
]


@pytest.mark.parametrize(("text", "wanted", "counts"), MENDED)
def test_what_perfetto_refuses_or_misreads_is_mended(
    text: bytes, wanted: bytes, counts: dict[str, int]
) -> None:
    """Each kind is put right and counted under its name."""
    assert mend(text) == (wanted, counts)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_all_else_passes_byte_for_byte(text: bytes) -> None:
    """Strings that look like trouble, and numbers that just fit, are not touched or counted."""
    assert mend(text) == (text, {})


@pytest.mark.parametrize(("text", "wanted", "counts"), MENDED)
def test_trouble_cut_in_two_is_mended_all_the_same(
    text: bytes, wanted: bytes, counts: dict[str, int]
) -> None:
    """A block may end inside a mark, a word, a number, an escape or a character."""
    for at in range(len(text) + 1):
        repairs = Counter[str]()
        assert b"".join(sanitized([text[:at], text[at:]], repairs)) == wanted
        assert repairs == counts


THOROUGH = [
    pytest.param(
        b'{"x":nan,"y":[-inf,+Inf,-nan(ind),NAN],"s":"nan, inf: nan"}',
        b'{"x":"nan","y":["-inf","+Inf","-nan(ind)","NAN"],"s":"nan, inf: nan"}',
        {"not_a_number": 5},
        id="as C prints them",
    ),
    pytest.param(
        b'[{"name":"a\tb\nc\x00\x1f","b\x08":",\n,"}]',
        b'[{"name":"a\\tb\\nc\\u0000\\u001f","b\\b":",\\n,"}]',
        {"control_characters": 6},
        id="control characters",
    ),
    pytest.param(
        b'[{"a":[1,,2,],},\n,{"b":",,]"} , ]',
        b'[{"a":[1,2]}\n,{"b":",,]"}  ]',
        {"stray_commas": 5},
        id="stray commas",
    ),
    pytest.param(
        b'{"x":[null],"traceEvents":[null,{"a":null,"b":[null]},null],"y":[null]}',
        b'{"x":[null],"traceEvents":[{},{"a":null,"b":[null]},{}],"y":[null]}',
        {},
        id="null as an event",
    ),
    pytest.param(b"[null]", b"[{}]", {}, id="null in a bare array"),
    pytest.param(
        b'[{"ts":null,"dur": NaN,"tts":"","tdur":"Infinity","args":{"dur":null,"ts":nan}}]',
        b'[{"tpt_ts":null,"tpt_dur": "NaN","tpt_tts":"","tpt_tdur":"Infinity",'
        b'"args":{"dur":null,"ts":"nan"}}]',
        {"void_times": 4, "not_a_number": 2},
        id="void times",
    ),
    pytest.param(
        b'{"ts":1.23456,"traceEvents":[{"ts":1.2345,"dur":"0.0005","tts":25e-4,"tdur":1.234,'
        b'"args":{"dur":1.23456}}]}',
        b'{"ts":1.23456,"traceEvents":[{"ts":1.235,"dur":"0.001","tts":0.003,"tdur":1.234,'
        b'"args":{"dur":1.23456}}]}',
        {"fine_times": 3},
        id="finer than a nanosecond",
    ),
    pytest.param(
        b'{"name":1,"traceEvents":[{"name":5,"cat":true,"ph":1.5,'
        b'"args":{"name":-7,"x":{"name":8}}}]}',
        b'{"name":1,"traceEvents":[{"name": "5","cat": "true","ph": "1.5",'
        b'"args":{"name": "-7","x":{"name":8}}}]}',
        {"bare_texts": 4},
        id="numbers as text",
    ),
    pytest.param(
        b'[{"ts":+3,"dur":03,"id":0x10,"args":{"a":3.,"b":[.5,-.5e2 , -007.5],"c":"+3, 03"}},'
        b'{"ts":0.5,"dur":0,"id":1e5,"args":{"a":-0.5,"b":[100.25]}}]',
        b'[{"ts":3,"dur":3,"id":16,"args":{"a":3,"b":[0.5,-0.5e2 , -7.5],"c":"+3, 03"}},'
        b'{"ts":0.5,"dur":0,"id":1e5,"args":{"a":-0.5,"b":[100.25]}}]',
        {"numbers_not_json": 7},
        id="numbers as C and Python write them",
    ),
    pytest.param(
        b'[{"a":1e,"b":[--3,1.2.3,1_000,3us,0x]}]',
        b'[{"a":1e,"b":[--3,1.2.3,1_000,3us,0x]}]',
        {},
        id="what is no number",
    ),
    *MENDED,
]


@pytest.mark.parametrize(("text", "wanted", "counts"), THOROUGH)
def test_what_is_no_json_is_mended_thoroughly(
    text: bytes, wanted: bytes, counts: dict[str, int]
) -> None:
    """Each kind is put right, whichever way the blocks are cut, and only where it stands."""
    for at in range(len(text) + 1):
        repairs = Counter[str]()
        assert b"".join(sanitized([text[:at], text[at:]], repairs, thorough=True)) == wanted
        assert repairs == counts


# -- random texts --------------------------------------------------------------------------------

awkward_text = st.one_of(
    st.text(max_size=8),
    st.lists(
        st.sampled_from(
            [
                *("},{", '"', "\\", "\\\\", ",", ", ", ":", "]", "\t", "\n", "\0", "\x7f"),
                *("NaN", "Infinity", "null", '"traceEvents":[', "u00e9", "é", "😀", "\ud83d"),
                *("9" * 20, "0." + "1" * 20),
            ]
        ),
        max_size=5,
    ).map("".join),
)
numbers = st.one_of(
    st.integers(-(1 << 70), 1 << 70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(1e-6, 1e-3),
    st.sampled_from([float("nan"), INF, -INF, (1 << 63) - 1, 1 << 63, -(1 << 63), -(1 << 63) - 1]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, awkward_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(awkward_text, inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[object, bytes]:
    """A value, and JSON of it in any style."""
    value = draw(values)
    item, key = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n\t", " : ")]))
    text = json.dumps(
        value,
        indent=draw(st.sampled_from([None, None, 0, 3])),
        separators=(item, key),
        ensure_ascii=draw(st.booleans()),
    )
    return value, text.encode("utf-8", "surrogatepass")


def as_mended(value: object) -> object:
    """The value after mending: the same, but for numbers and text that JSON or Perfetto lack."""
    if isinstance(value, str):
        # each half of a surrogate that stands alone, as UTF-8 or as an escape
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float) and not abs(value) < INF:
        return {INF: "Infinity", -INF: "-Infinity"}.get(value, "NaN")
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, list):
        return [as_mended(item) for item in value]
    if isinstance(value, dict):
        return {as_mended(key): as_mended(item) for key, item in value.items()}
    return value


def as_compared(value: object) -> object:
    """One U+FFFD for several: an invalid surrogate in UTF-8 is three invalid sequences."""
    if isinstance(value, str):
        return re.sub("\ufffd+", "\ufffd", value)
    if isinstance(value, list):
        return [as_compared(item) for item in value]
    if isinstance(value, dict):
        return {as_compared(key): as_compared(item) for key, item in value.items()}
    return value


@PURE
@given(texts(), st.lists(st.integers(0, 1 << 20), max_size=6), st.booleans())
@example(({"a": [1.5, "\\"]}, b'{"a": [1.5, "\\\\"]}'), [9], False)
def test_any_json_is_mended_to_the_same_values(
    pair: tuple[object, bytes], places: list[int], thorough: bool
) -> None:
    """However it is written and cut: NaN and large integers as text, all other values the same."""
    value, text = pair
    repairs = Counter[str]()
    out = b"".join(sanitized(cut(text, places), repairs, thorough=thorough))
    whole, whole_repairs = mend(text, thorough=thorough)
    assert out == whole
    assert repairs == whole_repairs
    if not (thorough and isinstance(value, list)):  # else null is taken for an event
        assert as_compared(json.loads(out)) == as_compared(as_mended(value))
    assert bool(repairs) == (out != text) or thorough


@PURE
@given(texts(), st.booleans())
def test_mending_twice_changes_nothing(pair: tuple[object, bytes], thorough: bool) -> None:
    """Mended text is left as it is by both ways of mending."""
    once, _ = mend(pair[1], thorough=thorough)
    assert mend(once) == (once, {})
    assert mend(once, thorough=True)[0] == once or not thorough


@PURE
@given(st.binary(max_size=60), st.lists(st.integers(0, 100), max_size=4), st.booleans())
@example(b'"\\u1,"\\ud83d\\u12,\xe6,\\', [3], False)
def test_any_bytes_are_mended_alike_however_they_are_cut(
    text: bytes, places: list[int], thorough: bool
) -> None:
    """No blocking of no bytes makes a difference, so that a second pass finds the same text."""
    repairs = Counter[str]()
    out = b"".join(sanitized(cut(text, places), repairs, thorough=thorough))
    assert (out, repairs) == mend(text, thorough=thorough)
    assert thorough or bool(repairs) == (out != text)


def test_a_long_text_without_a_comma_is_joined_once() -> None:
    """Blocks are not joined again and again while there is no place to cut."""
    blocks = [b'["' + b"x" * 1000] + [b"x" * 1000] * 20_000 + [b'"]']
    assert sum(map(len, sanitized(blocks, Counter()))) == 1000 * 20_001 + 4


@given(
    st.lists(st.text("0123456789", max_size=30) | st.text(".,:a ", max_size=12), max_size=12).map(
        "".join
    )
)
@example("1" * 18)
@example("1" * 19)
@example("." * 5 + "1" * 19)
@example("1" * 14 + "." + "1" * 18)
def test_19_digits_in_a_row_are_found_and_no_fewer(text: str) -> None:
    """Wherever they stand, the look at every sixth byte stops at them."""
    assert sanitize_numbers.holds_long(text.encode()) == bool(re.search(r"[0-9]{19}", text))


def test_the_times_of_a_trace_are_not_taken_for_long_numbers() -> None:
    """Ordinary times of 13 digits cost no second look, wherever they stand."""
    for lead in range(12):
        assert not sanitize_numbers.holds_long(
            b" " * lead + b'{"ts": 5512345678901.123, "dur": 1.5}'
        )


@PURE
@given(st.text())
@example("C:\\")
@example("a\x7fb")
def test_what_the_tool_writes_needs_no_mending(name: str) -> None:
    """It is JSON for the same text, in the form that Perfetto reads right."""
    text = encoded({"name": name})
    assert json.loads(text) == {"name": name}
    assert mend(text, thorough=True) == (text, {})


LONG = "1" * 40
"""More digits than 63 bits hold, which the exponent of a number may have, too."""


@pytest.mark.parametrize(
    "number",
    [
        *(
            "1e400",
            "-1e400",
            "1E+309",
            "0e400",
            "1.0e309",
            "100e307",
            "1e000400",
            "1E+0000000000309",
        ),
        *(f"1e{LONG}", f"0.5E-{LONG}", f"-{LONG}E-{LONG}", f"0.{'0' * 30}1e-9999999999999999999"),
    ],
)
@pytest.mark.parametrize(
    "member", ['"bind_id":%s', '"other":%s', '"args":{"ts":%s}', '"a":{"b":{"name":[%s, 1]}}']
)
def test_numbers_that_no_double_holds_become_text(number: str, member: str) -> None:
    """Perfetto refuses the file for a number that is too large for a double, wherever it stands."""
    event = '[{"ph":"X","ts":1,"dur":2,%s}]'
    text = (event % (member % number)).encode()
    wanted = (event % (member % f'"{number}"')).encode()
    assert mend(text, thorough=True) == (wanted, {"huge_numbers": 1})
    assert mend(wanted, thorough=True) == (wanted, {})


@pytest.mark.parametrize(
    "number",
    [
        "1e308",
        "1e-400",
        "1.7976931348623157e308",
        "12e30",
        f"1e{'0' * 30}5",
        "1e-999999999999999999",
    ],
)
def test_numbers_that_a_double_holds_stay(number: str) -> None:
    """Numbers with an exponent that Perfetto reads stay as they are."""
    text = f'[{{"ph":"X","ts":1,"dur":2,"other":{number}}}]'.encode()
    assert mend(text, thorough=True) == (text, {})
