"""A user pastes the questions about a job into the Query tab, on a merge of ours and of others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fixtures import generate_ranks
from tests.support import generated
from tests.support.command_line import TpTools, run
from tests.support.handmade import text
from tests.support.rank_traces import custom, foreign, work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.perfetto_ui import PerfettoUi

pytestmark = pytest.mark.browser

QUERIES = ("allreduce", "collectives_by_rank", "stragglers")
SURE = ("certain", "tested")


@pytest.fixture(scope="module", params=["ours.json.gz", "ours.pftrace", "others.json"])
def merged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four ranks in one file."""
    folder = tmp_path_factory.mktemp("job")
    target: Path = folder / request.param
    if request.param == "others.json":
        slices = [
            custom(rank, 100 * i + 9 * rank, 100 * i + 40) for i in range(9) for rank in range(4)
        ]
        slices += [work(rank, 100 * i + 50, 100 * i + 60) for i in range(9) for rank in range(4)]
        target.write_bytes(text(foreign(slices)))
        return target
    job = generated.job(ranks=4, steps=6, straggling=0.2, only_collectives=False, args="comms_id")
    files = list(generate_ranks.written(job, folder))
    run("merge", *files, "-o", target, "-q")
    return target


@pytest.fixture(scope="module")
def ui(merged: Path, open_ui: Callable[[Path], PerfettoUi]) -> PerfettoUi:
    """One tab with the merge, for all queries."""
    return open_ui(merged)


@pytest.fixture(scope="module")
def answers(merged: Path) -> Path:
    """A folder with the rows of every query, of one `tp-tools query`."""
    folder = merged.parent / "rows"
    folder.mkdir()
    run("query", ",".join(QUERIES), merged, "--format", "json", "-q", "-o", folder)
    return folder


@pytest.mark.parametrize("name", QUERIES)
def test_the_page_shows_what_the_command_prints(
    name: str, answers: Path, ui: PerfettoUi, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The text of `tp-tools sql`, pasted, gives the rows of `tp-tools query` on that file."""
    # text for pids, as others write it, is what the page sees: it is asked as it is
    printed = json.loads((answers / f"{name}.json").read_text())
    shown = ui.query(TpTools(capsysbinary)("sql", name).out.decode())
    assert shown == printed
    assert any(row.get("collectives") or row.get("confidence") in SURE for row in shown)
