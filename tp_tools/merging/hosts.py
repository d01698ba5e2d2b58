"""Tell the machine that a rank ran on; what is not known stays unknown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.chrome.metadata import NO_HOST
from tp_tools.merging.rank_names import parse_file_name
from tp_tools.trace.categories import HOST_WORK
from tp_tools.trace.tracks import tracks_of

if TYPE_CHECKING:
    from tp_tools.chrome import TraceMetadata
    from tp_tools.trace import Trace

_HOST_PID = re.compile(r"(?P<host>.+)_(?P<pid>\d+)(?:\.[\w-]+)?\.\d{10,}\.(?:pt\.)?trace\.json")
"""Names of `tensorboard_trace_handler` (torch/profiler/profiler.py): HOST_PID.TIME.pt.trace.json;
HOST is `socket.gethostname()`, PID the id of the process, unless the program gave another name."""


def host_of(file: str, trace: Trace, stated: TraceMetadata) -> str:
    """Return the name of the machine that a trace was recorded on; "" where it is not known.

    It is what the trace states (`host_name`), else what the name of its file holds before the
    number of a process: that counts where threads of that process are in the trace, and the number
    is not that of a rank, so that `worker_1.TIME.pt.trace.json` names no machine.

    Args:
        file: path of the trace.
        trace: what was read from it.
        stated: its metadata.
    """
    name = Path(file).name
    match = _HOST_PID.match(name)
    if stated.host or match is None or match["host"] == NO_HOST:
        return stated.host
    pid = int(match["pid"])
    if pid in parse_file_name(name).hints:
        return ""
    threads = tracks_of(trace, HOST_WORK)
    return match["host"] if any(trace.tracks[track][0] == pid for track in threads) else ""
