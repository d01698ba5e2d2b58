"""A user opens merged ranks in the Perfetto UI."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import generate_ranks
from tests.support.command_line import run
from tests.support.generated import STEP
from tests.support.perfetto_ui import PerfettoUi

pytestmark = pytest.mark.browser

RANK = re.compile(r"^rank (\d+) GPU")


def merged(files: list[Path], target: Path, *options: str) -> Path:
    """Merges the files with the command."""
    run("merge", *files, "-o", target, "--quiet", *options)
    return target


def in_order(ui: PerfettoUi) -> list[int]:
    """The ranks of the GPU rows, from top to bottom."""
    names = ui.query(
        "SELECT DISTINCT upid, process.name FROM thread_track JOIN thread USING (utid) "
        "JOIN process USING (upid)"
    )
    ranks = {row["upid"]: RANK.match(row["name"] or "") for row in names}
    shown = ui.page.evaluate("() => self.app.trace.workspace.children.map(node => node.uri ?? '')")
    found = [ranks.get(int(uri.rpartition("_")[2])) for uri in shown if uri.startswith("/process_")]
    return [int(match[1]) for match in found if match]


@pytest.mark.parametrize("suffix", [".json.gz", ".pftrace"])
def test_eight_real_ranks_open_in_order(
    suffix: str,
    real_trace: Callable[[str], Path],
    open_ui: Callable[[Path], PerfettoUi],
    tmp_path: Path,
) -> None:
    """No import error, and equal ranks from top to bottom, also in v52, which knows no order."""
    recorded = generate_ranks.copies(real_trace("b200_vllm_tp8_rank0.cut700.json.gz"), 8, tmp_path)
    # the frames of Python, two thirds of all slices, have no part in the order
    ui = open_ui(merged(recorded, tmp_path / f"all{suffix}", "--exclude", "python_function"))
    assert ui.import_errors() == 0
    assert in_order(ui) == list(range(8))


def test_a_collective_is_one_slice_with_arrows(
    open_ui: Callable[[Path], PerfettoUi], tmp_path: Path
) -> None:
    """Generated ranks: windows in their own process, an arrow to every other rank of each."""
    job = generate_ranks.generate(
        generate_ranks.structure(STEP), generate_ranks.Wishes(ranks=4, steps=6)
    )
    files = list(generate_ranks.written(job, tmp_path))
    ui = open_ui(merged(files, tmp_path / "all.json.gz"))
    assert ui.import_errors() == 0
    windows = ui.query("SELECT COUNT(*) AS n FROM slice WHERE category = 'collective'")[0]["n"]
    between = ui.query(
        "SELECT COUNT(*) AS n FROM flow JOIN slice AS a ON a.id = slice_out "
        "JOIN slice AS b ON b.id = slice_in WHERE a.category = 'kernel' AND b.category = 'kernel'"
    )[0]["n"]
    assert windows > 30
    assert 2 * windows < between <= 3 * windows
