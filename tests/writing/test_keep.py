"""A repaired trace of which only some events are wanted: a whole JSON, with just these."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fixtures.make import HERE
from tp_tools.chrome.reader import read
from tp_tools.files.source import DEFAULT_SIZES, ReadSizes, Source
from tp_tools.repair.analysis import analyze
from tp_tools.repair.overlaps import OverlapOptions
from tp_tools.writing.json import writer as json_writer

if TYPE_CHECKING:
    from pathlib import Path


def kept(
    path: Path,
    flags: list[bool] | None,
    sizes: ReadSizes = DEFAULT_SIZES,
) -> list[dict[str, Any]]:
    """The events that are written when those are wanted."""
    file = Source(path, path.name, sizes=sizes)
    analysis = analyze(file, OverlapOptions(1000, "embedded"))
    keep = None if flags is None else np.array(flags)
    blocks = json_writer.rewrite(file, analysis.trace, analysis.plan, keep=keep)
    events: list[dict[str, Any]] = json.loads(b"".join(blocks))["traceEvents"]
    return events


@pytest.mark.parametrize("fraction", [2, 3, 7, 1000])
@pytest.mark.parametrize("name", ["pdl_decode.json.gz", "sound.json.gz"])
def test_what_is_wanted_is_what_is_written(name: str, fraction: int) -> None:
    """The wanted events are those that the whole repair has in their places; lanes keep names."""
    whole = kept(HERE / name, None)
    recorded = len(read(Source(HERE / name, name)))
    flags = [number % fraction == 0 for number in range(recorded)]
    wanted = [event for event, flag in zip(whole, flags, strict=False) if flag]
    assert kept(HERE / name, flags) == [*wanted, *whole[recorded:]]


@pytest.mark.parametrize("first", range(13))
def test_runs_left_out_leave_no_comma(first: int, tmp_path: Path) -> None:
    """Where all events before the first wanted one are gone, so is the comma before it."""
    events = [
        {"ph": "X", "name": f"k{i}", "pid": 1, "tid": 1, "ts": i, "dur": 1} for i in range(12)
    ]
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"traceEvents": events}))
    sizes = ReadSizes(150, 150)  # two or three events
    assert kept(path, [i >= first for i in range(12)], sizes) == events[first:]
