"""`tp_tools.view`: the UI and the trace from a thread of the caller, until it is closed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING
from urllib.error import URLError

import pytest

import tp_tools
from fixtures.make import HERE, truth_of
from tests.support.command_line import kernel, write_trace
from tp_tools.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

DECODE = HERE / "pdl_decode.json.gz"
SCRIPT = """
import sys, tp_tools
print(tp_tools.view(sys.argv[1]).address)
"""


def fetch(address: str) -> bytes:
    """Fetch a page of this machine."""
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  its own
        content: bytes = answer.read()
    return content


def test_it_serves_the_repaired_trace_until_it_is_closed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page begins at the time; notebooks of this machine may frame it; nothing is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with tp_tools.view(DECODE, time_ns=500_000) as shown:
        page = fetch(shown.address).decode()
        assert "&quot;time&quot;: 500000" in page
        path = re.search('data-trace="([^"]*)"', page)
        assert path is not None
        (tmp_path / "shown.json.gz").write_bytes(fetch(shown.address + path[1]))
        with tp_tools.open_trace(tmp_path / "shown.json.gz", raw=True) as tp:
            (row,) = tp.query("SELECT COUNT(*) AS n FROM slice WHERE category = 'kernel'")
        assert row.n == truth_of(DECODE.name)["by_category"]["kernel"]
        with urllib.request.urlopen(shown.address, timeout=60) as answer:  # noqa: S310  its own
            policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors http://localhost:* http://127.0.0.1:*" in policy
        assert f'<iframe src="{shown.address}"' in shown._repr_html_()
    shown.close()  # once more
    with pytest.raises(URLError):
        fetch(shown.address)
    (tmp_path / "shown.json.gz").unlink()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_ranks_are_merged(tmp_path: Path) -> None:
    """A folder of ranks is one trace, with the processes of each."""
    for rank in range(2):
        write_trace(tmp_path / f"rank{rank}.json", kernel("k", 1, 2), rank=rank)
    with tp_tools.view(tmp_path) as shown:
        trace = json.loads(fetch(f"{shown.address}trace/job.json"))
    names = [it["args"]["name"] for it in trace["traceEvents"] if it["name"] == "process_name"]
    assert {name[:6] for name in names} >= {"rank 0", "rank 1"}


def test_it_ends_with_the_process(tmp_path: Path) -> None:
    """A script that closes nothing ends, without a word, and leaves no file."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, DECODE],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={"TMPDIR": str(tmp_path), "PATH": ""},
    )
    assert ran.stdout.startswith("http://127.0.0.1:")
    assert ran.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_one_place() -> None:
    """A slice and a time are two."""
    with pytest.raises(UsageError, match="slice_id or time_ns"):
        tp_tools.view(DECODE, slice_id=1, time_ns=2)
