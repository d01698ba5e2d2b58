"""Mutated inputs end in success or in one line, and outputs load.

`python -m tools.fuzz` runs as many inputs as wanted: docs/trust.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools
from tools.fuzz.check import run
from tools.fuzz.corpus import corpus
from tp_tools import engine

if TYPE_CHECKING:
    from pathlib import Path

SLICE = b'{"ph":"X","name":"a","pid":1,"tid":1,"ts":1,"dur":1}'
LAUNCH = (
    b'{"ph":"X","cat":"cuda_runtime","name":"launch","pid":1,"tid":1,"ts":10,"dur":9,'
    b'"args":{"correlation":1}}'
)
KERNEL = (
    b'{"ph":"X","cat":"kernel","name":"k","pid":0,"tid":7,"ts":40,"dur":5,"args":{"correlation":2}}'
)


def flow(phase: bytes, flow_id: bytes, pid: int, tid: int, ts: int) -> bytes:
    """Make an event of a launch arrow."""
    return b'{"ph":"%b","id":%b,"pid":%d,"tid":%d,"ts":%d,"cat":"ac2g","name":"ac2g","bp":"e"}' % (
        phase,
        flow_id,
        pid,
        tid,
        ts,
    )


UNCLEAR = [flow(b"s", b'""', 1, 1, 11), flow(b"s", b'""', 1, 1, 12), flow(b"f", b'""', 0, 7, 40)]
FOREIGN = [flow(b"s", b"9", 1, 1, 11), flow(b"s", b"9", 1, 1, 12), flow(b"f", b"9", 0, 7, 40)]

KINDS = {
    "a key that is no UTF-8, and damage": [
        SLICE,
        b'{"ph":"X","\xef\xbb":1,"ts":3}',
        b'{"ph":,,"a"}',
    ],
    "an asynchronous event whose id2 is text": [
        SLICE,
        b'{"ph":"n","cat":"a","name":"n","id2":"x","pid":1,"tid":1,"ts":3}',
    ],
    "an asynchronous event whose id2 holds no id": [
        SLICE,
        b'{"ph":"n","cat":"a","name":"n","id2":{"local":{}},"pid":1,"tid":1,"ts":3}',
    ],
    "a counter without values": [SLICE, b'{"ph":"C","name":"c","pid":1,"ts":3}'],
    "a launch that lost its time, whose arrow joins slices of another correlation": [
        LAUNCH,
        KERNEL.replace(b'"correlation":2', b'"correlation":1').replace(b'"ts":40', b'"ts":30'),
        KERNEL.replace(b'"correlation":2', b'"correlation":1'),
        b'{"ph":"X","cat":"cuda_runtime","name":"b","pid":1,"tid":1,"args":{"correlation":2}}',
        flow(b"s", b"1", 1, 1, 10),
        flow(b"f", b"1", 0, 7, 30),
        flow(b"s", b"2", 1, 1, 12),
        flow(b"f", b"2", 0, 7, 40),
    ],
    "a slice without a time that a flow names": [
        SLICE,
        b'{"ph":"X","name":"u","pid":1,"tid":1,"ts":null,"bind_id":5}',
        b'{"ph":"X","name":"v","pid":1,"tid":1,"ts":5,"dur":1,"bind_id":6}',
    ],
    "two starts of an arrow whose id is no number": [LAUNCH, KERNEL, *UNCLEAR],
    "an arrow that binds to the slice that follows": [
        LAUNCH,
        KERNEL.replace(b'"correlation":2', b'"correlation":1'),
        flow(b"s", b"1", 1, 1, 10),
        flow(b"f", b"1", 0, 7, 40).replace(b',"bp":"e"', b""),
    ],
    "two starts of an arrow between others": [LAUNCH, KERNEL, *FOREIGN],
    "a slice that begins after 2^62 ns and never ends": [
        b'{"ph":"b","cat":"async","name":"a","id":"0x1","pid":1,"tid":1,"ts":2}',
        b'{"ph":"B","name":"b","pid":2,"tid":1,"ts":9007199254740993}',
    ],
}


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


@pytest.mark.parametrize("suffix", [".json", ".pftrace"])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_that_fuzzing_found_are_proven(
    kind: str, suffix: str, tmp_path: Path, tp_tools: TpTools
) -> None:
    """Each ended in a refusal of the proof or in an error that nobody expected."""
    path = tmp_path / "in.json"
    path.write_bytes(b'{"traceEvents":[%b]}' % b",\n".join(KINDS[kind]))
    ran = tp_tools("fix", path, "-o", tmp_path / f"out{suffix}", "--verify")
    assert (ran.code, "report" in ran.err) == (0, False), ran.err


def test_a_head_that_is_no_utf8_beside_damage(tmp_path: Path, tp_tools: TpTools) -> None:
    """The member is mended, and the events are kept."""
    path = tmp_path / "in.json"
    path.write_bytes(b'{"a\xd9":1,"traceEvents":[%b,{"ph":,,}]}' % SLICE)
    assert tp_tools("fix", path, "-o", tmp_path / "out.json", "--verify").code == 0


def test_unclear_arrows_are_not_drawn_anew(tmp_path: Path, tp_tools: TpTools) -> None:
    """Perfetto reads no id from "": it gets none under which it would draw an arrow."""
    path, out = tmp_path / "in.json", tmp_path / "out.json"
    path.write_bytes(b'{"traceEvents":[%b]}' % b",\n".join([LAUNCH, KERNEL, *UNCLEAR]))
    assert tp_tools("fix", path, "-o", out).code == 0
    with engine.load([out.read_bytes()], source="out", allow_loss=True) as tp:
        assert engine.rows(tp, "SELECT count(*) FROM flow") == [(0,)]


@pytest.mark.parametrize("seed", range(3))
def test_mutated_inputs(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """30 inputs of a seed: success or one line, loadable outputs, slices to the nanosecond."""
    whole = corpus()
    faults = []
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        ran = run(number, seed, whole)
        faults += [f"python -m tools.fuzz --only {number} --seed {seed}: {it}" for it in ran.faults]
        os.chdir(tmp_path)
    assert faults == []


def test_a_bind_id_that_is_a_word_is_merged(tmp_path: Path, tp_tools: TpTools) -> None:
    """Perfetto reads no id from it, so it stays as it is."""
    for rank in range(2):
        text = b'{"ph":"X","name":"b","pid":1,"tid":1,"ts":9,"dur":1,"bind_id":"gpu","id":1.5}'
        (tmp_path / f"rank{rank}.json").write_bytes(b'{"traceEvents":[%b,%b]}' % (SLICE, text))
    ran = tp_tools("merge", tmp_path, "-o", tmp_path / "out.json")
    assert (ran.code, "does not know" in ran.err) == (0, False)
    assert (tmp_path / "out.json").read_text().count('"bind_id":"gpu"') == 2
