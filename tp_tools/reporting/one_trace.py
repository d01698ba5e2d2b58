"""Collect the answers about one trace: read it once, load it, and ask.

Of a large trace several processes each load the same events into a TraceProcessor of their own, and
ask a part of the queries: their rows are those that one would give.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.chrome.parallel_reader import batch_pool, reading_jobs
from tp_tools.engine import Rows
from tp_tools.files import open_source
from tp_tools.files.kept import MOST_TEXT
from tp_tools.inspection import trace_info
from tp_tools.merging.read_rank import StoredRank, store_rank
from tp_tools.processes.worker import FileCall
from tp_tools.progress import Recorder
from tp_tools.querying import load_trace
from tp_tools.querying.trace_loader import is_chrome_json
from tp_tools.querying.unknown_devices import unknown_devices
from tp_tools.repair import OverlapOptions, analysis
from tp_tools.reporting import questions
from tp_tools.reporting.answers import Answers, Part, ask_planned, ask_stored, engines_at_a_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tp_tools.files import Source
    from tp_tools.files.sources import KeptSources
    from tp_tools.inspection import TraceInfo
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.unknown_devices import Devices


def collect_one(
    trace: str,
    queries: Sequence[Query],
    options: LoadOptions,
    reporter: Reporter,
    *,
    kept: KeptSources,
    jobs: int | None = None,
    least: int | None = None,
) -> tuple[TraceInfo, Answers]:
    """Describe a trace and ask about it.

    Args:
        trace: name of its file.
        queries: all queries of `questions.PARTS`.
        options: the engine.
        reporter: receives the stages of the work, and warnings of lost data.
        kept: keeps the text.
        jobs: processes that read a large trace together, and then ask about it; None for one per
            core, up to four.
        least: bytes of a file from which it is large; None as for `batch_pool`.

    Raises:
        InputError: the trace is damaged.
        EngineError: TraceProcessor failed.
    """
    whole = Part([*queries], questions.needing(options, queries))
    with open_source(trace) as opened, batch_pool(opened, jobs or reading_jobs(), least) as pool:
        source = kept.keep(opened, 0 if pool.workers else MOST_TEXT)
        if not is_chrome_json(source):
            return _ask_other(source, whole, reporter)
        planned = analysis.plan_trace(source, OverlapOptions(engine=options.engine), reporter, pool)
        info = trace_info.of_read(source, planned.trace, reporter)
        most = engines_at_a_time(planned.trace.text_size(), options)
        count = min(pool.size, len(questions.PARTS), most)
        if count == 1:
            return info, ask_planned(source, planned, whole, reporter)
        spool = kept.folder / "planned"
        store_rank(StoredRank(source, planned.trace, planned.plan, planned.table), spool)
        del planned
        return info, _ask_in_parts(whole, count, pool, spool, reporter)


def _ask_other(source: Source, whole: Part, reporter: Reporter) -> tuple[TraceInfo, Answers]:
    """Load and ask what is no Chrome JSON."""
    tp = load_trace(source, whole.loading, reporter)
    info = trace_info.of_loaded(source, tp, reporter)
    with tp, reporter.stage(whole.doing):
        rows = questions.ask(tp, whole.queries)
        return info, Answers(rows, unknown_devices(source, tp, whole.loading.engine))


def _ask_in_parts(whole: Part, count: int, pool: Pool, spool: Path, reporter: Reporter) -> Answers:
    """Ask the questions in parts, this process the last one."""
    calls = (
        FileCall(partial(ask_stored, part, Recorder()), reads=(spool,))
        for part in _parts(whole, count)
    )
    rows = dict[str, Rows]()
    devices: Devices = ()
    with reporter.stage(f"{whole.doing} in {count} processes", count) as stage:
        for outcome in replace(pool, ahead=1).outcomes(calls):
            answers = outcome()
            answers.lines.tell(reporter)
            rows |= answers.rows
            devices += answers.devices
            stage.advance(1)
    first = [query.title for query in whole.queries]
    return Answers({name: rows[name] for name in (*first, *rows)}, devices)


def _parts(whole: Part, count: int) -> list[Part]:
    """Share the queries; each part loads all events, so that ids are known as for the whole."""
    shared = [
        [query for query in whole.queries if query.title in names]
        for names in questions.parts(count)
    ]
    return [
        Part(
            queries,
            replace(whole.loading, args=questions.needing(whole.loading, queries).args),
            asks_devices=number == 0,
        )
        for number, queries in enumerate(shared)
    ]
