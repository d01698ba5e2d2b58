"""Find the traces of one job among the files of a command: a folder as its framework left it."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tp_tools.errors import InputError
from tp_tools.files.foreign import refuse_foreign
from tp_tools.files.sources import source_of
from tp_tools.merging import inputs, profiles, ranks
from tp_tools.merging.earlier_output import is_earlier_output
from tp_tools.merging.probe import Probe, probe
from tp_tools.merging.rank_names import RankChoice, parse_file_name
from tp_tools.processes.pool import ALONE
from tp_tools.processes.worker import FileCall
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tp_tools.chrome import TraceMetadata
    from tp_tools.files.sources import SourceOf
    from tp_tools.merging.ranks import JobRank
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter

ANY = RankChoice(allow_missing=True)
"""Take the files of one job; ranks may be missing."""


class LeftOut(Struct, frozen=True):
    """A file that is not used.

    Attributes:
        file: its path.
        why: the reason in a few words, for users.
        is_broken: whether it may be the trace of a rank that nothing can be read from.
    """

    file: str
    why: str
    is_broken: bool = False


class JobFiles(Struct, frozen=True):
    """The traces of one job.

    Attributes:
        traces: the traces, in the order in which they were given or found.
        left_out: the other files.
        beside: the traces of ranks that were not asked for, which are left out, too.
    """

    traces: list[Probe]
    left_out: list[LeftOut]
    beside: list[Probe] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """The paths of the traces."""
        return [it.file for it in self.traces]

    def say_left_out(self, reporter: Reporter) -> None:
        """Report a line per reason, with the files that were left out for it."""
        by_why = defaultdict[tuple[str, bool], list[str]](list)
        for it in self.left_out:
            by_why[it.why, it.is_broken].append(Path(it.file).name)
        for (why, is_broken), names in by_why.items():
            tell = reporter.warn if is_broken else reporter.note
            tell(f"Left out: {ranks.some(names)}: {why}{'' if why.endswith('?') else '.'}")

    def in_order(self, reporter: Reporter = SILENT) -> tuple[list[JobRank], list[int]]:
        """Return the ranks in order, and the numbers of the ranks without a file.

        Args:
            reporter: as in `ranks.resolve`.

        Raises:
            InputError: the rank of a file is unknown, or the files contradict each other.
        """
        return ranks.resolve(_with_metadata(self.traces), ANY, reporter)


def find(
    names: Iterable[str],
    choice: RankChoice = ANY,
    besides: str = "",
    sources: SourceOf = source_of,
    pool: Pool = ALONE,
) -> JobFiles:
    """Find the traces of one job.

    Args:
        names: files, folders, globs, URLs, or standard input, as the user gave them.
        choice: the profile and the stage to take.
        besides: path of the output, which is not one of the traces; "" if there is none.
        sources: gives each file to read.
        pool: processes that read the beginnings of the files.

    Raises:
        InputError: there is no trace, one cannot be read, or they are of several profiles or
            stages.
        UsageError: standard input is given among others.
    """
    found = _without_broken(list_traces(names, besides, sources, pool))
    for it in found.traces:
        if it.no_trace:
            raise InputError(
                f"{it.file}: is not a Chrome JSON trace: {it.no_trace}. "
                "Give the file that the profiler wrote."
            )
    unranked = _unranked(found.traces)
    ranked = [it for it in found.traces if it.file not in unranked]
    others = [it for it in found.traces if it.file in unranked]
    if not ranked:
        kept, idle = _without_idle(others)
        return JobFiles(profiles.narrow(kept, choice), found.left_out + idle)
    ranked = profiles.narrow(ranked, choice)
    kept, no_ranks = _without_unranked(ranked, others)
    return JobFiles(kept, found.left_out + no_ranks)


def list_files(
    names: Iterable[str], choice: RankChoice, reporter: Reporter = SILENT, pool: Pool = ALONE
) -> list[str]:
    """List the paths of all traces, of one job or several.

    Args:
        names: as for `find`.
        choice: the profile and the stage to take; all of them if none is chosen.
        reporter: receives notes about files left out, and about several profiles or stages.
        pool: as for `find`.

    Raises:
        InputError: there is no trace, or none of the chosen profile and stage.
        UsageError: standard input is given among others.
    """
    found = _without_broken(list_traces(names, pool=pool))
    found.say_left_out(reporter)
    traces = profiles.chosen(found.traces, choice)
    unranked = _unranked(traces)
    try:
        profiles.refuse_several([it for it in traces if it.file not in unranked], choice)
    except InputError as error:
        reporter.say(str(error))
    return [it.file for it in traces]


def list_traces(
    names: Iterable[str], besides: str = "", sources: SourceOf = source_of, pool: Pool = ALONE
) -> JobFiles:
    """List all traces, of one job or several; leave out other files, copies and merges of traces.

    Args:
        names: as for `find`.
        besides: as for `find`.
        sources: as for `find`.
        pool: as for `find`.

    Raises:
        InputError: there is no trace.
        UsageError: standard input is given among others.
    """
    listed = list(names)
    found = [it for it in inputs.find(listed) if not is_earlier_output(it.file, besides, listed)]
    for it in found:
        if it.is_given:
            refuse_foreign(it.file)
    if not found:
        raise InputError(f"{', '.join(listed)}: holds no trace besides the output itself.")
    left_out = [
        LeftOut(it.file, "repaired copies, beside their traces") for it in found if it.is_copy
    ]
    found = [it for it in found if not it.is_copy]
    if len(found) == 1 and found[0].is_given:
        return JobFiles([Probe(found[0].file, is_given=True)], left_out)
    calls = (
        FileCall(
            partial(probe, it.file, is_given=it.is_given, sources=sources),
            inputs=(it.file,),
            keeps_inputs=True,
        )
        for it in found
    )
    probed = list(pool.map_ordered(calls))
    why = _reasons(probed)
    left_out += [LeftOut(it.file, why[it.file]) for it in probed if it.file in why]
    traces = [it for it in probed if it.file not in why]
    if not traces:
        reasons = "; ".join(f"{Path(it.file).name}: {it.why}" for it in left_out[:4])
        raise InputError(f"{', '.join(listed)}: holds no trace. {reasons}.")
    return JobFiles(traces, left_out)


def _without_broken(found: JobFiles) -> JobFiles:
    """Leave out files of a folder that cannot be read, beside others that can.

    Raises:
        InputError: the file was given by name, or is the only one.
    """
    broken = [(it.file, it.error) for it in found.traces if it.error is not None]
    if not broken:
        return found
    given = {it.file for it in found.traces if it.is_given}
    for file, error in broken:
        if file in given or len(broken) == len(found.traces):
            raise error
    left_out = [
        LeftOut(file, str(error).removeprefix(f"{file}: ").rstrip("."), is_broken=True)
        for file, error in broken
    ]
    sound = [it for it in found.traces if it.error is None]
    return JobFiles(sound, found.left_out + left_out)


def _reasons(probed: Sequence[Probe]) -> dict[str, str]:
    """Return the reason for each file of a folder that is left out."""
    why = {it.file: f"no trace: {it.no_trace}" for it in probed if it.no_trace and not it.is_given}
    traces = [it for it in probed if it.file not in why]
    of_ranks = [it for it in traces if not (it.is_merged or it.is_perfetto)]
    stems = {inputs.stem(it.file) for it in of_ranks}
    for it in traces if of_ranks else []:
        if it.is_given:
            continue
        if it.is_merged:
            why[it.file] = "ranks that were merged, beside these ranks"
        elif it.is_perfetto and (inputs.stem(it.file) in stems or not _names_rank(it.file)):
            why[it.file] = "Perfetto's own format, beside Chrome JSON"
    return why


def _names_rank(file: str) -> bool:
    name = parse_file_name(file)
    return name.rank is not None or bool(name.labels)


def _unranked(traces: list[Probe]) -> set[str]:
    """Return the files without a rank in their metadata or name, for example a server's front end.

    A rank in the name of a file without GPU work does not count if other files hold their rank in
    metadata, or if the name of a file with GPU work holds the same rank; but it counts if the file
    has no events at all, for it is that of a rank that recorded nothing.
    """
    stated = {it.metadata.rank for it in traces} - {None}
    busy = {parse_file_name(it.file).rank for it in traces if it.has_gpu_work}
    idle = {
        it.file
        for it in traces
        if not it.has_gpu_work and it.metadata.rank is None
        if (stated and it.has_events) or parse_file_name(it.file).rank in busy | stated
    }
    return idle | set(ranks.rankless(_with_metadata(traces)))


def _without_idle(traces: list[Probe]) -> tuple[list[Probe], list[LeftOut]]:
    """Leave out traces without GPU work, if others have some; none of the traces has a rank."""
    busy = [it for it in traces if it.has_gpu_work]
    if not busy or len(busy) == len(traces):
        return traces, []
    return busy, [LeftOut(it.file, _IDLE) for it in traces if not it.has_gpu_work]


_IDLE = "no rank: it names none, and has no GPU work"


def _without_unranked(
    ranked: list[Probe], others: list[Probe]
) -> tuple[list[Probe], list[LeftOut]]:
    """Add traces without a rank to the ranks, if they have GPU work and the job lacks ranks."""
    if not others:
        return ranked, []
    is_complete = _is_complete(ranked)
    out = [
        LeftOut(it.file, _IDLE if not it.has_gpu_work else "no rank: the others are all ranks")
        for it in others
        if is_complete or not it.has_gpu_work
    ]
    files = {it.file for it in out}
    return ranked + [it for it in others if it.file not in files], out


def _is_complete(traces: list[Probe]) -> bool:
    _, missing = ranks.resolve(_with_metadata(traces), ANY)
    return not missing and any(it.metadata.world_size is not None for it in traces)


def _with_metadata(traces: Sequence[Probe]) -> list[tuple[str, TraceMetadata]]:
    return [(it.file, it.metadata) for it in traces]
