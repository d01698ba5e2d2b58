"""A user opens a `.pftrace` in the Perfetto UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.make import FIXTURES, HERE, truth_of
from tests.support.command_line import run
from tests.support.kernels_in_ui import ARROWS, DECODE, kernels_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernels_in_ui import Opener

pytestmark = pytest.mark.browser

DEBUG_ARROWS = ARROWS.replace("'args.", "'debug.args.")


def converted(name: str, folder: Path, *options: str) -> Path:
    """A fixture as the command writes it."""
    out = folder / name.replace(".json.gz", ".pftrace")
    run("fix", HERE / name, "-o", out, *options)
    return out


@pytest.mark.parametrize("name", [*FIXTURES, "torch_cpu_with_stack.json.gz"])
def test_no_import_error(name: str, tmp_path: Path, open_ui: Opener) -> None:
    """No red icon, no dialog, and nothing else in the UI complains."""
    ui = open_ui(converted(name, tmp_path))
    assert ui.import_errors() == 0
    assert ui.errors == []


@pytest.fixture(scope="module")
def decode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture with lanes, converted."""
    return converted(DECODE, tmp_path_factory.mktemp("decode"))


def test_every_kernel_is_there(decode: Path, show_ui: Opener) -> None:
    """The UI's engine holds each kernel that was recorded, with its time."""
    found = kernels_in(show_ui(decode))
    truth = truth_of(DECODE)
    assert found.total() == truth["by_category"]["kernel"]
    assert sum(dur for _, dur in found.elements()) == truth["kernel_ns"]


def test_moved_kernels_share_the_row_of_their_stream(decode: Path, show_ui: Opener) -> None:
    """One row per stream under a process that is named after its GPU, host threads before it."""
    rows = [row for row in show_ui(decode).rows() if "/" in row]
    threads = [row for row in rows if row.startswith(("python3", "GPU"))]
    assert [row.split("/", 1)[1].split()[:2] for row in threads] == [
        ["thread", "4123"],
        ["stream", "7"],
        ["stream", "20"],
    ]
    assert threads[1].startswith("GPU 0 ")


def test_lanes_as_rows_of_their_own(tmp_path: Path, open_ui: Opener) -> None:
    """With --lanes rows the streams read as in JSON: stream 7, its lanes in order, stream 20."""
    ui = open_ui(converted(DECODE, tmp_path, "--lanes", "rows"))
    rows = [row.split("/")[-1].rsplit(" ", 1)[0].strip() for row in ui.rows()]
    streams = [row for row in rows if row.startswith("stream")]
    assert streams == ["stream 7", "stream 7 (2)", "stream 7 (3)", "stream 20"]


def test_every_launch_arrow_ends_at_its_kernel(decode: Path, show_ui: Opener) -> None:
    """Each arrow joins a launch and the kernel with its correlation."""
    ui = show_ui(decode)
    arrows = [(row["launch"], row["kernel"]) for row in ui.query(DEBUG_ARROWS)]
    numbers = [it["id"] for it in truth_of(DECODE)["arrows"]]
    assert arrows == [(number, number) for number in sorted(numbers)]
