"""Payloads of NVTX ranges, as NCCL gives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import nsys as made
from fixtures.nsys import annotation
from tp_tools.files import open_source

if TYPE_CHECKING:
    from pathlib import Path

PAYLOAD = {"NCCL communicator ID": 7, "Message size [bytes]": 4096}


def read(path: Path) -> dict[str, Any]:
    """The trace that an export holds."""
    with open_source(str(path)) as source:
        trace: dict[str, Any] = json.loads(b"".join(source.blocks()))
    return trace


@pytest.mark.parametrize("by_id", [False, True])
def test_a_payload_as_json_is_in_the_args(tmp_path: Path, by_id: bool) -> None:
    """Whether its text stands in the row, or is a registered string."""
    text = json.dumps(PAYLOAD)
    columns = {"jsonTextId": 50} if by_id else {"jsonText": text}
    tables: made.Tables = {
        "NVTX_EVENTS": [annotation(1, 9, textId=8, **columns), annotation(2, 3, "plain")],
        "StringIds": [{"id": 8, "value": "ncclAllReduce"}, {"id": 50, "value": text}],
    }
    trace = read(made.write(tmp_path / "a.sqlite", tables))
    found = {it["name"]: it["args"] for it in trace["traceEvents"] if it["ph"] == "X"}
    assert found["ncclAllReduce"]["payload"] == PAYLOAD
    assert "payload" not in found["plain"]


@pytest.mark.parametrize(("with_json", "told"), [(False, True), (True, False)])
def test_binary_payloads_are_counted(tmp_path: Path, with_json: bool, told: bool) -> None:
    """They are not decoded: a note says how to have them, unless they are there as JSON, too."""
    columns: dict[str, Any] = {"binaryData": b"\1\2"}
    columns |= {"jsonText": json.dumps(PAYLOAD)} if with_json else {}
    tables: made.Tables = {"NVTX_EVENTS": [annotation(1, 9, "a", **columns), annotation(2, 3, "b")]}
    notes = read(made.write(tmp_path / "a.sqlite", tables))["nsysNotes"]
    note = (
        "1 NVTX range with a binary payload, which is not decoded: export with "
        "--include-json=true to have it."
    )
    assert (note in notes) == told
