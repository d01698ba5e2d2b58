"""The commands that measure the project: what they print, and how they are called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import bounds, damage, story

ROOT = Path(__file__).resolve().parents[1]


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a measuring command."""
    command = [sys.executable, "-m", f"tools.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["bounds", "damage", "launch_arrows"])
def test_the_help_has_an_example(name: str) -> None:
    """A command line that can be pasted stands in it."""
    done = tool(name, "--help")
    assert done.returncode == 0
    assert f"\n    python -m tools.{name} " in done.stdout


@pytest.mark.parametrize("arguments", [(), ("no such folder",), ("tests/support",)])
def test_arrows_are_counted_in_a_folder_that_holds_traces(arguments: tuple[str, ...]) -> None:
    """Anything else is an error of usage, in words."""
    done = tool("launch_arrows", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_few_damages_cost_more_than_they_hit() -> None:
    """Of a few of each place, drawn by a seed: none; `python -m tools.damage` reads more."""
    done = tool("damage", "--count", "15", "--seed", "3")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("15 damages, 0 cost more than they hit") == len(damage.PLACES)


def test_a_damage_that_costs_more_is_shown(tmp_path: Path) -> None:
    """The number of damages, and a line with the text of each that lost anything."""
    whole = damage.HEADS[-1] + damage.BEFORE + damage.TAIL
    lost = damage.Damaged(whole, (damage.BEFORE, damage.BEHIND), damage.TAIL)
    count, wrong = damage.measure("event", [lost], tmp_path / "t.json")
    assert count == 1
    assert wrong[0].startswith("event: lost b'")


def test_a_picture_shows_what_lies_in_its_window() -> None:
    """Bars are cut at both ends; those outside, or of other rows, are left out; texts are text."""
    bars = [
        story.Bar("a", -5, 10, "k"),
        story.Bar("a", 95, 10, "k", is_marked=True),
        story.Bar("a", 100, 5, "k"),
        story.Bar("b", 0, 5, "k"),
    ]
    drawn = story.picture([story.Panel("<title>", ["a"], bars, 100)])
    per_ns = (story.PANEL - story.LABELS) / 100
    assert drawn.count("<rect") == 1 + 2
    assert drawn.count(f'width="{5 * per_ns - 0.5:.1f}"') == 2
    assert drawn.count(story.MARKED) == 1
    assert "&lt;title&gt;" in drawn


def test_an_input_is_repaired_within_its_bounds() -> None:
    """A row says what it took, and how it ended; `python -m tools.bounds` has the large ones."""
    done = tool("bounds", "--only", "800 kernels")
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = done.stdout.splitlines()
    assert row.startswith("800 kernels that all overlap ")
    assert row.endswith(" MB  success")


@pytest.mark.parametrize(
    ("code", "words", "seconds", "megabytes", "fault"),
    [
        (3, "tp-tools: in.json: holds no text.", 1.0, 50.0, ""),
        (0, "", 1.0, 50.0, "ended with 0: "),
        (3, "tp-tools: in.json: is damaged.", 1.0, 50.0, "ended with 3: tp-tools: in.json: is dam"),
        (3, "tp-tools: in.json: holds no text.", 1e3, 50.0, "took 1000.0 s and 50 MB"),
        (3, "tp-tools: in.json: holds no text.", 1.0, 9e3, "took 1.0 s and 9000 MB"),
    ],
)
def test_what_is_wrong_with_an_input(
    code: int, words: str, seconds: float, megabytes: float, fault: str
) -> None:
    """Another end than the one it has to have, too much time, too much memory."""
    given = bounds.Input("zeros", "in.json", list, says="holds no text", is_refused=True)
    found = bounds.fault_of(given, code, words, seconds, megabytes)
    assert found.startswith(fault)
    assert bool(found) == bool(fault)
