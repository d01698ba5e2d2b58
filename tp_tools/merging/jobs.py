"""What a rank's trace says around its events about its job, its machine and its clock.

Only facts that are named here are decoded: a header may hold a whole environment.
Format: PyTorch's Kineto, libkineto/src/output_json.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from tp_tools.trace.model import Trace

MERGED_KEY = "tpToolsMerge"
"""A top-level key of what `tp-tools merge` writes."""

_NO_HOST = "localhost"  # what every machine calls itself
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEYS = ("distributedInfo", "baseTimeNanoseconds", "host_name", MERGED_KEY)


@dataclass(frozen=True)
class Said:
    """What a trace says about itself.

    Attributes:
        rank, world_size: None where it does not say.
        groups: members of its process groups, by name.
        host: the machine's name; "" if it does not say.
        base_ns: what its times are counted from, ns since the epoch; 0 if it does not say.
        is_merged: whether it is the result of a merge.
    """

    rank: int | None = None
    world_size: int | None = None
    groups: dict[str, frozenset[int]] = field(default_factory=dict)
    host: str = ""
    base_ns: int = 0
    is_merged: bool = False


def said(trace: Trace, name: str) -> Said:
    """All that it says.

    Raises:
        InputError: its base time is no integer.
    """
    found = _members(trace.head.text, b"]}") | _members(b'{"":[', trace.tail.text)
    base = found.get("baseTimeNanoseconds")
    if base is not None and _whole(base) is None:
        raise InputError(f"{name}: baseTimeNanoseconds is {base!r}, not an integer.")
    return _said(found)


def _members(before: bytes, behind: bytes) -> dict[str, Any]:
    if before.lstrip()[:1] == b"[":
        return {}
    fields = _FIELDS.decode(before + behind)
    return {key: msgspec.json.decode(fields[key]) for key in _KEYS if key in fields}


def _said(found: dict[str, Any]) -> Said:
    info = found.get("distributedInfo")
    info = info if isinstance(info, dict) else {}
    host = found.get("host_name")
    named = isinstance(host, str) and host != _NO_HOST
    return Said(
        rank=_whole(info.get("rank")),
        world_size=_whole(info.get("world_size")),
        groups=_groups(info.get("pg_config")),
        host=str(host) if named else "",
        base_ns=_whole(found.get("baseTimeNanoseconds")) or 0,
        is_merged=MERGED_KEY in found,
    )


def _groups(config: object) -> dict[str, frozenset[int]]:
    groups = {}
    for group in config if isinstance(config, list) else []:
        if isinstance(group, dict) and isinstance(group.get("ranks"), list):
            members = [rank for rank in group["ranks"] if _whole(rank) is not None]
            if members:
                groups[str(group.get("pg_name"))] = frozenset(members)
    return groups


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
