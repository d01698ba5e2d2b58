"""A trace written in another way, at another time or with other ids gets the same repair."""

from __future__ import annotations

import gzip
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard

from fixtures.make import HERE
from tp_tools.files.source import Source
from tp_tools.repair import analysis
from tp_tools.repair.overlaps import OverlapOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Json = dict[str, Any]
    Repairs = dict[tuple[object, ...], tuple[int, int]]

SHIFT_US = 123_456
DECODER = msgspec.json.Decoder(float_hook=Decimal)
ENCODER = msgspec.json.Encoder(decimal_format="number")
"""Both keep the digits of times."""

NAMES = ("pdl_decode.json.gz", "jitter_stack.json.gz", "epoch_decimals.json.gz")


@pytest.fixture(params=NAMES)
def whole(request: pytest.FixtureRequest) -> Json:
    """Return a trace that needs repair."""
    found: Json = DECODER.decode(gzip.decompress((HERE / request.param).read_bytes()))
    return found


def repairs(data: bytes, folder: Path, name: str = "trace.json") -> Repairs:
    """Return lane, and ns from start to end, by name, start in ns, pid and tid of the slice."""
    path = folder / name
    path.write_bytes(data)
    found = analysis.analyze(Source(path, name), OverlapOptions())
    trace = found.trace
    return {
        (
            trace.names[trace.name[it.event]],
            int(trace.ts[it.event]),
            *trace.tracks[trace.track[it.event]],
        ): (
            it.lane,
            it.end - int(trace.ts[it.event]),
        )
        for it in found.repairs
    }


def members(data: bytes) -> bytes:
    """Compress a text in gzip members that end anywhere."""
    return b"".join(gzip.compress(data[at : at + 1000]) for at in range(0, len(data), 1000))


def frames(data: bytes) -> bytes:
    """Compress a text in zstd frames that end anywhere."""
    return b"".join(zstandard.compress(data[at : at + 1000]) for at in range(0, len(data), 1000))


def shuffled(trace: Json) -> bytes:
    """Put the events in another order."""
    events = list(trace["traceEvents"])
    random.Random(1).shuffle(events)
    return ENCODER.encode({**trace, "traceEvents": events})


def head_last(trace: Json) -> bytes:
    """Put the members around the events behind them."""
    return ENCODER.encode({"traceEvents": trace["traceEvents"], **trace})


WRITTEN: dict[str, Callable[[Json], bytes]] = {
    "shuffled": shuffled,
    "indented": lambda it: msgspec.json.format(ENCODER.encode(it), indent=4),
    "an array": lambda it: ENCODER.encode(it["traceEvents"]),
    "head behind the events": head_last,
    "gzip": lambda it: gzip.compress(ENCODER.encode(it)),
    "gzip in members": lambda it: members(ENCODER.encode(it)),
    "zstd in frames": lambda it: frames(ENCODER.encode(it)),
    "byte order mark": lambda it: b"\xef\xbb\xbf" + ENCODER.encode(it),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_written_in_another_way(way: str, whole: Json, tmp_path: Path) -> None:
    """Neither the order of the text nor what it is packed in changes a repair."""
    assert repairs(WRITTEN[way](whole), tmp_path) == repairs(ENCODER.encode(whole), tmp_path)


def test_at_another_time(whole: Json, tmp_path: Path) -> None:
    """All times later by 123,456 us: the same repairs, that much later."""
    before = repairs(ENCODER.encode(whole), tmp_path)
    for event in whole["traceEvents"]:
        if "ts" in event:
            event["ts"] += SHIFT_US
    after = repairs(ENCODER.encode(whole), tmp_path)
    assert after == {
        (name, ts + SHIFT_US * 1000, *row): it for (name, ts, *row), it in before.items()
    }


def test_with_other_process_ids(whole: Json, tmp_path: Path) -> None:
    """Every pid another number: the same repairs, on the rows of these."""
    before = repairs(ENCODER.encode(whole), tmp_path)
    pids = {pid: 50_000 + i for i, pid in enumerate({it["pid"]: 0 for it in whole["traceEvents"]})}
    for event in whole["traceEvents"]:
        event["pid"] = pids[event["pid"]]
    after = repairs(ENCODER.encode(whole), tmp_path)
    assert after == {(name, ts, pids[pid], tid): it for (name, ts, pid, tid), it in before.items()}


def test_split_and_joined(whole: Json, tmp_path: Path) -> None:
    """Each process in a file of its own: together the repairs of the whole."""
    together: Repairs = {}
    for pid in {it["pid"]: 0 for it in whole["traceEvents"]}:
        part = [it for it in whole["traceEvents"] if it["pid"] == pid]
        together |= repairs(ENCODER.encode({**whole, "traceEvents": part}), tmp_path)
    assert together == repairs(ENCODER.encode(whole), tmp_path)
