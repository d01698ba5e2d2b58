"""Helpers for tests of queries: small traces of ranks, and the command line run in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tp_tools.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KERNELS = "SELECT name, dur FROM slice WHERE category = 'kernel' ORDER BY ts"


def kernel(name: str, ts: float, dur: float, **more: object) -> dict[str, Any]:
    """A kernel on stream 7 of GPU 0; times in us."""
    return {
        "ph": "X",
        "cat": "kernel",
        "name": name,
        "pid": 0,
        "tid": 7,
        "ts": ts,
        "dur": dur,
    } | more


def write_trace(path: Path, *events: dict[str, Any], rank: int | None = None) -> Path:
    """Writes Chrome JSON as Kineto does, with the rank in its header."""
    job = {} if rank is None else {"distributedInfo": {"backend": "nccl", "rank": rank}}
    path.write_text(json.dumps({**job, "traceEvents": events}))
    return path


@dataclass
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: bytes
    err: str

    def rows(self) -> list[dict[str, Any]]:
        """Rows that the command printed with --format json."""
        rows: list[dict[str, Any]] = json.loads(self.out)
        return rows


def run(*arguments: str | Path) -> None:
    """Runs `tp-tools` in this process; a command that fails raises SystemExit."""
    main([str(argument) for argument in arguments])


class TpTools:
    """Runs `tp-tools`, in this process."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self.capture = capture

    def __call__(self, *arguments: str | Path) -> Ran:
        """Runs it with these arguments; paths are given as text."""
        self.capture.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        written = self.capture.readouterr()
        return Ran(code, written.out, written.err.decode())
