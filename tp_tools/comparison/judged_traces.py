"""Judge traces by a baseline, or write a baseline of them: what `gate` does in every place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.comparison import baseline, gating, reading
from tp_tools.comparison.verdicts import Judgement
from tp_tools.errors import EngineError, InputError, UsageError
from tp_tools.files import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.comparison.model import Side
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions


class Recordings(Struct, frozen=True):
    """Traces to judge, and how they are read.

    Attributes:
        names: files, folders or globs.
        each: whether each name is a recording of its own; else they are the ranks of one.
        choice: which profile of several in a folder.
        phase: the phase whose steps are taken; None for that of the baseline, or of a baseline the
            one that takes most time.
    """

    names: Sequence[str]
    each: bool
    choice: RankChoice
    phase: str | None

    def read(
        self, phase: str | None, how: LoadOptions, reporter: Reporter, *, modules: bool
    ) -> Side:
        """Read the samples of a phase; see `reading.job`."""
        wanted = reading.Selection(self.choice, phase, modules)
        return reading.job(self.names, wanted, how, reporter, each=self.each)


class Limit(Struct, frozen=True):
    """How much worse than a baseline traces may be.

    Attributes:
        baseline: a baseline, or a trace or folder of ranks.
        metrics: what is judged, of `gating.METRICS`.
        most: how much worse a metric may be: 0.05 is 5 %.
    """

    baseline: str
    metrics: tuple[str, ...]
    most: float = 0.05


def judge(
    recordings: Recordings,
    limit: Limit,
    how: LoadOptions,
    reporter: Reporter,
) -> Judgement:
    """Judge traces by a baseline; a trace that cannot be used cannot be judged.

    Args:
        recordings: the traces.
        limit: the baseline, and how much worse they may be.
        how: options of loading.
        reporter: receives the stages of the work, notes and warnings.

    Raises:
        UsageError: there is no such metric, or the baseline is of another phase.
        InputError: the baseline cannot be used.
        EngineError: TraceProcessor failed on the baseline.
    """
    gating.check(limit.metrics)
    modules = gating.needs_modules(limit.metrics)
    wanted = reading.Selection(recordings.choice, recordings.phase, modules)
    before = reading.job([limit.baseline], wanted, how, reporter)
    phase = before.facts.phase or reading.UNKNOWN
    if recordings.phase not in {None, phase}:
        raise UsageError(f"{limit.baseline}: is of phase {phase}, not of {recordings.phase}.")
    try:
        now = recordings.read(phase, how, reporter, modules=modules)
        return gating.gate(before, now, limit.metrics, limit.most)
    except (InputError, EngineError) as error:
        return Judgement(cannot=(str(error),))


def write_baseline(
    recordings: Recordings,
    limit: Limit,
    how: LoadOptions,
    reporter: Reporter,
) -> Side:
    """Write a baseline of traces, over one that is there.

    Args:
        recordings: the traces.
        limit: the .json file to write, and what will be judged by it: modules are read where one
            metric is of a module.
        how: options of loading.
        reporter: receives the stages of the work, notes and warnings.

    Returns:
        What was written.

    Raises:
        UsageError: there is no such metric or phase.
        InputError: a trace cannot be used.
        EngineError: TraceProcessor failed.
        OutputError: the file cannot be written.
    """
    gating.check(limit.metrics)
    output.check(limit.baseline, force=True, suffixes=(".json",))
    modules = gating.needs_modules(limit.metrics)
    side = recordings.read(recordings.phase, how, reporter, modules=modules)
    with output.written(limit.baseline, [baseline.text(side)]):
        pass
    return side
