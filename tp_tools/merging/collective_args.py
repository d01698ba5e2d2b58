"""Read the args by which kernels and annotations describe their collectives.

Format: PyTorch's Kineto, libkineto/src/output_json.cpp and
torch/csrc/distributed/c10d/ParamCommsUtils.hpp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome import reread
from tp_tools.trace.model import Scalar  # noqa: TC001  msgspec reads it
from tp_tools.trace.renaming import FULL_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.files import Source
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints

_HAS_COLLECTIVE = b'"Collective name"'
_HAS_FULL_NAME = b'"%b"' % FULL_NAME.encode()


class CollectiveArgs(
    msgspec.Struct,
    rename={
        "name": "Collective name",
        "nelems_in": "In msg nelems",
        "nelems_out": "Out msg nelems",
        "size": "Group size",
        "group": "Process Group Name",
        "description": "Process Group Description",
        "members": "Process Group Ranks",
        "seq": "Seq",
        "comms_id": "Comms Id",
        "stream": "stream",
        "full_name": FULL_NAME,
    },
):
    """The args by which a kernel or annotation describes its collective."""

    name: Scalar = None
    nelems_in: Scalar = None
    nelems_out: Scalar = None
    size: Scalar = None
    dtype: Scalar = None
    group: Scalar = None
    description: Scalar = None
    members: Scalar = None
    seq: Scalar = None
    comms_id: Scalar = None
    stream: Scalar = None
    full_name: Scalar = None


class _Event(msgspec.Struct, gc=False):
    args: msgspec.Raw = msgspec.Raw(b"")


_EVENTS = msgspec.json.Decoder(list[_Event])
_ARGS = msgspec.json.Decoder(CollectiveArgs)


def read_args(source: Source, trace: Trace, events: Ints) -> Iterator[tuple[int, CollectiveArgs]]:
    """Read the args about collectives of these events, from the text.

    Yields:
        Event number and args, of the events that have `Collective name`, or a short name and the
        full one among their args.
    """
    chosen = np.zeros(len(trace), np.bool_)
    chosen[events] = True
    for batch, text in reread.batch_texts(source, trace):
        here = chosen[batch.first : batch.first + batch.count]
        if not here.any() or not _speaks_of_names(text):
            continue
        decoded = _EVENTS.decode(b"[" + text[text.find(b"{") :] + b"]")
        for i in np.flatnonzero(here).tolist():
            args = bytes(decoded[i].args)
            if _speaks_of_names(args):
                yield batch.first + i, _ARGS.decode(args)


def _speaks_of_names(text: bytes) -> bool:
    """Tell whether a text holds the name of a collective, or the full name of a kernel."""
    return _HAS_COLLECTIVE in text or _HAS_FULL_NAME in text
