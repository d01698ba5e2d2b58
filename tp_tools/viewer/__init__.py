"""Show a trace in the Perfetto UI, in a browser on this machine.

A `Source` enters `preparation.prepare_view`, which repairs or recompresses the trace where needed.
It leaves through `server.Server`, which serves the UI and the file until the page is closed.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.viewer.preparation import ViewFile, ViewOptions, prepare_view
    from tp_tools.viewer.server import Server

__all__ = ["Server", "ViewFile", "ViewOptions", "prepare_view"]

__getattr__ = exporter(
    __name__,
    {
        "ViewFile": "preparation",
        "ViewOptions": "preparation",
        "prepare_view": "preparation",
        "Server": "server",
    },
)
