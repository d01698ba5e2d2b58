"""Write the ranges and marks of NVTX as annotations.

A range that was pushed and popped stands on its thread. One that was started and ended, perhaps by
two threads, stands on a row of its domain. PyTorch's emit_nvtx pushes a range per operator, whose
name ends in "op_id = 7": these are operators, as in a trace of PyTorch's own profiler.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, loads
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.nsys import tables
from tp_tools.nsys.values import json_text, members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.nsys.database import Database, Row
    from tp_tools.nsys.recording import Recording

_CATEGORY, _MARK, _PUSHED, _STARTED, _DOMAIN = 33, 34, 59, 60, 75
_SHOWN = {_MARK, _PUSHED, _STARTED}
_NAMING = {_CATEGORY, 39, _DOMAIN, 76}
"""Types of rows that name or end something, and are no events of their own."""

_VALUES = ["uint64Value", "int64Value", "doubleValue", "uint32Value", "int32Value", "floatValue"]
_COLUMNS = [
    "start",
    "end",
    "eventType",
    "textId",
    "text",
    "globalTid",
    "endGlobalTid",
    "domainId",
    "category",
    "jsonTextId",
    "jsonText",
    "binaryData",
    *_VALUES,
]

_NO_PAYLOAD = (None,) * (len(_COLUMNS) - 9)

_OPERATOR = re.compile(
    r"(?P<name>.+?)(?:, seq = (?P<sequence>-?\d+))?, op_id = (?P<op>\d+)"
    r"(?:, sizes = (?P<sizes>\[.*?\]))?(?:, input_op_ids = .*)?",
    re.DOTALL,
)
"""What emit_nvtx writes: getNvtxStr in PyTorch's torch/csrc/profiler/util.cpp."""

_ANNOTATIONS = (
    "ProfilerStep#",
    "Optimizer.",
    "DataParallel.",
    "DistributedDataParallel.",
    "FullyShardedDataParallel.",
    "FSDP::",
    "enumerate(",
    "nccl:",
    "gloo:",
    "ucc:",
    "mpi:",
    "xccl:",
    "## ",
)
"""Begin of names of PyTorch's own annotations, which are no operators."""


class _Names(Struct, frozen=True):
    """Names that programs gave to domains and categories.

    Attributes:
        domains: by process and domain id.
        categories: by process, domain id and category id.
    """

    domains: dict[tuple[int, int], str]
    categories: dict[tuple[int, int, int], str]


def nvtx_events(recording: Recording) -> Iterator[list[str]]:
    """Yield the ranges and marks of NVTX as JSON.

    Raises:
        InputError: the file is damaged.
    """
    names = _names(recording, recording.database)
    for rows in recording.database.rows(tables.NVTX, _COLUMNS):
        yield [line for row in rows if (line := _event(recording, row, names)) is not None]


def _names(recording: Recording, database: Database) -> _Names:
    found = _Names({}, {})
    columns = ["eventType", "globalTid", "domainId", "category", "textId", "text"]
    naming = ("eventType", (_DOMAIN, _CATEGORY))
    for rows in database.rows(tables.NVTX, columns, only=naming):
        for kind, thread, domain, category, text_id, text in rows:
            if not isinstance(thread, int):
                continue
            name = _text(recording, text_id, text)
            process = tables.process_of(thread)
            if name and kind == _DOMAIN:
                found.domains[process, domain] = name
            elif name:
                found.categories[process, domain, category] = name
    return found


def _text(recording: Recording, text_id: object, text: object) -> str:
    """Return the text of a row: registered strings stand by their id alone."""
    if isinstance(text_id, int) and text_id in recording.strings:
        return recording.strings[text_id]
    return text if isinstance(text, str) else ""


def _event(recording: Recording, row: Row, names: _Names) -> str | None:
    """Return the event of a row; None, and count it, where it is none."""
    start, end, stated, text_id, text, thread, end_thread, domain = row[:8]
    kind = _PUSHED if stated is None else stated  # where there is no column of types
    if kind in _NAMING:
        return None
    if kind not in _SHOWN:
        recording.left_out[f"NVTX event of type {kind}"] += 1
        return None
    is_mark = kind == _MARK or end is None
    times = recording.times(start, start if is_mark else end, "NVTX event")
    if times is None or recording.lacks_thread(thread, "NVTX event"):
        return None
    cat, name, args = _meaning(_text(recording, text_id, text) or "NVTX")
    args |= _labels(recording, row, names)
    pid, tid = recording.thread(thread)
    if kind == _STARTED or end_thread not in {None, thread}:
        tid = recording.layout.added_row(pid, ("NVTX", domain), _row_name(args.get("domain")))
    recording.drawn[tables.NVTX] += 1
    shown = f'"name":{json_text(name)},"pid":{pid},"tid":{tid}'
    if not is_mark:
        return f'{{"ph":"X","cat":"{cat}",{shown},{times},"args":{members(args)}}}'
    if kind != _MARK:
        recording.open_ranges += 1
        args["end"] = "not recorded"
    when = recording.moment(start)
    return f'{{"ph":"i","s":"t","cat":"nvtx_mark",{shown},{when},"args":{members(args)}}}'


def _labels(recording: Recording, row: Row, names: _Names) -> dict[str, Any]:
    """Return domain, category and payload of a row, where it has them."""
    thread, domain, category, payload = row[5], row[7], row[8], row[9:]
    process = tables.process_of(thread)
    labels: dict[str, Any] = {}
    if domain:
        labels["domain"] = names.domains.get((process, domain), domain)
    if category:
        labels["category"] = names.categories.get((process, domain, category), category)
    if payload != _NO_PAYLOAD:
        labels["payload"] = _payload(recording, domain, payload)
    return labels


def _meaning(text: str) -> tuple[str, str, dict[str, Any]]:
    """Return category, name and arguments of a range: an operator where emit_nvtx wrote it."""
    match = _OPERATOR.fullmatch(text) if ", op_id = " in text else None
    if match is None:
        return "user_annotation", text, {}
    args: dict[str, Any] = {"op_id": int(match["op"])}
    if match["sequence"] is not None:
        args["Sequence number"] = int(match["sequence"])
    if match["sizes"] is not None:
        args["Input Dims"] = _json(match["sizes"])
    name = match["name"]
    return "user_annotation" if name.startswith(_ANNOTATIONS) else "cpu_op", name, args


def _payload(recording: Recording, domain: object, values: Row) -> object:
    json_id, json_text, packed, *numbers = values
    text = _text(recording, json_id, json_text)
    if text:
        return _json(text)
    if packed is not None:
        return recording.payloads.decode(domain, packed)
    return next((number for number in numbers if number is not None), None)


def _json(text: str) -> object:
    try:
        return loads(text)
    except (JSONDecodeError, RecursionError):
        return text


def _row_name(domain: object) -> str:
    return f"NVTX ranges of {domain}" if domain else "NVTX ranges"
