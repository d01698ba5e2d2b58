"""Read the beginning of a file: whether it is a trace, of a rank or merged, and of which rank."""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tp_tools.chrome import TraceMetadata
from tp_tools.chrome.damage import Losses
from tp_tools.chrome.envelope import EVENTS, read_head
from tp_tools.chrome.metadata import header_metadata
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.stream import SPACE, Malformed, TextStream
from tp_tools.errors import InputError
from tp_tools.files.databases import beginning
from tp_tools.files.source import DatabaseFound
from tp_tools.files.sources import is_rereadable, source_of
from tp_tools.merging.rank_names import parse_file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tp_tools.files.source import Source
    from tp_tools.files.sources import SourceOf

PERFETTO = (".pftrace", ".pftrace.gz", ".pftrace.zst", ".perfetto-trace")

_LARGEST_HEAD = 64 << 20
"""Most bytes before the events; a file without events in them is no trace."""

_FIRST_EVENTS = 128 << 10
"""Bytes of events that are searched for labels of merged ranks."""

_FIRST_TEXT = 64 << 10
"""Bytes in which the head is searched first; in twice as many then, and so on."""

_TAIL = 4 << 20
"""Bytes at the end of a file that may hold its metadata."""

_PHASE = re.compile(rb'"ph"\s*:')
_LABELLED_PID = re.compile(rb'"pid"\s*:\s*"\[[^"\]]*\d[^"\]]*\]\s*[^"]*"')
"""A process as tools that merge ranks name it, for example "[TP00] 1000"."""

_GPU_WORK = re.compile(rb'"cat"\s*:\s*"(?:[Kk]ernel|gpu_mem\w+|cuda_graph|Mem(?:cpy|set))"')


class Probe(Struct, frozen=True):
    """A file as far as its beginning tells.

    Attributes:
        file: its path.
        is_given: whether the user named the file itself; False if its folder was given.
        no_trace: the reason why it is no trace, for users; "" if it is one.
        error: the error of reading it; None if it can be read.
        is_perfetto: whether it is in Perfetto's own format instead of Chrome JSON.
        is_merged: whether it holds several ranks.
        has_gpu_work: whether it has kernels or copies; True if nobody searched for them.
        has_events: whether it has events; True if nobody searched for them.
        metadata: its metadata, read from the text around the events.
    """

    file: str
    is_given: bool
    no_trace: str = ""
    error: InputError | None = None
    is_perfetto: bool = False
    is_merged: bool = False
    has_gpu_work: bool = True
    has_events: bool = True
    metadata: TraceMetadata = TraceMetadata()


def probe(file: str, *, is_given: bool, sources: SourceOf = source_of) -> Probe:
    """Read the beginning of a file; read all of it if no rank stands before its events.

    Of the database of an export no event is read: what it holds is asked of its tables.

    Args:
        file: its path.
        is_given: as in `Probe`.
        sources: gives the file to read.
    """
    if not is_rereadable(file):
        return Probe(file, is_given)
    if file.endswith(PERFETTO):
        return Probe(file, is_given, is_perfetto=True)
    source = sources(file)
    source.converts = False
    try:
        return _probe_text(source, is_given=is_given)
    except DatabaseFound:
        pass
    finally:
        source.converts = True
    try:
        export = beginning(source)
    except InputError as error:
        return Probe(file, is_given, error=error)
    if export is None:
        return _probe_text(source, is_given=is_given)
    return Probe(
        file,
        is_given,
        has_gpu_work=export.has_gpu_work,
        has_events=export.has_events,
        metadata=header_metadata(export.head),
    )


def _probe_text(source: Source, *, is_given: bool) -> Probe:
    """Read the beginning of a text, as it is or repaired."""
    found = _read_probe(source, _plain, is_given=is_given)
    for repaired in (_thorough, _salvaged):
        if not isinstance(found.error, Malformed):
            return found
        again = _read_probe(source, repaired, is_given=is_given)
        found = found if again.error else again
    return replace(found, error=None) if found.no_trace else found


def _plain(blocks: Iterable[bytes]) -> Iterator[bytes]:
    return sanitized(blocks, Counter())


def _thorough(blocks: Iterable[bytes]) -> Iterator[bytes]:
    return sanitized(blocks, Counter(), thorough=True)


def _salvaged(blocks: Iterable[bytes]) -> Iterator[bytes]:
    from tp_tools.chrome.salvage import salvaged  # noqa: PLC0415  only for damaged text

    return salvaged(iter(blocks), Losses())


def _read_probe(
    source: Source, repaired: Callable[[Iterable[bytes]], Iterator[bytes]], *, is_given: bool
) -> Probe:
    """Read the beginning of Chrome JSON.

    Args:
        source: the file.
        repaired: repairs its text, block by block.
        is_given: as in `Probe`.

    Returns:
        The probe; its error is Malformed if the text needs other repairs.
    """
    file, text = source.name, _Text(source.blocks())
    feed = TextStream(repaired(text), file, _FIRST_TEXT)
    try:
        head = read_head(feed).text
    except InputError as error:
        why = _why_no_trace(feed.text, is_whole=not text.is_cut)
        is_sure = text.is_cut or (why and not isinstance(error, Malformed))
        return Probe(file, is_given, no_trace=why, error=None if is_sure else error)
    text.is_limited = False
    feed.grow(_FIRST_EVENTS)
    start = feed.text[:_FIRST_EVENTS]
    if head.lstrip(SPACE).startswith(b"[") and not _PHASE.search(start):
        return Probe(file, is_given, no_trace="its array holds no events")
    found = header_metadata(head)
    has_labels = _LABELLED_PID.search(start) is not None
    is_merged = found.is_merged or has_labels or parse_file_name(file).is_merged
    if found.rank is None and not is_merged:
        text.read_on()
        found = header_metadata(head, text.tail())
    is_known = found.rank is not None or is_merged  # then nobody searched the rest
    return Probe(
        file,
        is_given,
        is_merged=is_merged,
        has_gpu_work=text.has_gpu_work or is_known,
        has_events=text.has_events or is_known,
        metadata=found,
    )


def _why_no_trace(text: bytes, *, is_whole: bool) -> str:
    """Return the reason why this text is no trace, for users; "" if it may be a damaged trace."""
    if not is_whole:
        return f"no {EVENTS} in its first {_LARGEST_HEAD >> 20} MiB"
    try:
        value, _ = json.JSONDecoder().raw_decode(text.decode(errors="replace").lstrip())
    except (ValueError, RecursionError):
        return ""
    is_other = not isinstance(value, dict) or EVENTS not in value
    return f"it has no {EVENTS}" if is_other else ""


class _Text:
    """Give the text of a file block by block, keep its end, and search it for GPU work.

    Attributes:
        is_limited: whether to stop after the largest head; set to False once the head was read.
        is_cut: whether it stopped there.
        has_gpu_work: whether the text so far has kernels or copies.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._last = deque[bytes]()
        self._kept = 0
        self._size = 0
        self.is_limited = True
        self.is_cut = False
        self.has_gpu_work = False
        self.has_events = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks; raise InputError if the file cannot be read."""
        for block in self._blocks:
            self._keep(block)
            yield block
            if self.is_limited and self._size > _LARGEST_HEAD:
                self.is_cut = True
                return

    def read_on(self) -> None:
        """Read the rest of the file."""
        for block in self._blocks:
            self._keep(block)

    def tail(self) -> bytes:
        """Return the last few MiB of the text so far."""
        return b"".join(self._last)

    def _keep(self, block: bytes) -> None:
        edge = self._last[-1][-64:] + block[:64] if self._last else b""
        if not self.has_events:
            self.has_events = bool(_PHASE.search(block) or _PHASE.search(edge))
        if not self.has_gpu_work:
            self.has_gpu_work = bool(_GPU_WORK.search(block) or _GPU_WORK.search(edge))
        self._size += len(block)
        self._kept += len(block)
        self._last.append(block)
        while self._kept - len(self._last[0]) > _TAIL:
            self._kept -= len(self._last.popleft())
