"""Tell the machine that a rank ran on, and the rail of its GPU; what is not known stays unknown."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.chrome.metadata import NO_HOST
from tp_tools.merging.rank_names import parse_file_name
from tp_tools.trace.categories import HOST_WORK
from tp_tools.trace.tracks import tracks_of

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class RankGpus(Struct, frozen=True):
    """The GPUs of a rank.

    Attributes:
        host: name of its machine; "" if it is not known.
        used: numbers of the GPUs that it works on.
        listed: how many GPUs its trace lists; 0 where it lists none.
    """

    host: str
    used: frozenset[int]
    listed: int


def rails(ranks: Mapping[int, RankGpus]) -> dict[int, int | None]:
    """Return the rail of each rank: the number of its GPU on its machine.

    None where that is not known: the machine is not, or the rank works on several GPUs; ranks of
    one machine have the same number (each sees one GPU alone, or they share one), or are more than
    the GPUs that a trace lists (MIG); or the rank is alone on its machine, on GPU 0, and its trace
    lists no second one: so does each process that sees one GPU.

    Args:
        ranks: the ranks by number.
    """
    by_host = defaultdict[str, list[RankGpus]](list)
    for gpus in ranks.values():
        by_host[gpus.host].append(gpus)
    known = {host for host, there in by_host.items() if host and _are_told_apart(there)}
    return {
        rank: next(iter(gpus.used)) if gpus.host in known and len(gpus.used) == 1 else None
        for rank, gpus in ranks.items()
    }


def _are_told_apart(ranks: list[RankGpus]) -> bool:
    """Tell whether the numbers of GPUs tell the ranks of one machine apart."""
    numbers = [number for rank in ranks for number in rank.used]
    listed = max(rank.listed for rank in ranks)
    if len(numbers) > len(set(numbers)) or (listed and len(ranks) > listed):
        return False
    return len(ranks) > 1 or listed > 1 or any(numbers)
