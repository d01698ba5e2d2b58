"""Payloads of NVTX ranges, as NCCL gives them."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import nsys as made
from fixtures.nsys import annotation
from tp_tools.files import open_source

if TYPE_CHECKING:
    from collections.abc import Callable
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


NCCL = "NCCL communicator ID", "Message size [bytes]", "Reduction operation"
SCHEMA, ENUM = 16777223, 16777232


def blob(payload: bytes, *, domain: int = 1, schema: int = SCHEMA, edge: int = 32) -> bytes:
    """A binary payload behind its header."""
    return struct.pack("<QQQQ", domain, schema, len(payload), edge) + payload


def entry(place: int, kind: int, name: str, **columns: object) -> dict[str, Any]:
    """A member of the schema."""
    return {"domainId": 1, "schemaId": SCHEMA, "idx": place, "type": kind, "name": name, **columns}


def exported(
    *blobs: object, entries: list[dict[str, Any]], schemas: list[dict[str, Any]] | None = None
) -> made.Tables:
    """An export of ranges with these payloads, all in domain 1."""
    schema = {"domainId": 1, "schemaId": SCHEMA, "type": 1, "payloadSize": 24}
    return {
        "NVTX_EVENTS": [
            annotation(at * 10 + 1, at * 10 + 9, f"range {at}", domainId=1, binaryData=data)
            for at, data in enumerate(blobs)
        ],
        "NVTX_PAYLOAD_SCHEMAS": [schema] if schemas is None else schemas,
        "NVTX_PAYLOAD_SCHEMA_ENTRIES": entries,
    }


def allreduce() -> list[dict[str, Any]]:
    """The members of NCCL's all-reduce, as train_2gpu_before has them: the first has no offset."""
    return [
        entry(0, 18, NCCL[0], offset=None),
        entry(1, 22, NCCL[1], offset=8),
        entry(2, ENUM, NCCL[2], offset=16),
    ]


def enum_tables() -> made.Tables:
    """The names of NCCL's reductions: an enumeration of four bytes."""
    names = {0: "Sum", 1: "Product"}
    return {
        "NVTX_PAYLOAD_ENUMS": [{"domainId": 1, "schemaId": ENUM, "size": 4}],
        "NVTX_PAYLOAD_ENUM_ENTRIES": [
            {"domainId": 1, "schemaId": ENUM, "idx": value, "name": name, "value": value}
            for value, name in names.items()
        ],
    }


def payloads(trace: dict[str, Any]) -> list[Any]:
    """The payloads of its ranges, in order; None for a range without one."""
    return [it["args"].get("payload") for it in trace["traceEvents"] if it["ph"] == "X"]


REDUCE = struct.pack("<QQI4x", 2**64 - 5, 4096, 1)
NO_CUDA = "It holds no CUDA activity: record with nsys profile --trace=cuda,nvtx."
UNREAD = (
    "1 NVTX range with a binary payload that no schema of the export tells how to decode: export "
    "with --include-json=true to have it."
)
PARTLY = (
    "1 NVTX range with members of a binary payload whose type the export does not tell: these "
    "are left out."
)


@pytest.mark.parametrize("write", [made.write, made.write_parquet])
@pytest.mark.parametrize(
    "data",
    [blob(REDUCE), blob(REDUCE, edge=56), blob(REDUCE).hex()],
    ids=["begin", "end", "hexadecimal"],
)
def test_a_binary_payload_is_decoded_by_its_schema(
    tmp_path: Path, data: object, write: Callable[[Path, made.Tables], Path]
) -> None:
    """Numbers are unsigned where their type is, and a value of an enumeration has its name."""
    trace = read(write(tmp_path / "a", exported(data, entries=allreduce()) | enum_tables()))
    assert payloads(trace) == [dict(zip(NCCL, (2**64 - 5, 4096, "Product"), strict=True))]
    assert trace["exportNotes"] == [NO_CUDA]


def test_a_member_of_unknown_type_is_left_out(tmp_path: Path) -> None:
    """As the reduction in recorded exports, which have no table of enumerations; it is counted."""
    trace = read(made.write(tmp_path / "a", exported(blob(REDUCE), entries=allreduce())))
    assert payloads(trace) == [{NCCL[0]: 2**64 - 5, NCCL[1]: 4096}]
    assert PARTLY in trace["exportNotes"]


def test_members_without_offset_follow_each_other(tmp_path: Path) -> None:
    """Each at the next multiple of its size, or of the alignment of a packed schema."""
    entries = [entry(0, 12, "one"), entry(1, 15, "four"), entry(2, 20, "eight")]
    natural = struct.pack("<B3xid", 7, -2, 0.5)
    tables = exported(blob(natural), entries=entries)
    assert payloads(read(made.write(tmp_path / "a", tables))) == [
        {"one": 7, "four": -2, "eight": 0.5}
    ]
    packed = {"domainId": 1, "schemaId": SCHEMA, "type": 1, "alignTo": 2}
    tables = exported(blob(struct.pack("<Bxid", 7, -2, 0.5)), entries=entries, schemas=[packed])
    assert payloads(read(made.write(tmp_path / "b", tables))) == [
        {"one": 7, "four": -2, "eight": 0.5}
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\2",
        "no digits",
        7,
        blob(REDUCE)[:-1],
        blob(REDUCE) + b"\0",
        blob(REDUCE, edge=64),
        blob(REDUCE, schema=SCHEMA + 1),
        blob(REDUCE, domain=2),
        blob(b""),
    ],
    ids=["empty", "short", "text", "number", "cut", "long", "edge", "schema", "domain", "nothing"],
)
def test_what_no_schema_tells_is_counted(tmp_path: Path, data: object) -> None:
    """Nothing is guessed: the size, the domain and the schema have to fit."""
    trace = read(made.write(tmp_path / "a", exported(data, entries=allreduce())))
    assert payloads(trace) == [None]
    assert UNREAD in trace["exportNotes"]


@pytest.mark.parametrize(
    "change",
    [
        {"schemas": [{"domainId": 1, "schemaId": SCHEMA, "type": 2}]},
        {"entries": [*allreduce(), entry(1, 22, "another name", offset=8)]},
        {"entries": [entry(0, 18, NCCL[0], flags=16), entry(2, 22, NCCL[1])]},
    ],
)
def test_schemas_that_are_not_sure_decode_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    """One of variable size, one that two processes registered differently, one with a gap."""
    tables = exported(blob(REDUCE), **({"entries": allreduce()} | change))
    trace = read(made.write(tmp_path / "a", tables))
    assert payloads(trace) == [None]
    assert UNREAD in trace["exportNotes"]


def test_json_counts_where_both_are_there(tmp_path: Path) -> None:
    """An export with JSON and binary payloads shows the JSON, and has no note."""
    columns: dict[str, Any] = {"binaryData": b"\1\2", "jsonText": json.dumps(PAYLOAD)}
    tables: made.Tables = {"NVTX_EVENTS": [annotation(1, 9, "a", **columns), annotation(2, 3, "b")]}
    trace = read(made.write(tmp_path / "a.sqlite", tables))
    assert payloads(trace) == [PAYLOAD, None]
    assert trace["exportNotes"] == [NO_CUDA]
