"""`tp-tools fix` with `.pftrace` files, run from the command line."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fixtures.make import HERE, truth_of
from tests.support.command_line import TpTools
from tests.support.handmade import US, kernel, overlap_options, source_of, text
from tp_tools import engine
from tp_tools.errors import VerificationError
from tp_tools.files.source import Source
from tp_tools.repair import verify_pftrace
from tp_tools.repair.analysis import analyze
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.options import PftraceOptions
from tp_tools.writing.pftrace.writer import rewrite

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"
SOUND = HERE / "sound.json.gz"
USAGE, INPUT = 2, 3


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Run the command line."""
    return TpTools(capsysbinary)


@pytest.mark.parametrize("options", [(), ("--lanes", "rows"), ("--lanes", "shared")])
@pytest.mark.parametrize("suffix", [".pftrace", ".pftrace.gz"])
def test_a_pftrace_is_written_and_verified(
    tp_tools: TpTools, tmp_path: Path, suffix: str, options: tuple[str, ...]
) -> None:
    """The suffix decides the format, and the summary says that the file was verified."""
    out = tmp_path / f"out{suffix}"
    ran = tp_tools("fix", DECODE, "-o", out, *options, "--verify", "--summary", "json")
    assert ran.code == 0
    summary = json.loads(ran.out)
    assert (summary["verified"], summary["output"], summary["moved"]) == (True, str(out), 6)
    assert out.read_bytes().startswith(b"\x1f\x8b" if suffix.endswith(".gz") else b"\n")


def test_a_sound_trace_is_converted(tp_tools: TpTools, tmp_path: Path) -> None:
    """A trace without defects is still written as .pftrace."""
    out = tmp_path / "sound.pftrace"
    assert tp_tools("fix", SOUND, "-o", out, "--verify").code == 0
    assert out.stat().st_size > 100


def test_both_ways_of_compressing_hold_the_same(tp_tools: TpTools, tmp_path: Path) -> None:
    """Plain packets in gzip and compressed packets in a plain file are both small."""
    inside, outside = tmp_path / "a.pftrace", tmp_path / "b.pftrace.gz"
    for out in (inside, outside):
        assert tp_tools("fix", DECODE, "-o", out).code == 0
    plain = len(gzip.decompress(outside.read_bytes()))
    assert inside.stat().st_size < plain / 3
    assert outside.stat().st_size < plain / 3


def test_json_has_no_shared_rows(tp_tools: TpTools, tmp_path: Path) -> None:
    """`--lanes shared` with JSON is a usage error, and nothing is written."""
    out = tmp_path / "out.json"
    ran = tp_tools("fix", DECODE, "-o", out, "--lanes", "shared")
    assert ran.code == USAGE
    assert "--lanes shared wants a .pftrace" in ran.err
    assert not out.exists()


def test_a_pftrace_needs_no_repair(tp_tools: TpTools, tmp_path: Path) -> None:
    """A .pftrace that TraceProcessor shows completely is left as it is."""
    made, again = tmp_path / "made.pftrace", tmp_path / "again.pftrace"
    tp_tools("fix", DECODE, "-o", made)
    ran = tp_tools("fix", made, "-o", again)
    assert ran.code == 0
    assert "nothing to repair, nothing written" in ran.err
    assert not again.exists()
    assert tp_tools("fix", made, "--check").code == 0


def test_a_pftrace_that_loses_slices(tp_tools: TpTools, tmp_path: Path) -> None:
    """A .pftrace of which TraceProcessor drops a slice is an input error that says so."""
    thread = wire.message(4, wire.number(1, 8) + wire.number(2, 7))
    packets = [wire.number(10, 1) + wire.message(60, wire.number(1, 2) + thread)]
    for start, duration_us in ((1000, 3), (2000, 5)):
        complete = wire.message(6, wire.number(2, ord("X")) + wire.number(3, duration_us))
        event = wire.number(11, 2) + wire.text(23, "k") + complete
        packets.append(wire.number(8, start) + wire.number(10, 1) + wire.message(11, event))
    path = tmp_path / "lossy.pftrace"
    path.write_bytes(b"".join(wire.message(1, packet) for packet in packets))
    ran = tp_tools("fix", path, "-o", tmp_path / "out.pftrace")
    assert ran.code == INPUT
    assert "It is no Chrome JSON: repair the JSON that it was made from." in ran.err


def test_verification_misses_a_slice(tmp_path: Path) -> None:
    """A file that lacks one slice of its input is refused with the name of the slice."""
    data = text([kernel("shown", 0, US, 1), kernel("lost", 2 * US, 3 * US, 2)])
    source = source_of(data, tmp_path)
    analysis = analyze(source, overlap_options())
    path = tmp_path / "out.pftrace"
    keep = np.array([True, False])
    blocks = rewrite(source, analysis.trace, analysis.table, analysis.plan, keep=keep)
    path.write_bytes(b"".join(blocks))
    with pytest.raises(VerificationError, match=r"1 slices are not shown and 0 .*'lost'"):
        verify_pftrace.verify(path, "out.pftrace", analysis, None, options=PftraceOptions())


def test_only_selected_events_are_written() -> None:
    """Only selected slices are written, and no flows without their slices."""
    source = Source(DECODE, DECODE.name)
    analysis = analyze(source, overlap_options())
    trace = analysis.trace
    keep = np.array([trace.cats[cat] == "kernel" for cat in trace.cat])
    blocks = rewrite(source, trace, analysis.table, analysis.plan, keep=keep)
    with engine.load(blocks, source="kernels.pftrace") as tp:
        counted = engine.rows(tp, "SELECT category, COUNT(*) FROM slice GROUP BY category")
        assert dict(counted) == {
            "kernel": truth_of(DECODE.name)["by_category"]["kernel"],
            "tpt_header": 1,
        }
        assert engine.rows(tp, "SELECT COUNT(*) FROM flow") == [(0,)]
