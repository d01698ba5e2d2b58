"""Packets of a trace in protobuf: where the file ends within one, that is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make import HERE
from tests.support.command_line import TpTools
from tests.support.strategies import PURE
from tp_tools.engine.packets import Packets

if TYPE_CHECKING:
    from pathlib import Path


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    text = b""
    while value > 0x7F:
        text += bytes([value & 0x7F | 0x80])
        value >>= 7
    return text + bytes([value])


def followed(blocks: list[bytes]) -> Packets:
    """Packets after all blocks have passed."""
    packets = Packets()
    assert b"".join(packets.watched(blocks)) == b"".join(blocks)
    return packets


@PURE
@given(st.lists(st.integers(0, 300), max_size=5), st.data())
def test_each_cut_is_measured(sizes: list[int], data: st.DataObject) -> None:
    """However blocks are cut, a whole file lacks nothing, a cut one the rest of a packet."""
    packets = [b"\x0a" + varint(size) + bytes(size) for size in sizes]
    text = b"".join(packets)
    end = data.draw(st.integers(0, len(text)), label="end")
    cut = data.draw(st.integers(0, end), label="cut")
    found = followed([text[:cut], text[cut:end]])
    starts = [sum(map(len, packets[:i])) for i in range(len(packets) + 1)]
    assert found.whole == sum(start <= end for start in starts[1:])
    if end in starts:
        assert found.missing == 0
        return
    begun = max(i for i, start in enumerate(starts) if start < end)
    rest = starts[begun + 1] - end
    in_head = end - starts[begun] < 1 + len(varint(sizes[begun]))
    assert found.missing == (1 if in_head else rest)


@pytest.mark.parametrize("text", [b"PK\x03\x04", b"\x0a\x02ab{", b"\x0a" + b"\xff" * 12])
def test_other_bytes_are_left_to_the_engine(text: bytes) -> None:
    """Where anything else than a packet stands, nothing is said to be missing."""
    assert followed([text]).missing == 0


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thirds of a trace that `fix` wrote, behind a whole copy of it."""
    folder = tmp_path_factory.mktemp("cut")
    from tp_tools import fix  # noqa: PLC0415  once

    whole = folder / "whole.pftrace"
    fix(HERE / "pdl_decode.json.gz", whole)
    text = whole.read_bytes()
    path = folder / "cut.pftrace"
    path.write_bytes(text + text[: len(text) * 2 // 3])
    return path


def test_fix_refuses_a_cut_trace(cut: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """It does not say that Perfetto shows all of it."""
    ran = TpTools(capsysbinary)("fix", cut)
    assert ran.code == 3
    assert "is cut short" in ran.err
    assert "bytes or more are missing of its last packet" in ran.err


@pytest.mark.parametrize("command", [["query", "kernels"], ["info"]])
def test_other_commands_warn_of_a_cut(
    command: list[str], cut: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """They answer of what is there, and say that it is not all."""
    ran = TpTools(capsysbinary)(*command, cut)
    assert ran.code == 0
    assert "warning" in ran.err
    assert "is cut short" in ran.err


@pytest.mark.parametrize(
    "command", [["fix"], ["query", "kernels"], ["info"], ["view", "--no-browser"]]
)
def test_damaged_text_does_not_pass_for_packets(
    command: list[str], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A line feed is the tag of a packet, too; a text that begins with one is no whole packet."""
    path = tmp_path / "in.json"
    path.write_bytes(b'\n "a\nb""ph": "X"')
    ran = TpTools(capsysbinary)(*command, path)
    assert ran.code == 3
    assert "is neither Chrome JSON nor a whole Perfetto trace" in ran.err
