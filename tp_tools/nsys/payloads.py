"""Decode binary payloads of NVTX, as NCCL's, by the schemas that an export holds.

Sources: nvToolsExtPayload.h of NVTX 3 (types, offsets by alignment); NVIDIA's SQLite schema
reference of Nsight Systems 2026.4 (tables). `binaryData` begins with four uint64: domain, schema,
size of the payload, and where it begins, or ends; the payload follows them. What is anything else
is not decoded: an event with several payloads, another kind of schema.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.nsys import tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.nsys.database import Database, Row

_HEADER = struct.Struct("<QQQQ")
_STATIC = 1  # NVTX_PAYLOAD_SCHEMA_TYPE_STATIC: a C struct
_FORMATS = {
    3: "h",  # short
    4: "H",
    5: "i",  # int
    6: "I",
    9: "q",  # long long; that of long differs between systems
    10: "Q",
    11: "b",  # int8_t
    12: "B",
    13: "h",
    14: "H",
    15: "i",
    16: "I",
    17: "q",
    18: "Q",
    19: "f",
    20: "d",
    22: "Q",  # size_t
    23: "Q",  # an address
}
"""Format for `struct` of each predefined type of a member (NVTX_PAYLOAD_ENTRY_TYPE_*)."""

_ENUM_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""Format of an enumeration by its size in bytes."""

_Key = tuple[int, int]
"""Id of a domain and id of a schema of it."""


class _Member(Struct, frozen=True):
    """A member of a payload.

    Attributes:
        name: its name.
        offset: where it begins, in bytes.
        value: its format; None where its type is not known.
        names: names of values of an enumeration.
    """

    name: str
    offset: int
    value: struct.Struct | None
    names: dict[int, str]


class Payloads:
    """The schemas of an export, and how often something could not be decoded.

    Attributes:
        unread: number of payloads that were not decoded.
        partly: number of payloads of which members are missing.
    """

    def __init__(self, database: Database) -> None:
        self.unread = 0
        self.partly = 0
        self._schemas = _schemas(database)

    def decode(self, domain: object, data: object) -> dict[str, Any] | None:
        """Return the members of a payload by name; None, and count it, where it is not decoded.

        Args:
            domain: id of the domain of its event.
            data: what the export holds of it: bytes, or their digits in hexadecimal.
        """
        payload, members = self._parted(domain, _bytes(data))
        found: dict[str, Any] = {}
        for it in members:
            if it.value is not None and it.offset + it.value.size <= len(payload):
                (number,) = it.value.unpack_from(payload, it.offset)
                found[it.name] = it.names.get(number, number)
        self.unread += not found
        self.partly += 0 < len(found) < len(members)
        return found or None

    def _parted(self, domain: object, blob: bytes) -> tuple[bytes, list[_Member]]:
        """Return a payload without its header, and its members; none where these do not fit."""
        if len(blob) < _HEADER.size:
            return b"", []
        of_domain, schema, size, edge = _HEADER.unpack_from(blob)
        members = self._schemas.get((of_domain, schema), [])
        ends = len(blob) == _HEADER.size + size and edge in {_HEADER.size, len(blob)}
        return blob[_HEADER.size :], members if of_domain == domain and ends else []


def _bytes(data: object) -> bytes:
    """Return bytes as they are, and those that hexadecimal digits stand for; else none."""
    if isinstance(data, bytes):
        return data
    try:
        return bytes.fromhex(data) if isinstance(data, str) else b""
    except ValueError:
        return b""


def _schemas(database: Database) -> dict[_Key, list[_Member]]:
    """Return the members of each schema of which no two processes say different things."""
    columns = ["domainId", "schemaId", "type", "alignTo"]
    kinds = _agreed(database.all(tables.NVTX_SCHEMAS, columns, distinct=True), 2)
    columns = ["domainId", "schemaId", "idx", "flags", "type", "name", "offset"]
    entries = _agreed(database.all(tables.NVTX_ENTRIES, columns, distinct=True), 3)
    enums = _enums(database)
    by_schema: dict[_Key, list[Row]] = {}
    disputed: set[_Key] = set()
    for (domain, schema, place), row in sorted(entries.items(), key=lambda it: _order(it[0])):
        key = (domain, schema)
        if row is None or place != len(by_schema.setdefault(key, [])):
            disputed.add(key)
        else:
            by_schema[key].append(row)
    return {
        key: _members(key[0], rows, enums, kind[1] or 0)
        for key, rows in by_schema.items()
        if (kind := kinds.get(key)) and kind[0] == _STATIC and key not in disputed
    }


def _agreed(rows: Iterable[Row], width: int) -> dict[Row, Row | None]:
    """Map the first columns of rows to the others; to None where rows differ in these."""
    found: dict[Row, Row | None] = {}
    for row in rows:
        key, rest = row[:width], row[width:]
        if all(isinstance(it, int) for it in key):
            found[key] = rest if found.get(key, rest) == rest else None
    return found


def _order(key: Row) -> tuple[int, ...]:
    return tuple(map(int, key))


def _enums(database: Database) -> dict[_Key, tuple[int, dict[int, str]]]:
    """Return size in bytes and names of the values of each enumeration."""
    sizes = _agreed(
        database.all(tables.NVTX_ENUMS, ["domainId", "schemaId", "size"], distinct=True), 2
    )
    columns = ["domainId", "schemaId", "value", "name"]
    names = _agreed(database.all(tables.NVTX_ENUM_ENTRIES, columns, distinct=True), 3)
    found: dict[_Key, tuple[int, dict[int, str]]] = {
        key: (size[0], {})
        for key, size in sizes.items()
        if size is not None and size[0] in _ENUM_FORMATS
    }
    for (domain, enum, value), name in names.items():
        if (domain, enum) in found and name is not None and isinstance(name[0], str):
            found[domain, enum][1][value] = name[0]
    return found


def _members(
    domain: int, rows: list[Row], enums: dict[_Key, tuple[int, dict[int, str]]], packed: int
) -> list[_Member]:
    """Return the members of a schema.

    A member without an offset follows the one before it, at the next multiple of its size.

    Args:
        domain: id of the domain of the schema.
        rows: flags, type, name and offset of each member, in order.
        enums: the enumerations.
        packed: the largest multiple that members keep to; 0 for that of their sizes.
    """
    found: list[_Member] = []
    end: int | None = 0  # of the member before; None where it is not known
    for place, (flags, kind, name, offset) in enumerate(rows):
        size, names = enums.get((domain, kind), (0, {}))
        letter = None if flags else _FORMATS.get(kind) or _ENUM_FORMATS.get(size)
        value = struct.Struct(f"<{letter}") if letter else None
        begin = offset or None
        if begin is None and value is not None and end is not None:
            step = min(value.size, packed or value.size)
            begin = -(-end // step) * step
        if begin is None:
            value = None
        end = None if begin is None or value is None else begin + value.size
        found.append(_Member(name or f"member {place}", begin or 0, value, names))
    return found
