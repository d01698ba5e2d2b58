"""Recognize Perfetto's own traces (`.pftrace`) as input of commands that repair Chrome JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tp_tools import engine
from tp_tools.engine.packets import PACKET, Packets
from tp_tools.errors import InputError, TraceLossError

if TYPE_CHECKING:
    from tp_tools.files import Source
    from tp_tools.progress import Reporter

_JSON = re.compile(rb"\s*[\[{]")


def is_protobuf(source: Source) -> bool:
    """Tell by its first bytes whether a file is a trace in protobuf.

    Raises:
        InputError: the file cannot be read, or is empty.
    """
    start = next(source.blocks())
    return start[0] == PACKET and _JSON.match(start) is None


def check_sound(source: Source, engine_name: str | None, reporter: Reporter) -> None:
    """Check that TraceProcessor shows all of a `.pftrace`, so that it needs no repair.

    Args:
        source: the file.
        engine_name: the TraceProcessor to load it with.
        reporter: receives notes about work that takes seconds.

    Raises:
        InputError: TraceProcessor loses a part of it, its end is missing, or it is no trace.
        EngineError: TraceProcessor failed.
    """
    packets = Packets()
    try:
        engine.load(
            packets.watched(source.blocks()),
            source=source.name,
            engine=engine_name,
            reporter=reporter,
        ).close()
    except TraceLossError as error:
        raise InputError(
            f"{error}. It is no Chrome JSON: repair the JSON that it was made from."
        ) from error
    packets.refuse_none(source.name)
    if packets.missing:
        raise InputError(f"{source.name}: {packets.damage()} Copy it again, or make it anew.")
