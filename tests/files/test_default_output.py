"""Outputs are named after what the user gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tp_tools.errors import UsageError
from tp_tools.files.default_output import in_current_folder, stem

if TYPE_CHECKING:
    from pathlib import Path


def test_suffixes_of_traces_are_no_part_of_the_name() -> None:
    """The name of a trace ends before the suffixes that say its format."""
    assert stem("a/r0.json.gz") == "r0"
    assert stem("r0.pftrace.gz") == stem("r0.pftrace") == "r0"
    assert stem("r0.1000.pt.trace.json.zst") == "r0.1000.pt.trace"


def test_a_folder_gives_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder counts, whether it is given, holds what is given, or is the current one."""
    run = tmp_path / "run7"
    run.mkdir()
    (run / "r0.json").touch()
    monkeypatch.chdir(run)
    several = [f"{run}/r0.json", f"{run}/r1.json"]
    for given in ([str(run)], several, [f"{run}/*.json"], ["."], ["*.json"]):
        assert in_current_folder(given, ".html") == "run7.html"
    assert in_current_folder([f"{run}/r0.json"], ".html") == "r0.html"
    assert in_current_folder(["/"], ".html") == "traces.html"


def test_standard_input_has_no_name() -> None:
    """The user is asked for -o."""
    with pytest.raises(UsageError, match="say with -o"):
        in_current_folder(["-"], ".html")
