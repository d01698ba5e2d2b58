"""Looks at a trace: what it is, what is in it, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools import engine
from tp_tools.chrome.parallel_reader import batch_pool, reading_jobs
from tp_tools.chrome.reader import read
from tp_tools.inspection import about, kernel_kinds
from tp_tools.inspection.contents import contents
from tp_tools.inspection.inventory import Kernels, inventory
from tp_tools.merging import rank_names
from tp_tools.querying.trace_loader import LoadOptions, is_chrome_json, load_trace
from tp_tools.repair.defects import defects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.files.source import Source
    from tp_tools.inspection.about import About
    from tp_tools.inspection.inventory import Inventory
    from tp_tools.repair.defects import Defects

_EPOCH_FROM_NS = 10**18
"""Times above it, and no base time beside them, are counted from 1970: it is 2001 by them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class TraceInfo:
    """A trace that was looked at.

    Attributes:
        file: its name.
        named: its rank and its place on the parallel axes, as its name says.
        bytes: on disk.
        text_bytes: of its text; None where it is no Chrome JSON.
        about: what it says about itself; None likewise.
        inventory: what is in it.
        kinds: the kind of collective by the name of the kernel.
        defects: what is wrong with it; None where it is no Chrome JSON.
        lost: what TraceProcessor lost on loading, by its own names; empty where it was not loaded.
    """

    file: str
    named: dict[str, int]
    bytes: int
    text_bytes: int | None
    about: About | None
    inventory: Inventory
    kinds: Mapping[str, str]
    defects: Defects | None
    lost: Mapping[str, int]

    def collectives(self) -> list[Kernels]:
        """The kernels of each kind of collective, most time first."""
        count, time = Counter[str](), Counter[str]()
        for kernels in self.inventory.kernels:
            kind = self.kinds.get(kernels.name)
            if kind is not None:
                count[kind] += kernels.count
                time[kind] += kernels.dur_ns
        return [Kernels(kind, count[kind], total) for kind, total in time.most_common()]

    def start_utc(self) -> str | None:
        """When the first event was, in UTC, to the millisecond; None if the trace does not say."""
        start = self.inventory.start_ns
        base = self.about.base_ns if self.about is not None else None
        if start is None or (base is None and start < _EPOCH_FROM_NS):
            return None
        try:
            moment = _EPOCH + timedelta(microseconds=((base or 0) + start) // 1000)
        except OverflowError:
            return None
        return moment.isoformat(" ", "milliseconds").replace("+00:00", " UTC")

    def as_object(self) -> dict[str, Any]:
        """For JSON; times and durations in ns, None where the trace does not say."""
        found = asdict(self.inventory)
        del found["kernels"]  # thousands of names, and `tp-tools query kernels` says more
        return {
            "file": self.file,
            "named": self.named,
            "bytes": self.bytes,
            "text_bytes": self.text_bytes,
            "about": asdict(self.about) if self.about is not None else None,
            "start_utc": self.start_utc(),
            **found,
            "collectives": [asdict(kernels) for kernels in self.collectives()],
            "defects": self.defects.as_object() if self.defects is not None else None,
            "lost": dict(self.lost),
        }


def describe(source: Source, how: LoadOptions) -> TraceInfo:
    """Chrome JSON is read; anything else is loaded into TraceProcessor, which takes longer.

    Args:
        source: the file.
        how: how it is loaded where it has to be.

    Raises:
        InputError: the file cannot be used.
        EngineError: TraceProcessor failed.
    """
    if is_chrome_json(source):
        with (
            batch_pool(source, reading_jobs()) as pool,
            how.progress(f"reading {source.name}", source.size()) as seen,
        ):
            trace = read(source, seen, pool)
        with how.progress("counting"):
            found = inventory(trace)
            text_bytes, said = trace.text_size(), about.about(trace)
        with how.progress("looking for defects"):
            wrong = defects(trace)
        lost: dict[str, int] = {}
    else:
        with load_trace(source, how) as tp, how.progress("asking SQL what is in it"):
            found, lost = contents(tp), engine.losses(tp)
        text_bytes, said, wrong = None, None, None
    names = kernel_kinds.collectives(kernels.name for kernels in found.kernels)
    named = _named(source, said)
    return TraceInfo(source.name, named, source.size(), text_bytes, said, found, names, wrong, lost)


def _named(source: Source, said: About | None) -> dict[str, int]:
    """What the file's name says of its place in the job: {"RANK": 3, "TP": 3}.

    "tp8" in the name of rank 0 is how many there are, and no place.
    """
    name = rank_names.parse_file_name(Path(source.name).name)
    known = said.rank if said is not None and said.rank is not None else name.rank
    labels = {axis: at for axis, at in name.labels.items() if known is None or at <= known}
    return labels if name.rank is None else {"RANK": name.rank, **labels}
