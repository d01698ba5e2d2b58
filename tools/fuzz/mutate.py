"""Mutate traces: fields of events, events, tokens, bytes, and the compression around them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tools.fuzz.corpus import Corpus, Event, Seed

VALUES = (
    *("0", "-0", "-1", "1", "7", "1.5", "0.0004", "1e3", "1E-2", "1e400", "-1e400", "1e308"),
    *("1e-400", "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("18446744073709551616", "-9223372036854775808", "123456789012345.6789", "2147483648"),
    *("1712195495505604.001", "4398046511104.125", "1" * 400, "0." + "3" * 300),
    *('"5"', '" 5"', '"0x1F"', '""', '"-1"', '"1e400"', "null", "true", "false", "{}", "[]"),
    *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "5.", "0x10", "'a'", "undefined"),
    *('"C:\\\\"', '"\\\\\\\\"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\x"', '"a"b"'),
    *('"</script><script>alert(1)</script>"', '"ProfilerStep#3"', '"é漢😀"', '"a\nb"', '"\t"'),
    *('"kernel"', '"user_annotation"', '"cpu_op"', '"ac2g"', '"python_function"', '"gpu_memcpy"'),
    *(
        '{"name":"x"}',
        '{"name":{}}',
        '{"local":"0x1"}',
        '{"correlation":1e400}',
        "[" * 60 + "]" * 60,
    ),
    *('{"a":' * 600 + "1" + "}" * 600, "[" * 1200 + "]" * 1200, '"' + "x" * 5000 + '"'),
    '{"External id":4,"correlation":7,"stream":7,"Collective name":"allreduce","Seq":3}',
)
"""Texts to put in place of values; some are no JSON."""

KEYS = (
    *("ts", "dur", "ph", "pid", "tid", "id", "id2", "bind_id", "name", "cat", "args", "bp"),
    *("flow_in", "flow_out", "tts", "tdur", "s", "sf", "cname", "scope", "", "\\u0074s", "ts\\\\"),
)
PHASES = (*(f'"{it}"' for it in "XBEbneistfMCPSTpFOND(){}vRc"), '"XX"', '""')
NUDGES = (-1001, -1000, -999, -1, 0, 1, 400, 999, 1000, 1001, 5_000, 86_400 * 10**9)
"""Nanoseconds by which times move."""

PIECES = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\\\", b"\0", b"\xff", b"\xef\xbb\xbf"),
    *(b"\n", b"\xc3\x28", b"\xed\xa0\x80", b"},{", b'"}', b"]}", b'"ts":', b"null", b" " * 3000),
    *(b"WARNING: log line\n", b"}\n{", b",,", b"/*c*/", b"\x1f\x8b", b"PK\x03\x04", b"-" * 40),
)


@dataclass(frozen=True)
class Style:
    """Spaces of a text: between events, behind commas, behind colons."""

    event: str
    comma: str
    colon: str


STYLES = (
    Style("\n", "", ""),
    Style("", " ", " "),
    Style("\n  ", "\n    ", ": "[1:]),
    Style("\r\n", "\t", " "),
)


def trace(random: Random, corpus: Corpus, window: int = 40) -> bytes:
    """Make a trace: at most `window` events of a seed, mutated."""
    return packed(random, damaged(random, text(random, random.choice(corpus.seeds), window)))


def ranks(random: Random, corpus: Corpus) -> list[bytes]:
    """Make the ranks of a job, of which some are mutated, missing or there twice."""
    made = []
    for seed in corpus.ranks[: random.randint(1, 4)]:
        window = len(seed.events) if random.random() < 0.3 else 120
        plain = random.random() < 0.6
        whole = text(random, seed, window, mutations=0 if plain else random.randint(1, 4))
        made.append(whole if plain or random.random() < 0.6 else damaged(random, whole))
    if random.random() < 0.1:
        made.append(random.choice(made))
    return [packed(random, it) for it in made]


def query(random: Random, corpus: Corpus) -> str:
    """Make a query with a mutated header."""
    lines = random.choice(corpus.queries).splitlines()
    for _ in range(random.randint(1, 6)):
        at = random.randrange(min(len(lines), 25))
        line = lines[at]
        cut = random.randint(0, len(line))
        piece = random.choice(PIECES).decode("latin-1")
        lines[at] = random.choice(
            [
                line[:cut],
                line[cut:],
                line[:cut] + piece + line[cut:],
                line * 2,
                "-- Set: x RANGE",
                "",
            ]
        )
    return "\n".join(lines)


def text(random: Random, seed: Seed, window: int = 40, mutations: int | None = None) -> bytes:
    """Write some events of a seed as JSON, after mutations of their fields.

    Args:
        random: chooses.
        seed: the trace.
        window: number of consecutive events at most.
        mutations: how many; None for 0 to 8.
    """
    start = random.randrange(max(1, len(seed.events) - window))
    events = [list(event) for event in seed.events[start : start + random.randint(1, window)]]
    around = list(seed.around)
    for _ in range(random.randint(0, 8) if mutations is None else mutations):
        random.choice(_MUTATIONS)(random, events)
    if random.random() < 0.1:
        _value(random, [around])
    style = random.choice(STYLES)
    written = f",{style.event}".join(_object(it, style) for it in events)
    array = f"[{style.event}{written}{style.event}]"
    if random.random() < 0.15:
        return array.encode("utf-8", "surrogatepass")
    at = random.randint(0, len(around))
    return _object([*around[:at], ("traceEvents", array), *around[at:]], style).encode(
        "utf-8", "surrogatepass"
    )


def _object(members: Event, style: Style) -> str:
    inner = f",{style.comma}".join(f'"{key}":{style.colon}{value}' for key, value in members)
    return "{" + inner + "}"


def _value(random: Random, events: list[Event]) -> None:
    """Replace a value."""
    event = random.choice(events)
    if event:
        at = random.randrange(len(event))
        key = event[at][0]
        event[at] = key, random.choice(PHASES if key == "ph" and random.random() < 0.7 else VALUES)


def _key(random: Random, events: list[Event]) -> None:
    """Add a member, whose key may be there already."""
    event = random.choice(events)
    event.insert(random.randint(0, len(event)), (random.choice(KEYS), random.choice(VALUES)))


def _drop(random: Random, events: list[Event]) -> None:
    """Remove a member."""
    event = random.choice(events)
    if event:
        del event[random.randrange(len(event))]


def _nudge(random: Random, events: list[Event]) -> None:
    """Move a start or an end to one of another event, or near it."""
    event, other = random.choice(events), dict(random.choice(events))
    for at, (key, value) in enumerate(event):
        if key in {"ts", "dur"} and random.random() < 0.7:
            try:
                ns = round(float(other.get(key, value)) * 1000) + random.choice(NUDGES)
            except (ValueError, OverflowError):
                continue
            event[at] = key, f"{ns // 1000}.{ns % 1000:03}"


def _copy(random: Random, events: list[Event]) -> None:
    """Repeat an event, on another row perhaps."""
    event = list(random.choice(events))
    events.insert(random.randint(0, len(events)), event)
    if random.random() < 0.5:
        _value(random, [event])


def _swap(random: Random, events: list[Event]) -> None:
    """Give an event the value that another has of a key."""
    event, other = random.choice(events), dict(random.choice(events))
    for at, (key, _) in enumerate(event):
        if key in other and random.random() < 0.3:
            event[at] = key, other[key]


def _shuffle(random: Random, events: list[Event]) -> None:
    """Put events in another order."""
    random.shuffle(events)


def _rename(random: Random, events: list[Event]) -> None:
    """Put one value everywhere in place of another: of a pid, a tid, an id."""
    key = random.choice(("pid", "tid", "id", "cat", "name"))
    value = random.choice(VALUES)
    for event in events:
        event[:] = [
            (it, value if it == key and random.random() < 0.8 else was) for it, was in event
        ]


_MUTATIONS: tuple[Callable[[Random, list[Event]], None], ...] = (
    *(_value, _value, _key, _drop, _nudge, _nudge, _copy, _swap, _shuffle, _rename),
)


def damaged(random: Random, whole: bytes) -> bytes:
    """Cut, repeat, insert or change bytes; two texts in three stay whole."""
    if random.random() < 0.66:
        return whole
    for _ in range(random.choice((1, 1, 2, 5))):
        start = random.randint(0, len(whole))
        stop = min(len(whole), start + random.choice((0, 1, 1, 3, 20, 200)))
        piece = random.choice(
            [
                b"",
                random.choice(PIECES),
                whole[start:stop] * 2,
                bytes([random.randrange(256)]),
                random.choice(VALUES).encode(),
            ]
        )
        whole = whole[:start] + piece + whole[stop:]
        if random.random() < 0.25:
            whole = whole[: random.randint(0, len(whole))]
    return whole


def packed(random: Random, whole: bytes) -> bytes:
    """Compress a text, whole or in members, which may be damaged; most stay plain."""
    kind = random.random()
    if kind < 0.8:
        return whole
    cut = random.randint(0, len(whole))
    parts = [whole[:cut], whole[cut:]] if kind < 0.85 else [whole]
    if kind < 0.93:
        result = b"".join(gzip.compress(part, 1, mtime=0) for part in parts)
    else:
        result = b"".join(zstandard.compress(part, 1) for part in parts)
    return damaged(random, result) if random.random() < 0.3 else result


def plain_json(data: bytes) -> object:
    """Decode a text as strict JSON; None where it is none, or says something twice."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    try:
        return json.loads(data, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        return None
