"""Helpers for tests of `tp-tools view`: the command in a process of its own, as a user runs it."""

from __future__ import annotations

import html
import http.client
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.line_counting import counting_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

TP_TOOLS = Path(sys.executable).with_name("tp-tools")
SECONDS = 120
"""After which something has gone wrong."""


@dataclass
class Viewing:
    """A running `tp-tools view`.

    Attributes:
        process: it.
        temporary: the only folder in which it makes temporary files.
        address: what it printed.
    """

    process: subprocess.Popen[str]
    temporary: Path
    address: str

    def fetch(self, path: str = "") -> bytes:
        """Fetch a path of the server, behind the token."""
        with urllib.request.urlopen(self.address + path, timeout=SECONDS) as answer:  # noqa: S310  its own
            content: bytes = answer.read()
        return content

    def sent_on_to(self) -> str:
        """Where its address leads a browser."""
        parts = urllib.parse.urlsplit(self.address)
        with closing(http.client.HTTPConnection(parts.netloc, timeout=SECONDS)) as connection:
            connection.request("GET", parts.path)
            location = connection.getresponse().headers["Location"]
        assert location is not None
        return location

    def data(self, name: str) -> str:
        """Return a data attribute of the page."""
        match = re.search(f'data-{name}="([^"]*)"', self.fetch().decode())
        assert match is not None
        return html.unescape(match[1])

    def leftovers(self) -> list[str]:
        """List the temporary folder."""
        return [path.name for path in self.temporary.iterdir()]

    def end(self, signal: int) -> int:
        """Sends it a signal; its exit code."""
        self.process.send_signal(signal)
        return self.process.wait(SECONDS)


@contextmanager
def viewing(*arguments: str | Path, stdin: bytes | None = None) -> Iterator[Viewing]:
    """Runs `tp-tools view --no-browser` while the block runs, from when it has said its address."""
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryFile() as given:
        given.write(stdin or b"")
        given.seek(0)
        command = [TP_TOOLS, "view", "--no-browser", *arguments]
        with subprocess.Popen(
            command,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **counting_variables(), "TMPDIR": temporary},
        ) as process:
            try:
                assert process.stdout is not None
                yield Viewing(process, Path(temporary), process.stdout.readline().strip())
            finally:
                process.kill()
