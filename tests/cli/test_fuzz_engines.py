"""Engines of the fuzzer that are used again answer as new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from perfetto.trace_processor import api

from tests.support.small_traces import SOUND
from tools.fuzz import engines
from tp_tools import engine
from tp_tools.engine import loader
from tp_tools.errors import EngineError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = b'{"traceEvents":[%b]}' % b",".join(
    b'{"ph":"X","name":"n%d","pid":%d,"tid":1,"ts":%d,"dur":1}' % (i, i % 50, i)
    for i in range(20_000)
)
STATE = "SELECT count(*), max(id), sum(ts) FROM slice"


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use engines again during the test."""
    for module, name in ((loader, "EmbeddedBackend"), (api, "ProtoFactory")):
        monkeypatch.setattr(module, name, getattr(module, name))
    engines.keep_engines()
    yield
    engines.close_kept()


def state(data: bytes) -> list[tuple[object, ...]]:
    """Return what an engine holds of a trace, and its losses."""
    with engine.load([data], source="in", allow_loss=True) as tp:
        engine.rows(tp, "CREATE PERFETTO TABLE kept AS SELECT 1 AS one")
        return [*engine.rows(tp, STATE), tuple(engine.losses(tp))]


def test_an_engine_that_is_used_again_answers_as_a_new_one() -> None:
    """Neither slices, losses nor tables of the trace before are in it."""
    assert state(SOUND) == state(SOUND)
    first = state(MANY)
    assert (state(SOUND), state(MANY)) == (state(SOUND), first)


def test_an_engine_that_refused_a_trace_is_used_again() -> None:
    """Its next trace is read as by a new one."""
    before = state(SOUND)
    with pytest.raises(InputError):
        state(b"no trace")
    assert state(SOUND) == before


def test_what_was_closed_stays_closed() -> None:
    """A fault of use after the end shows, although the engine serves the next trace."""
    with engine.load([SOUND], source="in") as tp:
        pass
    with engine.load([SOUND], source="next"), pytest.raises(EngineError, match="was closed"):
        engine.rows(tp, "SELECT 1")
