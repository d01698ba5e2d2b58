"""Results in a notebook: tables, pages and the UI in a frame, run by a kernel of Jupyter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from fixtures.make import HERE
from tp_tools import notebook

if TYPE_CHECKING:
    from pathlib import Path

CELLS = {
    "query": "tp_tools.query('kernels', trace)",
    "diagnose": "tp_tools.diagnose(trace)",
    "info": "tp_tools.info(ranks)",
    "gate": "tp_tools.gate(trace, trace)",
    "fix": "tp_tools.fix(trace, check=True)",
    "merge": "tp_tools.merge(ranks, 'all.json.gz')",
    "diff": "tp_tools.diff(trace, trace)",
    "report": "tp_tools.report(trace)",
    "view": "import urllib.request\nshown = tp_tools.view(trace)\n"
    "assert b'view.js' in urllib.request.urlopen(shown.address).read()\nshown",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The HTML of the result of each cell; a cell that prints or fails is an error."""
    folder: Path = tmp_path_factory.mktemp("notebook")
    trace, ranks = str(HERE / "pdl_decode.json.gz"), str(HERE / "gloo4")
    start = f"import tp_tools\ntrace, ranks = {trace!r}, {ranks!r}"
    cells = [nbformat.v4.new_code_cell(text) for text in (start, *CELLS.values())]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    results = {}
    for name, cell in zip(CELLS, book.cells[1:], strict=True):
        (output,) = cell.outputs
        assert output.output_type == "execute_result"
        results[name] = output.data["text/html"]
    return results


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("query", "total_ns"),
        ("diagnose", "Exposed communication"),
        ("info", "To repair with `tp-tools fix`:"),
        ("gate", "step_time"),
        ("fix", "hidden kernel_ns"),
        ("merge", "residual_ns"),
        ("diff", "no difference is tested"),
    ],
)
def test_results_are_tables(shown: dict[str, str], name: str, says: str) -> None:
    """Each result is shown as a table with its numbers."""
    assert "<table" in shown[name]
    assert says in shown[name]


@pytest.mark.parametrize(("name", "says"), [("report", "srcdoc="), ("view", "src=")])
def test_pages_are_frames(shown: dict[str, str], name: str, says: str) -> None:
    """The report and the UI stand in a frame below the cell; the kernel answers for the UI."""
    assert "<iframe" in shown[name]
    assert says in shown[name]


def test_names_are_text() -> None:
    """A name that looks like markup is read as it is; numbers have commas, NULL is a dash."""
    text = notebook.table(("<b>", "n"), [("<script>", 12345), (None, True)])
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "12,345" in text
    assert "<td>-</td>" in text
    assert "True" in text
    assert notebook.frame('x"y', 3).count('"') % 2 == 0
