"""Decode XSpace, the message of an xplane.pb.

Source: tsl/profiler/protobuf/xplane.proto of openxla/xprof; fields that are not read are left out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "tp_tools.xplane"
_SCALARS = {"double": 1, "int64": 3, "uint64": 4, "string": 9, "bytes": 12}
_MESSAGE, _ONE, _MANY = 11, 1, 3

MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "XSpace": (
        ("planes", 1, "*XPlane"),
        ("errors", 2, "*bytes"),
        ("warnings", 3, "*bytes"),
        ("hostnames", 4, "*bytes"),
    ),
    "XPlane": (
        ("name", 2, "bytes"),
        ("lines", 3, "*XLine"),
        ("event_metadata", 4, "*EventEntry"),
        ("stat_metadata", 5, "*StatEntry"),
        ("stats", 6, "*XStat"),
    ),
    "EventEntry": (("key", 1, "int64"), ("value", 2, "XEventMetadata")),
    "StatEntry": (("key", 1, "int64"), ("value", 2, "XStatMetadata")),
    "XLine": (
        ("id", 1, "int64"),
        ("name", 2, "bytes"),
        ("timestamp_ns", 3, "int64"),
        ("events", 4, "*XEvent"),
    ),
    "XEvent": (
        ("metadata_id", 1, "int64"),
        ("offset_ps", 2, "int64"),
        ("duration_ps", 3, "int64"),
        ("stats", 4, "*XStat"),
        ("num_occurrences", 5, "int64"),
    ),
    "XStat": (
        ("metadata_id", 1, "int64"),
        ("double_value", 2, "double"),
        ("uint64_value", 3, "uint64"),
        ("int64_value", 4, "int64"),
        ("str_value", 5, "bytes"),
        ("ref_value", 7, "uint64"),
    ),
    "XEventMetadata": (("name", 2, "bytes"), ("display_name", 4, "bytes"), ("stats", 5, "*XStat")),
    "XStatMetadata": (("name", 2, "bytes"),),
}
"""Fields of each message: name, number, type; * marks a list. Text is bytes: it may be no UTF-8.

A map is a list of entries in the encoding.
"""


@cache
def space_class() -> Any:  # noqa: ANN401  made at run time
    """Return the class of XSpace."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            of = kind.removeprefix("*")
            label = _MANY if kind.startswith("*") else _ONE
            added = message.field.add(name=field, number=number, label=label)
            added.type = _SCALARS.get(of, _MESSAGE)  # type: ignore[assignment]  # a number of Type
            if of not in _SCALARS:
                added.type_name = f".{_PACKAGE}.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.XSpace"))
