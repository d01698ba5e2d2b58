"""A terminal to run commands on, and what a person sees of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    import signal
    from pathlib import Path

COLUMNS, ROWS = 200, 60
SPINNER = "\u2800".encode()[:2]
SHOWN = re.compile("[\u2800-\u28ff] (.*?)(?: {2,}| [\u2500-\u257f]|$)")
"""Matches the name of a stage, between the spinner and a bar or a time."""

PROGRAM = """
import sys
from tp_tools.cli.main import run
run(patience_s=float(sys.argv.pop(1)))
"""


@dataclass
class Seen:
    """Result of a program whose stderr is a terminal.

    Attributes:
        code: its exit status.
        out: what it wrote on stdout, which is a file.
        raw: what it wrote to the terminal.
        lines: what the terminal shows in the end.
        stages: what was shown as being done, in order.
        has_cursor: whether the cursor is there in the end.
    """

    code: int
    out: bytes
    raw: bytes
    lines: list[str]
    stages: list[str]
    has_cursor: bool


def tp_tools(*arguments: str | Path, patience: float = 0, **more: str) -> Seen:
    """Runs the command line on a terminal.

    Args:
        arguments: its arguments.
        patience: how long work is not worth a line, in seconds.
        more: variables of its environment.
    """
    return on_terminal(PROGRAM, str(patience), *arguments, **more)


def on_terminal(
    program: str,
    *arguments: str | Path,
    until: str | None = None,
    then: signal.Signals | None = None,
    **more: str,
) -> Seen:
    """Runs a Python program on a terminal.

    Args:
        program: its text.
        arguments: its arguments.
        until: a regular expression of what the terminal is to show before `then`.
        then: a signal that it gets; None ends its standard input.
        more: variables of its environment.
    """
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    unwanted = {"COLUMNS", "NO_COLOR", "CI"}
    kept = {k: v for k, v in os.environ.items() if k not in unwanted}
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=there,
            env={**kept, "TERM": "xterm", **more},
        )
        os.close(there)
        assert process.stdin is not None
        screen = pyte.Screen(COLUMNS, ROWS)
        raw, stages = b"", list[str]()
        stream = pyte.ByteStream(screen)
        while block := _read(here):
            raw += block
            for piece in re.split(rb"(?<=\n)|(?=\r)", block):
                stream.feed(piece)
                if SPINNER in piece:
                    _note(screen, stages)
            if until is not None and re.search(until, "\n".join(screen.display)):
                until = None
                process.stdin.close() if then is None else process.send_signal(then)
        os.close(here)
        process.stdin.close()
        code = process.wait()
        out.seek(0)
        lines = "\n".join(line.rstrip() for line in screen.display).rstrip().splitlines()
        return Seen(code, out.read(), raw, lines, stages, not screen.cursor.hidden)


def screen(width: int, *arguments: str | Path) -> list[str]:
    """Runs the command line with stdout and stderr on a terminal.

    Args:
        width: columns of the terminal.
        arguments: arguments of tp-tools.

    Returns:
        The lines as they were written: one that is longer than the terminal is not broken.
    """
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, width, 0, 0))
    unwanted = {"COLUMNS", "NO_COLOR", "CI"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tp_tools", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=there,
        stderr=there,
        env={k: v for k, v in os.environ.items() if k not in unwanted} | {"TERM": "dumb"},
    )
    os.close(there)
    wide = pyte.Screen(width + COLUMNS, 2 * ROWS)
    stream = pyte.ByteStream(wide)
    while block := _read(here):
        stream.feed(block)
    os.close(here)
    process.wait()
    return "\n".join(line.rstrip() for line in wide.display).rstrip().splitlines()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other end was closed
        return b""


def _note(screen: pyte.Screen, stages: list[str]) -> None:
    for line in screen.display:
        if (found := SHOWN.match(line)) and found[1] not in stages:
            stages.append(found[1])
