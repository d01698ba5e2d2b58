"""Offer the Perfetto UI as a function of the Python API.

import tp_tools

tp_tools.view("rank0.json.gz")
"""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools import notebook
from tp_tools.caller import KeptWarnings
from tp_tools.errors import UsageError
from tp_tools.files import open_source, temporary
from tp_tools.querying import LoadOptions, api
from tp_tools.viewer import perfetto_ui, startup
from tp_tools.viewer.one_file import one_file
from tp_tools.viewer.place import Place
from tp_tools.viewer.preparation import ViewOptions, prepare_view
from tp_tools.viewer.server import ANY_PORT, Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.caller import PathLike

_HEIGHT = 800
"""Height of the UI in a notebook, in pixels."""


class View:
    """A trace in the Perfetto UI, on this machine, until it is closed; a notebook shows it.

    Attributes:
        address: URL of the UI, for a browser on this machine.
        name: name of the file that is shown.
    """

    def __init__(self, server: Server, name: str, stack: ExitStack) -> None:
        """Serve from a thread of its own, which ends with the process.

        Args:
            server: the server, with its site.
            name: name of the file.
            stack: what has to be closed behind the server.
        """
        self.address = server.address()
        self.name = name
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        # Of the server, not of this: a view that nobody holds is still shown in a notebook.
        self._end = weakref.finalize(server, _end, server, thread, stack)
        thread.start()

    def close(self) -> None:
        """Stop the server, and remove its temporary files."""
        self._end()

    def __enter__(self) -> View:  # noqa: PYI034  typing.Self is not in Python 3.10
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _repr_html_(self) -> str:
        """Return the UI in a frame, for notebooks."""
        link = f'<a href="{escape(self.address)}" target="_blank">{escape(self.name)}</a>'
        return f"<p>{link}</p>{notebook.frame(self.address, _HEIGHT)}"


def _end(server: Server, thread: threading.Thread, stack: ExitStack) -> None:
    server.shutdown()
    thread.join()
    stack.close()


def view(
    traces: PathLike | Iterable[PathLike],
    *,
    slice_id: int | None = None,
    time_ns: int | None = None,
    raw: bool = False,
    port: int | None = None,
    engine: str | None = None,
    profile: str | None = None,
    stage: str | None = None,
) -> View:
    """Show a trace, or the merged ranks of a job, in the Perfetto UI, repaired.

    The UI comes with tp-tools and is served on 127.0.0.1 by this process. A notebook shows it in
    a frame; elsewhere give `.address` to a browser. It ends with the process, or by `.close()`.

    Args:
        traces: files, folders, globs, URLs. Several traces are the ranks of one job.
        slice_id: begin at this slice, by its id as queries have it.
        time_ns: begin at this time, ns from the start of the trace.
        raw: whether the file is shown as it is, not as repaired.
        port: of the server; None for any that is free.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.

    Raises:
        tp_tools.errors.UsageError: the port is taken, or both a slice and a time are given.
        tp_tools.errors.InputError: a trace cannot be used, or the ranks do not fit together.
        tp_tools.errors.EngineError: TraceProcessor failed.
        tp_tools.errors.OutputError: the disk is too full for the copy.
    """
    if slice_id is not None and time_ns is not None:
        raise UsageError("give slice_id or time_ns, not both.")
    place = None if slice_id is time_ns is None else Place(slice_id, time_ns)
    kept = KeptWarnings()
    files = api.find_files(traces, profile, stage, kept).files
    with ExitStack() as stack:
        server = stack.enter_context(Server(port or ANY_PORT))
        folder = stack.enter_context(temporary.folder())
        name = one_file(files, folder, LoadOptions(engine, raw), kept)
        with open_source(name) as source:
            shown = prepare_view(source, ViewOptions(folder, raw, engine), kept)
        server.site = perfetto_ui.offline_site(
            shown.path, shown.name, startup.commands(shown.analysis), place, is_framed=True
        )
        opened = View(server, Path(shown.name).name, stack.pop_all())
    kept.warn_caller()
    return opened
