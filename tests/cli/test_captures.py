"""What commands show on terminals of 80 and 160 columns, as a person sees it.

`TP_TOOLS_CAPTURE=1 pytest tests/cli/test_captures.py` writes the captures anew: look at each.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixtures.make import HERE
from tests.support.terminal import screen

CAPTURES = Path(__file__).with_name("captures")
DECODE = "pdl_decode.json.gz"
COMMANDS = {
    "allreduce": ("query", "allreduce", "gloo4"),
    "steps": ("query", "steps", DECODE),
    "kernels": ("query", "kernels", DECODE),
    "copies": ("query", "copies", DECODE),
    "nothing": ("query", "dataloader", DECODE),
    "diff": ("diff", "sound.json.gz", DECODE, "--all"),
    "diagnose": ("diagnose", DECODE),
    "gaps": ("query", "gaps", DECODE),
    "fix": ("fix", DECODE, "--check"),
    "fix_several": ("fix", DECODE, "sound.json.gz", "amd_stream0.json.gz", "--check"),
    "info": ("info", DECODE),
}


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_terminal_shows(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer than the terminal, and no word is broken; the text is the capture's."""
    monkeypatch.chdir(HERE)
    lines = screen(width, *COMMANDS[name])
    capture = CAPTURES / f"{name}_{width}.txt"
    if os.environ.get("TP_TOOLS_CAPTURE"):
        capture.write_text("\n".join(lines) + "\n", "utf-8")
    assert max(map(len, lines)) <= width
    assert lines == capture.read_text("utf-8").splitlines()
