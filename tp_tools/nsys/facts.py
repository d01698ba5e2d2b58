"""Read what an export says of itself: version, clock, machine, rank, recording options.

META_DATA_CAPTURE and TARGET_INFO_SYSTEM_ENV also hold environments, secrets included: of these
nothing is read but the numbers of ranks and the name of the machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.errors import InputError
from tp_tools.nsys import tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.nsys.database import Database

_VERSION = "EXPORT_SCHEMA_VERSION"
_PRODUCT = "EXPORT_PRODUCT_VERSION"
_NORMALIZED = "EXPORT_PARAM_TIME_NORMALIZE"
_SHIFT = "EXPORT_PARAM_TIME_SHIFT"
_HOST = "Hostname"
_OLDEST, _NEWEST = (2, 9), (3, 28)
"""Schema versions of Nsight Systems 2022.2 and 2026.4."""

_RANK = re.compile(r"(?:RANK|OMPI_COMM_WORLD_RANK|PMI_RANK|SLURM_PROCID)=(\d+)")
_WORLD = re.compile(r"(?:WORLD_SIZE|OMPI_COMM_WORLD_SIZE|PMI_SIZE|SLURM_NTASKS)=(\d+)")


class Facts(Struct, frozen=True):
    """What an export says of itself.

    Attributes:
        product: version of Nsight Systems; "" where it says none.
        schema: version of the tables: "3.25.0"; "" likewise.
        base_ns: ns to add to times of the trace to get ns since the epoch; None if not known.
        shift_ns: ns to add to times of the export to get times of the trace, none below 0.
        rank, world_size: of the program that was started, by its environment; None without.
        host: name of the machine; "" where it says none, or several.
        graphs_whole: whether replays of CUDA graphs were recorded without their kernels.
        notes: lines for users.
    """

    product: str
    schema: str
    base_ns: int | None
    shift_ns: int
    rank: int | None
    world_size: int | None
    host: str
    graphs_whole: bool
    notes: list[str]


def read_facts(database: Database) -> Facts:
    """Read the facts.

    Raises:
        InputError: the version of its tables is not known, or the file is damaged.
    """
    stated = {
        key: value
        for table in tables.META
        for key, value in database.all(table, ["name", "value"])
        if isinstance(value, str)
    }
    notes: list[str] = []
    schema = stated.get(_VERSION, "")
    _check_version(database.name, schema, stated.get(_PRODUCT, ""), notes)
    shift_ns = _shift(database)
    capture = database.all(tables.CAPTURE, ["name", "value"])
    environment = [str(value) for key, value in capture if "ENVIRONMENT" in str(key)]
    modes = {str(value) for key, value in capture if "GRAPH_TRACE_OPTIONS:MODE" in str(key)}
    return Facts(
        stated.get(_PRODUCT, ""),
        schema,
        _base(database, stated, shift_ns, notes),
        shift_ns,
        _number(_RANK, environment),
        _number(_WORLD, environment),
        _host(database),
        "Graph" in modes,
        notes,
    )


def _check_version(file: str, schema: str, product: str, notes: list[str]) -> None:
    version = tuple(int(part) for part in re.findall(r"\d+", schema)[:2])
    if not version:
        notes.append("Its version is not recorded: it is read like one of 2022 to 2026.")
        return
    shown = f"schema {schema}" + (f", Nsight Systems {product}" if product else "")
    if not _OLDEST[0] <= version[0] <= _NEWEST[0]:
        raise InputError(
            f"{file}: its tables are of an unknown version ({shown}). tp-tools reads exports of "
            "Nsight Systems 2022.2 to 2026.4: export the .nsys-rep with one of these."
        )
    if version > _NEWEST:
        notes.append(f"It is newer than what tp-tools knows ({shown}): columns may be missed.")


def _shift(database: Database) -> int:
    """Return how far times have to move so that none is negative."""
    columns = ("start", "timestamp")
    found = [database.extreme("MIN", table, column) for table in tables.DRAWN for column in columns]
    return max(0, -min((time for time in found if time is not None), default=0))


def _base(
    database: Database, stated: dict[str, str], shift_ns: int, notes: list[str]
) -> int | None:
    """Return the time of the trace's 0 in ns since the epoch; None where it is not known."""
    rows = database.all(tables.START, ["utcEpochNs"])
    if not rows or not isinstance(rows[0][0], int) or rows[0][0] <= 0:
        return None
    moved = stated.get(_SHIFT, "0") or "0"
    if stated.get(_NORMALIZED, "false") == "true" or not re.fullmatch(r"-?\d+", moved):
        notes.append("Its times were moved on export: it has no place on the clock of the day.")
        return None
    return int(rows[0][0]) - int(moved) - shift_ns


def _host(database: Database) -> str:
    """Return the one name of a machine that the export states; "" where it states none."""
    rows = database.named(tables.SYSTEM, _HOST)
    names = {value for value in rows if isinstance(value, str) and value}
    return names.pop() if len(names) == 1 else ""


def _number(pattern: re.Pattern[str], environment: Iterable[str]) -> int | None:
    """Return the one number that all matching variables say; None where they differ."""
    found = {int(match[1]) for match in map(pattern.fullmatch, environment) if match}
    return found.pop() if len(found) == 1 else None
