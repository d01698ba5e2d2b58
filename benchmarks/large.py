"""Make a large trace out of a recorded one: its events over and over, each time later.

    python -m benchmarks.large TRACE.json.gz OUT.json.gz 1000

The last argument is the size of the JSON text in MB (1e6). Every repetition is moved on by the span
of the recording and a millisecond, and its correlations, External ids and flow ids are new, so that
the structure stays that of the real trace. Metadata events and the header appear once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from isal import igzip, igzip_threaded

if TYPE_CHECKING:
    from collections.abc import Iterator

GAP_US = 1000
_FIELD = re.compile(rb'("(?:ts|correlation|External id|id)"\s*:\s*)(\d+)(\.\d+)?(?=\s*[,}])')


class Repetition:
    """The events of a trace as one text with gaps for times and ids.

    Attributes:
        template: bytes with a %d for each gap.
        values: the recorded numbers for the gaps.
        steps: what each grows by from one repetition to the next.
    """

    def __init__(self, events: list[bytes]) -> None:
        found = [(int(m[2]), b'"ts"' in m[1]) for e in events for m in _FIELD.finditer(e)]
        times = [number for number, is_time in found if is_time]
        ids = [number for number, is_time in found if not is_time]
        span, width = max(times) - min(times) + GAP_US, max(ids, default=0) + 1
        self.template = b",\n".join(
            _FIELD.sub(rb"\g<1>%d\g<3>", event.replace(b"%", b"%%")) for event in events
        )
        self.values = [number for number, _ in found]
        self.steps = [span if is_time else width for _, is_time in found]

    def text(self, number: int) -> bytes:
        """Return the text of the events of one repetition, from 0."""
        pairs = zip(self.values, self.steps, strict=True)
        return self.template % tuple(value + number * step for value, step in pairs)


def blocks(trace: bytes, size: int) -> Iterator[bytes]:
    """Yield the text of the large trace, `size` bytes or a little more."""
    whole: dict[str, Any] = msgspec.json.decode(trace, type=dict[str, msgspec.Raw])
    raws = msgspec.json.decode(whole.pop("traceEvents"), type=list[msgspec.Raw])
    events = [bytes(raw) for raw in raws]
    metadata = [e for e in events if re.search(rb'"ph"\s*:\s*"M"', e)]
    repetition = Repetition([e for e in events if not re.search(rb'"ph"\s*:\s*"M"', e)])
    yield msgspec.json.encode(whole)[:-1] + b',"traceEvents":[\n' + b",\n".join(metadata)
    made, number, separator = 0, 0, b",\n" if metadata else b""
    while made < size:
        text = repetition.text(number)
        yield separator + text
        made, number, separator = made + len(text), number + 1, b",\n"
    yield b"\n]}\n"


def main(source: str, target: str, megabytes: str) -> None:
    """Write the large trace."""
    trace = igzip.decompress(Path(source).read_bytes())
    with igzip_threaded.open(target, "wb", compresslevel=1, threads=1) as out:
        for block in blocks(trace, int(megabytes) * 1_000_000):
            out.write(block)


if __name__ == "__main__":
    main(*sys.argv[1:])
