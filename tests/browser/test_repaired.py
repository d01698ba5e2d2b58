"""A user opens a trace in the Perfetto UI: as recorded, and as repaired by `tp-tools fix`."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from fixtures.make import FIXTURES, HERE, truth_of
from tests.support.command_line import run
from tests.support.kernels_in_ui import ARROWS, DECODE, Opener, kernels_in

pytestmark = pytest.mark.browser

Repairer: TypeAlias = Callable[[str], Path]
DEFECTIVE = sorted(set(FIXTURES) - {"sound.json.gz"})


def hidden_kernels(name: str) -> Counter[tuple[str, int]]:
    """The (name, dur in ns) of every kernel that is known to be hidden."""
    hidden = truth_of(name)["hidden"]
    return Counter((it["name"], it["dur"]) for it in hidden if it["cat"] == "kernel")


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Repairer:
    """Repair a fixture with the command, as a user would; returns the repaired file."""
    folder = tmp_path_factory.mktemp("fixed")

    @cache
    def repair(name: str) -> Path:
        out: Path = folder / name.replace(".json", ".fixed.json")
        run("fix", HERE / name, "-o", out)
        return out

    return repair


@pytest.mark.parametrize("name", DEFECTIVE)
def test_a_raw_trace_shows_the_import_error(name: str, open_ui: Opener) -> None:
    """The UI's red icon counts exactly the slices that a truth calls hidden."""
    assert open_ui(HERE / name).import_errors() == len(truth_of(name)["hidden"])


@pytest.mark.parametrize("name", [*DEFECTIVE, "torch_cpu_with_stack.json.gz"])
def test_a_fixed_trace_shows_no_error(name: str, open_ui: Opener, fixed: Repairer) -> None:
    """After the repair the red icon is gone, and nothing else in the UI complains."""
    ui = open_ui(fixed(name))
    assert ui.import_errors() == 0
    assert ui.errors == []


def test_a_hidden_kernel_is_back(show_ui: Opener, fixed: Repairer) -> None:
    """The Query tab misses the hidden kernels of the raw trace and finds them in the fixed one."""
    before, after = kernels_in(show_ui(HERE / DECODE)), kernels_in(show_ui(fixed(DECODE)))
    assert after - before == hidden_kernels(DECODE)
    assert after.total() == truth_of(DECODE)["by_category"]["kernel"]
    assert sum(dur for _, dur in after.elements()) == truth_of(DECODE)["kernel_ns"]


def test_a_lane_stands_beside_its_stream(show_ui: Opener, fixed: Repairer) -> None:
    """The rows read stream 7, its lanes in order, stream 20."""
    rows = [row.split("/")[-1].rsplit(" ", 1)[0].strip() for row in show_ui(fixed(DECODE)).rows()]
    streams = [row for row in rows if row.startswith("stream")]
    assert streams == ["stream 7", "stream 7 (2)", "stream 7 (3)", "stream 20"]


def test_every_launch_arrow_ends_at_its_kernel(show_ui: Opener, fixed: Repairer) -> None:
    """In the fixed trace each arrow joins a launch and the kernel with its correlation."""
    arrows = [(row["launch"], row["kernel"]) for row in show_ui(fixed(DECODE)).query(ARROWS)]
    numbers = [it["id"] for it in truth_of(DECODE)["arrows"]]
    assert arrows == [(number, number) for number in sorted(numbers)]
