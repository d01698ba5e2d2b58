"""A user pastes the questions about a job into the Query tab, on a merge of ours and of others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import generate_ranks
from tests.support import generated
from tests.support.command_line import TpTools
from tests.support.handmade import text
from tests.support.rank_traces import custom, foreign, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.perfetto_ui import PerfettoUi

pytestmark = pytest.mark.browser

TP_TOOLS = Path(sys.executable).with_name("tp-tools")
QUERIES = ("allreduce", "collectives_by_rank", "stragglers")
SURE = ("certain", "tested")


def tp_tools(*arguments: str | Path) -> bytes:
    """Run the command and return its stdout."""
    run = subprocess.run([TP_TOOLS, *arguments], check=True, stdout=subprocess.PIPE, timeout=120)
    return run.stdout


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
    tp_tools("merge", *files, "-o", target, "-q")
    return target


@pytest.fixture(scope="module")
def ui(merged: Path, open_ui: Callable[[Path], PerfettoUi]) -> PerfettoUi:
    """One tab with the merge, for all queries."""
    return open_ui(merged)


@pytest.mark.parametrize("name", QUERIES)
def test_the_page_shows_what_the_command_prints(
    name: str, merged: Path, ui: PerfettoUi, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The text of `tp-tools sql`, pasted, gives the rows of `tp-tools query` on that file."""
    # text for pids, as others write it, is what the page sees: it is asked as it is
    here = TpTools(capsysbinary)
    printed = here("query", name, merged, "--format", "json", "-q").rows()
    shown = ui.query(here("sql", name).out.decode())
    assert shown == printed
    assert any(row.get("collectives") or row.get("confidence") in SURE for row in shown)
