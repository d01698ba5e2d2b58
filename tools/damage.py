"""Damage the text of small traces in every way of a grammar, and count what that costs.

    python -m tools.damage                              every damage of every place
    python -m tools.damage --count 300 --seed 7         300 of each place, drawn at random
    python -m tools.damage head --show 3                heads alone; the first three that fail

A damage puts a byte, or a few, into one place of a trace and takes up to nine bytes away there.
What lies outside of that place must survive: all events behind a damaged head; the other events,
and the members around them, of a damaged event. A trace that was cut short and says so may lose its
end.
Exit code 1 if anything else was lost.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.chrome import read
from tp_tools.chrome.reread import batch_texts
from tp_tools.errors import InputError
from tp_tools.files import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tp_tools.trace import Trace

PUTS = [b"", *(bytes([it]) for it in b'"\\{}[],:\0\xff'), b'",', b'"}', b"}]", b"],", b"]}"]
"""What a damage puts into the text."""
CUTS = (0, 1, 3, 9)
"""Numbers of bytes that a damage takes away behind it."""

SOUND = b'{"ph":"X","cat":"kernel","name":"%s","pid":0,"tid":7,"ts":%d,"dur":1,"args":{"n":[1]}}'
BEFORE, BEHIND = SOUND % (b"before", 1), SOUND % (b"behind", 5)
HEADS = [
    b'{"schemaVersion": 1, "distributedInfo": {"rank": 1, "pg": [{"a": "b"}]}, "traceEvents": [',
    b'{"deviceProperties":[{"id":0,"name":"H100"}],"host_name":"n","traceEvents":[',
    b'{\n  "cmd": "python -m x \\"y\\"",\n  "with_stack": 1,\n  "traceEvents": [\n  ',
    b'{"traceEvents":[',
]
EVENTS = [
    b'{"ph":"X","cat":"kernel","name":"k<a>","pid":0,"tid":7,"ts":3,"dur":1,"args":{"l":[1],"s":"t"}}',
    b"""{
    "ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 9, "tid": 9,
    "ts": 3.125, "dur": 1.500,
    "args": {
      "External id": 3, "Input Dims": [[2, 3], []], "Record function id": 0
    }
  }""",
    b'{"ph":"M","name":"thread_name","pid":9,"tid":9,"ts":0,"args":{"name":"thread 9 (python)"}}',
    b'{"ph":"f","id":5,"pid":0,"tid":7,"ts":3,"cat":"ac2g","name":"ac2g","bp":"e"}',
]
TAIL = b'],"traceName":"x","distributedInfo":{"rank":1,"l":[1]}}'
FORMS = [(HEADS[-1], TAIL), (b"[", b"]")]
"""Text before and behind the events, of an object and of an array."""


@dataclass(frozen=True)
class Damaged:
    """A trace with one damage.

    Attributes:
        text: the whole text.
        events: the events that must survive, byte for byte, in this order.
        tail: the text behind the events that must survive unless the trace is cut short.
    """

    text: bytes
    events: tuple[bytes, ...]
    tail: bytes


def damages(text: bytes) -> Iterator[bytes]:
    """Yield a text with each damage inside it; its first and last byte stay."""
    for at in range(1, len(text)):
        for put in PUTS:
            for cut in CUTS:
                if at + cut < len(text) and (put or cut):
                    yield text[:at] + put + text[at + cut :]


def heads() -> Iterator[Damaged]:
    """Yield traces whose text before the events is damaged."""
    events = (BEFORE, BEHIND)
    for head in HEADS:
        for hit in damages(head + b" "):
            yield Damaged(hit[:-1] + b",".join(events) + TAIL, events, b"")


def middles() -> Iterator[Damaged]:
    """Yield traces of which one event among others is damaged."""
    for event in EVENTS:
        for hit in damages(event):
            for head, tail in FORMS:
                text = head + b",".join((BEFORE, hit, BEHIND)) + tail
                yield Damaged(text, (BEFORE, BEHIND), tail)


def lasts() -> Iterator[Damaged]:
    """Yield traces whose last event is damaged."""
    for event in EVENTS:
        for hit in damages(event):
            for head, tail in FORMS:
                yield Damaged(head + BEFORE + b"," + hit + tail, (BEFORE,), tail)


def tails() -> Iterator[Damaged]:
    """Yield traces whose text behind the events is damaged."""
    events = (BEFORE, BEHIND)
    for hit in damages(TAIL):
        yield Damaged(HEADS[-1] + b",".join(events) + hit, events, b"")


PLACES: dict[str, Callable[[], Iterator[Damaged]]] = {
    "head": heads,
    "event": middles,
    "last": lasts,
    "tail": tails,
}


def lost(case: Damaged, path: Path) -> str:
    """Write a damaged trace to `path` and read it; return what was lost, "" for nothing."""
    path.write_bytes(case.text)
    source = Source(path, path.name)
    try:
        trace = read(source)
        text = b"".join(text for _, text in batch_texts(source, trace))
    except InputError as error:
        return f"refused: {error}"
    at = 0
    for event in case.events:
        found = text.find(event, at)
        if found < 0:
            return f"lost {event!r}"
        at = found + len(event)
    return _lost_behind(trace, case.tail)


def _lost_behind(trace: Trace, tail: bytes) -> str:
    """Tell what is missing of the text behind the events."""
    is_cut = trace.tail.cut_short or trace.tail.lost
    if not tail or is_cut or _members(trace.tail.text) == _members(tail):
        return ""
    return f"its end is {trace.tail.text!r}"


def _members(tail: bytes) -> object:
    """Return the members behind the events."""
    return json.loads(b"[" + tail if tail.strip() == b"]" else b'{"":[' + tail)


def measure(place: str, cases: Iterable[Damaged], path: Path) -> tuple[int, list[str]]:
    """Read traces; return their number, and a line for each that lost anything."""
    count, wrong = 0, []
    for case in cases:
        count += 1
        if what := lost(case, path):
            wrong.append(f"{place}: {what}\n    {case.text!r}")
    return count, wrong


def main() -> None:
    """Print a line for each place; exit code 1 if anything was lost."""
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m tools.damage",
        description=description,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("place", nargs="*", metavar="PLACE", help=f"of {', '.join(PLACES)}")
    parser.add_argument("--count", type=int, help="damages of each place to draw; default: all")
    parser.add_argument("--seed", type=int, default=1, help="decides which are drawn; default: 1")
    parser.add_argument("--show", type=int, default=5, help="failures to print; default: 5")
    given = parser.parse_args()
    if unknown := set(given.place) - set(PLACES):
        parser.error(f"no such place: {', '.join(sorted(unknown))}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for place in given.place or PLACES:
            cases = list(PLACES[place]())
            if given.count is not None and given.count < len(cases):
                cases = random.Random(given.seed).sample(cases, given.count)  # noqa: S311  no secret
            count, wrong = measure(place, cases, Path(folder) / "t.json")
            print(f"{place}: {count:,} damages, {len(wrong):,} cost more than they hit")
            print(*wrong[: given.show], sep="\n", end="\n" * bool(wrong[: given.show]))
            failed += len(wrong)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
