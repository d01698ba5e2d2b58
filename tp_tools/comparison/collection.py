"""Read the traces of a comparison: run the queries on each, several at a time."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tp_tools.chrome.metadata import TraceMetadata, metadata
from tp_tools.comparison import ranks, waiting
from tp_tools.engine import query_rows
from tp_tools.files import open_source
from tp_tools.files.source import disk_size
from tp_tools.processes import open_pool
from tp_tools.processes.local import default_jobs, is_single_threaded
from tp_tools.progress import SILENT, Reporter
from tp_tools.querying import load_trace, lookup
from tp_tools.querying.trace_loader import is_chrome_json, load_planned
from tp_tools.repair import OverlapOptions, analysis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tp_tools.comparison.ranks import RankSamples
    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source
    from tp_tools.querying import LoadOptions

QUERIES = (ranks.SAMPLES, ranks.SEQUENCE)
"""Queries that run on every trace; `ranks.OPS` runs on those without GPU work, `ranks.PHASES` on
those whose steps may have phases."""


class _Kept(Struct, Reporter):
    """Keeps what a worker has to say.

    Attributes:
        notes, warnings: the lines so far.
    """

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Keep a note."""
        self.notes.append(line)

    def warn(self, line: str) -> None:
        """Keep a warning."""
        self.warnings.append(line)


def collect(
    sides: Sequence[Sequence[str]],
    how: LoadOptions,
    reporter: Reporter,
    *,
    modules: bool = False,
) -> list[list[RankSamples]]:
    """Run the queries on every trace of every side.

    Args:
        sides: files of each side: the ranks of a job, or one trace.
        how: options of loading; which categories is decided here.
        reporter: receives the stages of the work, notes and warnings.
        modules: whether to take samples by module, for which Python stacks are loaded.

    Returns:
        The samples of the ranks of each side.

    Raises:
        InputError: a trace cannot be used.
        EngineError: TraceProcessor failed.
    """
    files = [file for side in sides for file in side]
    found: list[tuple[list[RankSamples], _Kept]] = []
    with ExitStack() as held:
        stage = held.enter_context(reporter.stage(f"reading {len(files)} traces", len(files)))
        jobs = min(default_jobs(disk_size(files)), len(files))
        if jobs > 1 and is_single_threaded():
            import tp_tools.engine.loader  # noqa: F401, PLC0415  forked workers then have it
        pool = held.enter_context(open_pool(jobs - 1, ahead=1))
        for it in pool.map_ordered(partial(read, file, how, modules) for file in files):
            found.append(it)
            stage.advance(1)
    for _, kept in found:
        for line in kept.notes:
            reporter.note(line)
        for line in kept.warnings:
            reporter.warn(line)
    rest = iter(found)
    read_sides = [[(file, it) for file in side for it in next(rest)[0]] for side in sides]
    return [
        waiting.split(of, how, reporter) if len(side) > 1 else [it for _, it in of]
        for side, of in zip(sides, read_sides, strict=True)
    ]


def read(
    file: str,
    how: LoadOptions,
    modules: bool = False,  # noqa: FBT001, FBT002  a call for workers
) -> tuple[list[RankSamples], _Kept]:
    """Load one trace and run the queries; a call for workers.

    Args:
        file: its name.
        how: options of loading.
        modules: as in `collect`.

    Returns:
        The samples of its ranks, and what is to be said.

    Raises:
        InputError, EngineError: as `collect`.
    """
    kept = _Kept()
    queries = [lookup.from_file(name) for name in (*QUERIES, *[ranks.MODULES] * modules)]
    ops, phases = lookup.from_file(ranks.OPS), lookup.from_file(ranks.PHASES)
    how = replace(how, viewer_ids=False)
    with open_source(file) as source:
        load, stated = _loader(source, how, kept)
        with load(lookup.needing(how, [*queries, phases]), kept) as tp:
            answers = {it.title: query_rows(tp, it.sql, it.name) for it in queries}
            if ranks.may_have_phases(answers[ranks.SAMPLES]):
                answers[ranks.PHASES] = query_rows(tp, phases.sql, phases.name)
        if not answers[ranks.SEQUENCE].rows:  # ops are many, so they are loaded for it alone
            with load(lookup.needing(how, [ops]), SILENT) as tp:
                answers[ranks.OPS] = query_rows(tp, ops.sql, ops.name)
    return ranks.of_trace(answers, stated), kept


def _loader(
    source: Source, how: LoadOptions, reporter: Reporter
) -> tuple[Callable[[LoadOptions, Reporter], Processor], TraceMetadata | None]:
    """Return what loads a trace, and what its header says, if it is Chrome JSON."""
    if not is_chrome_json(source):
        return partial(load_trace, source), None
    options = OverlapOptions(engine=how.engine)
    planned = analysis.plan_trace(source, options, reporter, flows=False)
    return partial(load_planned, source, planned), metadata(planned.trace)
