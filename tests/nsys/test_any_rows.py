"""Whatever stands in the tables of an export, it becomes valid JSON, or is refused in one line."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures import nsys as made
from tp_tools.errors import InputError
from tp_tools.files.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PLACE = {"deviceId": 0, "contextId": 1, "streamId": 7, "globalPid": made.global_pid(100)}
JOB = made.job() | {
    made.GRAPH: [{"start": 1, "end": 2, **PLACE, "correlationId": 4, "graphId": 3}],
    "DIAGNOSTIC_EVENT": [{"severity": 3, "text": "Events were lost."}],
    "MPI_RANKS": [{"globalTid": made.global_tid(100, 100), "rank": 0}],
    "META_DATA_CAPTURE": [{"name": "PROCESS_0:ENVIRONMENT_VARIABLE", "value": "RANK=0"}],
}
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 100),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
)


@st.composite
def exports(draw: st.DrawFn) -> made.Tables:
    """The made job with some values replaced by any others."""
    tables: made.Tables = {name: [dict(row) for row in rows] for name, rows in JOB.items()}
    for _ in range(draw(st.integers(1, 12))):
        row = draw(st.sampled_from([row for rows in tables.values() for row in rows]))
        row[draw(st.sampled_from(sorted(row)))] = draw(VALUES)
    return tables


@given(tables=exports())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_values_become_json_or_are_refused(
    tables: made.Tables, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Columns of SQLite may hold any type; each event that is written has times from 0 on."""
    path: Path = tmp_path_factory.mktemp("any") / "made.sqlite"
    with suppress(sqlite3.Error, UnicodeEncodeError):  # what SQLite itself does not take
        made.write(path, tables)
    with suppress(InputError):
        trace: dict[str, Any] = json.loads(b"".join(Source(path, "made").blocks()))
        timed = [it for it in trace["traceEvents"] if it["ph"] != "M"]
        assert all(it["ts"] >= 0 and it.get("dur", 0) >= 0 for it in timed)
