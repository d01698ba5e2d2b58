"""Read the two sides that a command names."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tp_tools import engine, library
from tp_tools.comparison.collection import collect
from tp_tools.comparison.model import KERNEL
from tp_tools.comparison.sides import common_phase, phases, side
from tp_tools.errors import InputError, UsageError
from tp_tools.merging import job_files

if TYPE_CHECKING:
    from tp_tools.comparison.model import Comparison, Side
    from tp_tools.comparison.ranks import RankSamples
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions

_NAMES = library.check("name_families")


def sides(
    names: tuple[str, str],
    choice: RankChoice,
    phase: str | None,
    how: LoadOptions,
    reporter: Reporter,
    *,
    modules: bool = False,
) -> tuple[Side, Side]:
    """Read two sides.

    Args:
        names: files, folders or globs.
        choice: of several profiles in a folder, this one.
        phase: takes steps of this phase; None for the one that takes most time.
        how: options of loading.
        reporter: receives the stages of the work, notes and warnings.
        modules: whether to compare modules, too.

    Raises:
        UsageError: there is no such phase.
        InputError: a trace cannot be used, or the sides have no phase in common.
        EngineError: TraceProcessor failed.
    """
    jobs = [job_files.find([name], choice) for name in names]
    for job in jobs:
        job.say_left_out(reporter)
    ordered = [
        [it.file for it in job.in_order()[0]] if len(job.files) > 1 else job.files for job in jobs
    ]
    a, b = collect(ordered, how, reporter, modules=modules)
    chosen = _phase(names, a, b, phase)
    return side(names[0], a, chosen), side(names[1], b, chosen)


def _phase(
    names: tuple[str, str], a: list[RankSamples], b: list[RankSamples], wanted: str | None
) -> str:
    """Return the phase to compare; "" where steps have none."""
    there = [sorted(it or "unknown" for it in phases(side)) for side in (a, b)]
    for name, ranks in zip(names, (a, b), strict=True):
        if not ranks:
            raise InputError(f"{name}: it has neither steps nor GPU work to compare.")
    if wanted is not None:
        if not all(wanted in of for of in there):
            said = ", ".join(sorted({*there[0], *there[1]}))
            raise UsageError(f"not both sides have steps of phase {wanted}; there are: {said}.")
        return "" if wanted == "unknown" else wanted
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
    kernels = {
        it.key.name: full.get(it.key.name, it.key.name)
        for it in found.of(KERNEL)
        if it.key.detail == "compute"
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
