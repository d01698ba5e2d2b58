"""A user pastes the library into the Query tab: the rows are those of the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE
from tests.support.command_line import TpTools, run
from tp_tools import library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.perfetto_ui import PerfettoUi

pytestmark = pytest.mark.browser

TRACE = HERE / "pdl_decode.json.gz"
RANK = 0
"""That the trace states."""


@pytest.fixture(scope="module")
def ui(
    open_ui: Callable[[Path], PerfettoUi], tmp_path_factory: pytest.TempPathFactory
) -> PerfettoUi:
    """One tab with the trace as `fix` wrote it, for all queries."""
    fixed = tmp_path_factory.mktemp("fixed") / TRACE.name
    run("fix", TRACE, "-o", fixed)
    return open_ui(fixed)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows of every query, of one `tp-tools query`."""
    folder: Path = tmp_path_factory.mktemp("rows")
    run("query", ",".join(library.queries()), TRACE, "--format", "json", "-q", "-o", folder)
    return folder


@pytest.mark.parametrize("name", list(library.queries()))
def test_the_page_shows_what_the_command_prints(
    name: str,
    answers: Path,
    ui: PerfettoUi,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    """The text of `tp-tools sql`, pasted, gives the rows of `tp-tools query`, in their order."""
    printed = json.loads((answers / f"{name}.json").read_text())
    text = TpTools(capsysbinary)("sql", name).out.decode()
    shown = ui.query(text)
    # the rank stands in the header, which the engine does not read, and the command does
    shown = [row | {"rank": RANK} if row.get("rank", RANK) is None else row for row in shown]
    assert shown == printed
    assert [list(row) for row in shown] == [list(row) for row in printed]


def test_queries_do_not_get_in_each_others_way(ui: PerfettoUi) -> None:
    """All printed texts run in one session in another order, though they define the same names."""
    for path in reversed(library.queries().values()):
        ui.run(library.expand(library.read(path)))
