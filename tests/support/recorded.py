"""Real traces, read without TraceProcessor, and what can be said about them in plain Python."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tests.support.gpu_traces import Row, answer
from tests.support.handmade import overlap_options
from tp_tools.engine import load
from tp_tools.files.source import Source
from tp_tools.repair import analysis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tp_tools.engine.processor import Processor

GPU = {"kernel", "gpu_memcpy", "gpu_memset"}
CALLS = {"cuda_runtime", "cuda_driver"}
Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class Slice:
    """A complete event; times in ns, exact."""

    cat: str
    name: str
    row: tuple[object, object]
    ts: int
    end: int
    args: dict[str, Any]

    @property
    def dur(self) -> int:
        """How long it took."""
        return self.end - self.ts

    def is_collective(self) -> bool:
        """Whether a collective of these traces has the name; other tests have the full list."""
        named = self.name.startswith("nccl") or "all_reduce" in self.name
        return self.cat == "kernel" and ("Collective name" in self.args or named)

    def is_copy(self) -> bool:
        """A memset too."""
        return self.cat != "kernel"


@lru_cache(maxsize=2)
def slices(path: Path) -> list[Slice]:
    """All complete events of a recorded trace; who shares them changes none."""
    with gzip.open(path) as file:
        # floats stay text: a double would round nanoseconds
        trace = json.load(file, parse_float=str)
    return list(_slices(trace["traceEvents"]))


def _slices(events: list[dict[str, Any]]) -> Iterator[Slice]:
    for event in events:
        if event["ph"] == "X" and "dur" in event:
            ts, dur = _ns(event["ts"]), _ns(event["dur"])
            row = (event["pid"], event["tid"])
            args = event.get("args", {})
            yield Slice(event.get("cat", ""), event["name"], row, ts, ts + dur, args)


def _ns(micros: str | int) -> int:
    return micros * 1000 if isinstance(micros, int) else int(Decimal(micros) * 1000)


@lru_cache(maxsize=2)
def repaired(path: Path) -> bytes:
    """The trace as `tp-tools fix` writes it."""
    source = Source(path, path.name)
    return b"".join(analysis.rewrite(source, analysis.analyze(source, overlap_options())))


class LoadedRecording:
    """Keeps the recorded trace that was asked for last, repaired, in a TraceProcessor.

    It keeps the rows of queries of all traces, which the tests of several modules share.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._tp: Processor | None = None
        self._rows: dict[tuple[Path, str], list[Row]] = {}

    def __call__(self, path: Path) -> Processor:
        """A TraceProcessor that holds the repaired trace until another one is asked for."""
        if self._tp is None or self._path != path:
            self.close()
            data = repaired(path)
            self._tp = load([data], source=path.name)
            self._path = path
        return self._tp

    def rows(self, path: Path, query: str) -> list[Row]:
        """The rows of a query of the library on a repaired trace; who shares them changes none."""
        if (path, query) not in self._rows:
            self._rows[path, query] = answer(query, self(path))
        return self._rows[path, query]

    def close(self) -> None:
        """Free the memory of the TraceProcessor."""
        if self._tp is not None:
            self._tp.close()
            self._tp = None


def spans(items: Iterable[Slice]) -> Spans:
    """Start and end of each."""
    return [(it.ts, it.end) for it in items]


def union(parts: Spans) -> int:
    """For how many ns at least one of them runs."""
    total, until = 0, -(1 << 62)
    for ts, end in sorted(parts):
        total += max(0, end - max(ts, until))
        until = max(until, end)
    return total
