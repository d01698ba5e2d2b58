"""Opens all ranks of a job in one TraceProcessor: merged, with the events that a query needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools import engine
from tp_tools.errors import UsageError
from tp_tools.files import temporary
from tp_tools.files.source import BLOCK
from tp_tools.merging import job_files, preparation
from tp_tools.merging import output as merge_output
from tp_tools.merging.preparation import MergeOptions
from tp_tools.processes.pool import usual_jobs
from tp_tools.progress import BUILDING
from tp_tools.writing.select import FLOWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.alignment.alignment import Mode
    from tp_tools.engine.processor import Processor
    from tp_tools.library import Header
    from tp_tools.merging.preparation import MergePlan
    from tp_tools.querying.trace_loader import LoadOptions

MOST_JOBS = 4
"""Ranks worked on at a time, at most: each takes memory, and the answer does, too."""

_SMALL = 16 << 20
"""Bytes on disk below which starting others to help takes longer than they save."""


def opened(traces: list[str], header: Header, how: LoadOptions) -> Processor:
    """A TraceProcessor that holds the ranks as `tp-tools merge` would write them; to be closed.

    See `load_job`.
    """
    return load_job(traces, header, how)[0]


def load_job(
    traces: list[str], header: Header, how: LoadOptions, align: Mode = "auto"
) -> tuple[Processor, MergePlan]:
    """The same, and what the merge found: the ranks, their clocks and their matches.

    Args:
        traces: the files of the ranks, in any order; some may be missing, which is warned about.
        header: what the query needs, where the traces are large.
        how: how they are opened.
        align: how clocks are brought together.

    Raises:
        UsageError: the files are to be taken as they are, which ranks cannot.
        InputError: a file cannot be used, or they are not the ranks of one job.
        EngineError: TraceProcessor failed.
    """
    with temporary.folder() as folder:
        file = folder / "job.json"
        prepared = write(traces, header, how, file, align=align)
        size = file.stat().st_size
        with how.progress("loading the job", size, BUILDING) as seen:
            blocks = _blocks(file, seen)
            tp = engine.load(blocks, source="the job", engine=how.engine, size=size, say=how.say)
        return tp, prepared


def write(
    traces: list[str], header: Header, how: LoadOptions, file: Path, *, align: Mode = "auto"
) -> MergePlan:
    """Writes the merged ranks, as far as they are needed, to a file of JSON.

    Args:
        traces: as for `load_job`.
        header: likewise.
        how: likewise.
        file: where they go.
        align: likewise.

    Raises:
        UsageError, InputError, EngineError: as `load_job`.
    """
    if how.raw:
        raise UsageError("ranks are on one clock only once they are merged: leave out --raw.")
    size = sum(Path(it).stat().st_size for it in traces)
    jobs = 1 if size < _SMALL else min(MOST_JOBS, usual_jobs(), len(traces))
    with (
        temporary.full_disk_named(),
        temporary.folder() as folder,
        preparation.rank_pool(jobs, how.engine) as pool,
    ):
        with how.progress(f"reading {len(traces)} ranks", size, "aligning clocks") as seen:
            wishes = MergeOptions(align=align, choice=job_files.ANY, engine=how.engine)
            prepared = preparation.prepare(traces, wishes, pool, how.say, seen, folder=folder)
            prepared = _needed(prepared, header, how)
        for it in prepared.gathered:
            it.damage.tell(it.file, how.warn, how.say)
        if prepared.missing:
            missing = ", ".join(map(str, prepared.missing))
            how.warn(f"the job has more ranks than there are files; missing: {missing}.")
        with (
            how.progress("merging the ranks", size, "writing collectives") as seen,
            file.open("wb") as out,
        ):
            out.writelines(merge_output.blocks(prepared, pool, {}, seen=seen))
    return prepared


def _needed(prepared: MergePlan, header: Header, how: LoadOptions) -> MergePlan:
    """The ranks with what is needed of them only, where all of it would be large."""
    size = sum(it.size for it in prepared.gathered)
    if how.needs is None or size <= how.needs_above:
        return prepared
    links = FLOWS in how.needs
    wishes = replace(prepared.wishes, needs=how.needs, args=header.args, links=links)
    return replace(prepared, wishes=wishes)


def _blocks(file: Path, seen: Callable[[int], None]) -> Iterator[bytes]:
    with file.open("rb") as text:
        while block := text.read(BLOCK):
            seen(len(block))
            yield block
