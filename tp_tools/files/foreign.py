"""Recognize files that are given for traces by mistake, and say what they are and what to do."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.errors import InputError
from tp_tools.files import databases
from tp_tools.files.source import first_bytes
from tp_tools.files.sources import is_rereadable, source_of

if TYPE_CHECKING:
    from tp_tools.files.source import Source

_LOOKED_AT = 4 << 20
"""Most bytes of a file, decompressed, in which a mark is searched."""

_RECORD = "tp-tools reads what torch.profiler writes: prof.export_chrome_trace('trace.json.gz')."


class Kind(Struct, frozen=True):
    """A kind of file that is no trace for tp-tools.

    Attributes:
        is_a: what it is, for users.
        advice: what to do.
        suffixes: of names; any if there are none.
        start: regular expression of its first bytes.
        holds: regular expression of bytes that stand further on.
        lacks: regular expression of bytes that are nowhere in such a file.
    """

    is_a: str
    advice: str
    suffixes: tuple[str, ...] = ()
    start: bytes = b""
    holds: bytes = b""
    lacks: bytes = b""

    def matches(self, name: str, text: bytes) -> bool:
        """Tell whether a file is of this kind, by its name and its beginning."""
        return (
            (not self.suffixes or name.lower().endswith(self.suffixes))
            and re.match(self.start, text) is not None
            and (not self.holds or re.search(self.holds, text) is not None)
            and (not self.lacks or re.search(self.lacks, text) is None)
        )


_SQLITE = rb"SQLite format 3\0"
_DATABASE = b"SQLite format 3\0"
_EXPORT = (
    rb"rocpd_|CUPTI_ACTIVITY_|TARGET_INFO_|META_DATA_EXPORT|EXPORT_META_DATA|NVTX_EVENTS|OSRT_API"
)
_PICKLE = rb"\x80[\x02-\x05]"
_NO_JSON = rb"(?!\s*[{\[])"

KINDS = (
    Kind(
        "an Nsight Systems report",
        "Export it where nsys is installed, then give that: nsys export --type sqlite FILE.",
        suffixes=(".nsys-rep", ".qdrep"),
        start=rb"(?!SQLite format 3\0|\s*[{\[])",  # which the nsys of this machine made of it
    ),
    Kind(
        "an Nsight Compute report",
        f"Open it with ncu-ui. {_RECORD}",
        suffixes=(".ncu-rep",),
        start=_NO_JSON,
    ),
    Kind(
        "an SQLite database",
        _RECORD,
        start=_SQLITE,
        lacks=_EXPORT,
    ),
    Kind(
        "a memory snapshot of PyTorch",
        "Open it on https://pytorch.org/memory_viz, which draws it in your browser.",
        start=_PICKLE,
        holds=rb"device_traces|segments",
    ),
    Kind("a Python pickle", _RECORD, start=_PICKLE),
    Kind(
        "a web page",
        "Open it in a browser; tp-tools wants the trace that it was made of.",
        start=rb"(?i)\s*<(?:!doctype\s+html|html)",
        lacks=rb"trace-data|# tracer:",  # a systrace, which Perfetto reads
    ),
    Kind("a picture", "Give the trace that it shows.", start=rb"\x89PNG|\xff\xd8\xff|GIF8"),
    Kind("a PDF", _RECORD, start=rb"%PDF-"),
    Kind("a program or a core dump", _RECORD, start=rb"\x7fELF"),
    Kind(
        "JSON of rocprofv3",
        "Record with rocprofv3 --output-format rocpd, and give the database that it writes.",
        start=rb'\s*\{\s*"rocprofiler-sdk-tool"\s*:',
    ),
    Kind(
        "an execution trace of PyTorch, which has no times",
        f"Give the profiler's trace of the same run. {_RECORD}",
        start=rb'\s*\{\s*"schema"\s*:\s*"\d',
        holds=rb'"nodes"\s*:',
    ),
)
"""Kinds of files, the first that matches first."""

_PERFETTO_ONLY = (
    Kind("a recording of Linux perf", "Perfetto reads it: tp-tools view FILE.", start=b"PERFILE2"),
)
"""Kinds that TraceProcessor reads, and which have nothing that `fix` and `merge` know."""


def refuse_foreign(name: str, *, by_perfetto: bool = True, is_whole: bool = False) -> None:
    """Refuse a file that is of another kind than a trace; what cannot be read is left to others.

    Args:
        name: a path or a URL; "-", pipes and files that are not there are not looked at.
        by_perfetto: whether anything that TraceProcessor reads is wanted.
        is_whole: whether all of it will be read if it is none.

    Raises:
        InputError: it is of a known other kind; the message says which and what to do.
    """
    text = b""
    with suppress(OSError, InputError):
        if name == "-" or not is_rereadable(name):
            return
        text = _beginning(source_of(name, is_whole=is_whole))
    for kind in KINDS if by_perfetto else KINDS + _PERFETTO_ONLY:
        if text and kind.matches(name, text):
            if text.startswith(_DATABASE) and databases.is_export(name):
                return  # whose tables were named behind the beginning
            raise InputError(f"{name}: is {kind.is_a}. {kind.advice.replace('FILE', name)}")


def is_database(source: Source) -> bool:
    """Tell whether a file is an SQLite database: its bytes are not those of `Source.blocks`.

    Raises:
        InputError: the file cannot be read.
    """
    return first_bytes(source.stored()).startswith(_DATABASE)


def _beginning(source: Source) -> bytes:
    """Read the first bytes; more only of a file that is not JSON."""
    blocks = source.stored()
    first = next(blocks, b"")
    if re.match(_NO_JSON, first) is None or not first:
        return first
    text = bytearray(first)
    for block in blocks:
        text += block
        if len(text) >= _LOOKED_AT:
            break
    return bytes(text)
