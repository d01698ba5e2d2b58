"""Damage in `distributedInfo`: the rank of the trace stays, and no other one replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.handmade import source_of
from tp_tools.chrome.metadata import metadata
from tp_tools.chrome.reader import read

if TYPE_CHECKING:
    from pathlib import Path

EVENT = b'{"ph":"X","name":"a","pid":0,"tid":7,"ts":1,"dur":5}'
PLACES = [
    b'{"distributedInfo":%s,"a":1,"traceEvents":[%s],"traceName":"x"}',
    b'{"traceEvents":[%s],"distributedInfo":%s,"traceName":"x"}',
    b'{"traceEvents":[%s],"traceName":"x","distributedInfo":%s}',
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "job",
    [
        b'{"backend":"nc"cl","rank":3,"world_size":8}',
        b'{"backend":"nccl","rank":3,"world_size":8,"pg_config":[{"pg_name":"a"b"}]}',
        b'{"rank":3,"pg_config":[{"pg_name":"0"","rank":5,"ranks":[1]}],"world_size":8}',
        b'{"backend":"nc"c"l"","pg_config":[{"pg_name":"0","pg_size":2}],"rank":3,"world_size":8}',
    ],
)
def test_an_odd_number_of_quotes_costs_no_rank(place: bytes, job: bytes, tmp_path: Path) -> None:
    """Wherever the member stands, and whatever of it has to be left out."""
    parts = (job, EVENT) if place == PLACES[0] else (EVENT, job)
    found = metadata(read(source_of(place.replace(b"%s", b"%b") % parts, tmp_path)))
    assert (found.rank, found.world_size) == (3, 8)


def test_a_rank_of_which_there_are_two_is_none(tmp_path: Path) -> None:
    """Nothing says which of them is that of the trace; neither becomes a member around it."""
    job = b'{"backend":n,c"l","rank":5,"pg_config":[{"pg_name":"0"x,"rank":3}]}'
    trace = read(source_of(PLACES[1].replace(b"%s", b"%b") % (EVENT, job), tmp_path))
    assert metadata(trace).rank is None
    assert b'"rank"' not in trace.tail.text
    assert trace.repairs["damaged_members"]
