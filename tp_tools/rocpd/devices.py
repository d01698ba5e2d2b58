"""Describe the GPUs of a rocpd database as Kineto does."""

from __future__ import annotations

from json import JSONDecodeError, loads
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tp_tools.nsys.database import Database

_AGENTS = ("guid", "nid", "id", "type", "type_index", "product_name", "name", "extdata")
_NODES = ("guid", "id", "hash")


def properties(database: Database) -> list[dict[str, Any]]:
    """Return Kineto's deviceProperties of the GPUs, each once; empty where there are none.

    Each process lists the agents of its machine: in a database that was merged they repeat.

    Raises:
        InputError: the file is damaged.
    """
    machines = {(guid, node): mark for guid, node, mark in database.all("rocpd_info_node", _NODES)}
    found: dict[tuple[object, object], dict[str, Any]] = {}
    for guid, node, agent, kind, index, product, name, more in database.all(
        "rocpd_info_agent", _AGENTS
    ):
        if kind == "GPU":
            known = {"id": index, "name": product or name, "numSms": _compute_units(more)}
            gpu = {key: value for key, value in known.items() if value is not None}
            found.setdefault((machines.get((guid, node), guid), agent), gpu)
    return list(found.values())


def _compute_units(text: object) -> int | None:
    """Return the number of compute units, of what rocprofiler wrote of an agent as JSON."""
    try:
        told = loads(text) if isinstance(text, str) else None
    except (JSONDecodeError, RecursionError):
        return None
    count = told.get("cu_count") if isinstance(told, dict) else None
    return count if isinstance(count, int) and count > 0 else None
