"""Serve files of a folder on this machine, and count the bytes that are asked for."""

from __future__ import annotations

import http.server
import re
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class Web:
    """A web server.

    Attributes:
        url: of its folder.
        served: bytes that it sent, by the name of the file.
    """

    url: str
    served: Counter[str] = field(default_factory=Counter)


@contextmanager
def served(folder: Path, *, knows_ranges: bool = True) -> Iterator[Web]:
    """Serve a folder while the block runs; without ranges each answer is a whole file."""
    counts = Counter[str]()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, directory=str(folder), **more)  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            """Send a file or a part of it."""
            path = Path(self.translate_path(self.path))
            if path.is_dir():
                super().do_GET()
                return
            if not path.exists():
                self.send_error(404)
                return
            text = path.read_bytes()
            wanted = _RANGE.fullmatch(self.headers.get("Range", "")) if knows_ranges else None
            part = text[int(wanted[1]) : int(wanted[2] or len(text)) + 1] if wanted else text
            self.send_response(206 if wanted else 200)
            if wanted:
                first = int(wanted[1])
                self.send_header(
                    "Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(text)}"
                )
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            counts[path.name] += len(part)
            self.wfile.write(part)

        def end_headers(self) -> None:
            """Say whether ranges can be had."""
            self.send_header("Accept-Ranges", "bytes" if knows_ranges else "none")
            super().end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Web(f"http://127.0.0.1:{server.server_port}/", counts)
        server.shutdown()
