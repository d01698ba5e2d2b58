"""Read the fixtures as seeds: events as lists of members, whose keys and values are JSON text."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[2] / "fixtures"
SQL = Path(__file__).parents[2] / "sql"

Event = list[tuple[str, str]]
"""Members of an event: a list, so that a key can stand there twice."""

MORE = """
{"ph":"B","cat":"cpu_op","name":"b","pid":1,"tid":1,"ts":1}
{"ph":"E","pid":1,"tid":1,"ts":9.5}
{"ph":"b","cat":"async","name":"a","id":"0x1","pid":1,"tid":1,"ts":2}
{"ph":"n","cat":"async","name":"a","id2":{"local":"0x1"},"pid":1,"tid":1,"ts":3}
{"ph":"e","cat":"async","name":"a","id":"0x1","pid":1,"tid":1,"ts":4}
{"ph":"i","s":"g","name":"i","pid":1,"tid":1,"ts":5}
{"ph":"C","name":"memory","pid":1,"ts":6,"args":{"Bytes":7,"Total":8.5}}
{"ph":"s","cat":"ac2g","name":"ac2g","id":7,"pid":1,"tid":1,"ts":10}
{"ph":"t","cat":"ac2g","name":"ac2g","id":7,"pid":1,"tid":1,"ts":11}
{"ph":"f","bp":"e","cat":"ac2g","name":"ac2g","id":7,"pid":0,"tid":7,"ts":30}
{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":1,"tid":1,"ts":10,"dur":5,"args":{"correlation":7}}
{"ph":"X","cat":"kernel","name":"k<int>(a*)","pid":0,"tid":7,"ts":30,"dur":25,"args":{"correlation":7,"stream":7}}
{"ph":"X","cat":"kernel","name":"late","pid":0,"tid":7,"ts":50,"dur":25,"args":{"correlation":8,"stream":7}}
{"ph":"X","cat":"user_annotation","name":"ProfilerStep#1","pid":1,"tid":1,"ts":0,"dur":12}
{"ph":"X","cat":"cpu_op","name":"flow","pid":"main","tid":"worker","ts":3,"dur":1,"bind_id":"0x9","flow_out":true}
{"ph":"M","name":"process_name","pid":0,"args":{"name":"python"}}
{"ph":"M","name":"process_labels","pid":0,"args":{"labels":"GPU 0"}}
{"ph":"M","name":"thread_name","pid":0,"tid":7,"args":{"name":"stream 7"}}
{"ph":"M","name":"thread_sort_index","pid":0,"tid":7,"args":{"sort_index":-5}}
"""
"""Events of kinds that the fixtures lack."""


@dataclass(frozen=True)
class Seed:
    """A trace to mutate.

    Attributes:
        events: its events.
        around: members of the object around them.
    """

    events: list[Event]
    around: Event


@dataclass(frozen=True)
class Corpus:
    """All that mutations start from.

    Attributes:
        seeds: traces.
        ranks: the ranks of a job.
        queries: texts of the queries of the library.
    """

    seeds: list[Seed]
    ranks: list[Seed]
    queries: list[str]


def corpus() -> Corpus:
    """Read the fixtures and the library."""
    seeds = [_seed(path) for path in sorted(FIXTURES.glob("*.json.gz"))]
    more = [_members(json.loads(line)) for line in MORE.strip().splitlines()]
    ranks = [_seed(path) for path in sorted((FIXTURES / "gloo4").glob("*.json.gz"))]
    queries = [path.read_text("utf-8") for path in sorted(SQL.glob("*.sql"))]
    return Corpus([*seeds, Seed(more, [("schemaVersion", "1")])], ranks, queries)


def _seed(path: Path) -> Seed:
    trace = json.loads(gzip.decompress(path.read_bytes()), parse_float=_Raw)
    events = [_members(event) for event in trace.pop("traceEvents")]
    return Seed(events, _members(trace))


class _Raw(float):
    """A number that keeps its text: "1.500"."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _members(values: dict[str, Any]) -> Event:
    return [
        (key, repr(value) if isinstance(value, _Raw) else json.dumps(value))
        for key, value in values.items()
    ]
