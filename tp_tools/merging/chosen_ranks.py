"""Take only the ranks of a job that were asked for; the others stay known by their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.errors import InputError
from tp_tools.merging import ranks
from tp_tools.merging.job_files import ANY, LeftOut
from tp_tools.merging.probe import probe

if TYPE_CHECKING:
    from tp_tools.merging.job_files import JobFiles
    from tp_tools.merging.probe import Probe
    from tp_tools.merging.rank_names import RankChoice


def of_ranks(found: JobFiles, choice: RankChoice) -> JobFiles:
    """Return the traces of the ranks to take; without such a choice all of them.

    Args:
        found: the traces of a job.
        choice: the ranks to take.

    Raises:
        InputError: no file is of one of these ranks; a file holds several ranks, or its rank is
            unknown.
    """
    if not choice.ranks:
        return found
    traces = [_probed(it) for it in found.traces]
    resolved, _ = ranks.resolve([(it.file, it.metadata) for it in traces], ANY)
    wanted = set(choice.wanted(0))
    places = {it.place for it in resolved if it.rank in wanted}
    if not places:
        there = ranks.some(it.rank for it in resolved)
        raise InputError(f"--ranks: no file is of one of these ranks; there are {there}.")
    beside = [it for place, it in enumerate(traces) if place not in places]
    return replace(
        found,
        traces=[it for place, it in enumerate(traces) if place in places],
        left_out=found.left_out + [LeftOut(it.file, _WHY) for it in beside],
        beside=beside,
    )


_WHY = "ranks that --ranks does not name"


def _probed(trace: Probe) -> Probe:
    """Return a trace with its metadata, which nobody read where it is the only one.

    Raises:
        InputError: it cannot be read, or holds several ranks.
    """
    if trace.is_given and trace.metadata.rank is None:
        trace = probe(trace.file, is_given=True)
    if trace.error is not None:
        raise trace.error
    if (count := trace.metadata.exported_ranks) > 1:
        raise InputError(
            f"{trace.file}: holds {count} ranks, of which --ranks takes none apart: merge all of "
            "them, or leave it out."
        )
    return trace
