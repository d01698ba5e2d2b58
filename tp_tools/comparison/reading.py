"""Read the sides that a command names: baselines, traces, folders of ranks, recordings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tp_tools import engine, library
from tp_tools.comparison import baseline
from tp_tools.comparison.collection import collect
from tp_tools.comparison.model import KERNEL
from tp_tools.comparison.sides import common_phase, largest, phases, pooled, side
from tp_tools.errors import InputError, UsageError
from tp_tools.merging import job_files
from tp_tools.merging.job_files import ANY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.comparison.model import Comparison, Side
    from tp_tools.comparison.ranks import RankSamples
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions

_NAMES = library.check("name_families")

_LEAST_SHARE = 0.001
"""Share of a step below which a kernel gets no family: the query takes 7 ms for each kernel."""

UNKNOWN = "unknown"
"""Stands for the phase of steps that have none."""


class Selection(Struct, frozen=True):
    """What to read of traces.

    Attributes:
        choice: of several profiles in a folder, this one.
        phase: takes steps of this phase; None for the one that takes most time.
        modules: whether to read samples by module.
    """

    choice: RankChoice = ANY
    phase: str | None = None
    modules: bool = False


def pair(
    names: tuple[str, str],
    selection: Selection,
    how: LoadOptions,
    reporter: Reporter,
    *,
    each: bool = False,
) -> tuple[Side, Side]:
    """Read two sides, each a baseline, a trace, or a folder of ranks.

    Args:
        names: baselines, files, folders or globs.
        selection: what to read of traces.
        how: options of loading.
        reporter: receives the stages of the work, notes and warnings.
        each: whether a name stands for several recordings of one program, not for ranks.

    Raises:
        UsageError: there is no such phase.
        InputError: a trace cannot be used, or the sides have no phase in common.
        EngineError: TraceProcessor failed.
    """
    kept = {name: baseline.read(name) for name in names if baseline.is_baseline(name)}
    groups = [
        ([[file] for file in job_files.list_traces([name]).files] if each else [[name]])
        if name not in kept
        else []
        for name in names
    ]
    read = iter(_ranks([group for of in groups for group in of], selection, how, reporter))
    ranks = [[next(read) for _ in of] for of in groups]
    if not kept:
        phase = _common(names, ranks[0][0], ranks[1][0], selection.phase)
    else:
        phase = next((it.facts.phase for it in kept.values()), "")
    a, b = (
        kept[name] if name in kept else pooled(name, [side(name, it, phase) for it in of])
        for name, of in zip(names, ranks, strict=True)
    )
    return a, b


def job(
    names: Sequence[str],
    selection: Selection,
    how: LoadOptions,
    reporter: Reporter,
    *,
    each: bool = False,
) -> Side:
    """Read one side: the ranks of a job, or several recordings of one program.

    Args:
        names: a baseline, or files, folders or globs.
        selection: what to read of traces.
        how: options of loading.
        reporter: receives the stages of the work, notes and warnings.
        each: whether each name is a recording of its own.

    Raises:
        UsageError, InputError, EngineError: as `pair`.
    """
    if len(names) == 1 and baseline.is_baseline(names[0]):
        return baseline.read(names[0])
    groups = [[name] for name in names] if each else [list(names)]
    read = _ranks(groups, selection, how, reporter)
    phase = selection.phase
    if phase is None:
        phase = largest(read[0]) or ""
    phase = "" if phase == UNKNOWN else phase
    sides = [side(group[0], ranks, phase) for group, ranks in zip(groups, read, strict=True)]
    return pooled(names[0], sides)


def _ranks(
    groups: Sequence[list[str]], selection: Selection, how: LoadOptions, reporter: Reporter
) -> list[list[RankSamples]]:
    """Read the ranks of each job."""
    jobs = [job_files.find(names, selection.choice) for names in groups]
    for it in jobs:
        it.say_left_out(reporter)
    ordered = [
        [rank.file for rank in it.in_order()[0]] if len(it.files) > 1 else it.files for it in jobs
    ]
    found = collect(ordered, how, reporter, modules=selection.modules)
    for names, ranks in zip(groups, found, strict=True):
        if not ranks:
            raise InputError(f"{names[0]}: has neither steps nor GPU work to compare.")
    return found


def _common(
    names: tuple[str, str], a: list[RankSamples], b: list[RankSamples], wanted: str | None
) -> str:
    """Return the phase to compare; "" where steps have none."""
    there = [sorted(it or UNKNOWN for it in phases(ranks)) for ranks in (a, b)]
    if wanted is not None:
        if not all(wanted in of for of in there):
            said = ", ".join(sorted({*there[0], *there[1]}))
            raise UsageError(f"not both sides have steps of phase {wanted}; there are: {said}.")
        return "" if wanted == UNKNOWN else wanted
    found = common_phase(a, b)
    if found is None:
        raise InputError(
            f"the sides have no phase in common: {', '.join(there[0])} in {names[0]}, "
            f"{', '.join(there[1])} in {names[1]}."
        )
    return found


def with_families(found: Comparison, engine_name: str | None) -> Comparison:
    """Ask the library for the families of the kernels of a comparison.

    Args:
        found: the comparison.
        engine_name: the TraceProcessor.

    Raises:
        EngineError: TraceProcessor failed.
    """
    full = {**found.a.full_names, **found.b.full_names}
    least_ns = _LEAST_SHARE * max(found.step.mean_a, found.step.mean_b)
    kernels = {
        it.key.name: full.get(it.key.name, it.key.name)
        for it in found.of(KERNEL)
        if it.key.detail == "compute" and max(it.mean_a, it.mean_b) >= least_ns
    }
    events = [
        {"ph": "X", "cat": "kernel", "name": name, "pid": 0, "tid": 0, "ts": at, "dur": 1}
        for at, name in enumerate(dict.fromkeys(kernels.values()))
    ]
    if not events:
        return found
    text = json.dumps({"traceEvents": events}).encode()
    with engine.load([text], source="names of kernels", engine=engine_name) as tp:
        families: dict[str, str] = dict(engine.run_file(tp, _NAMES).rows)
    by_name = {name: families[of] for name, of in kernels.items() if of in families}
    return replace(found, families=by_name)
