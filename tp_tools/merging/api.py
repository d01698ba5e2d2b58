"""Offer the merge of a job as a function of the Python API.

import tp_tools

tp_tools.merge("traces/", "all.json.gz")
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools import notebook
from tp_tools.caller import KeptWarnings, paths
from tp_tools.errors import UsageError
from tp_tools.files.default_output import MERGED, in_current_folder
from tp_tools.merging import job_output
from tp_tools.merging.job_output import JobOptions
from tp_tools.merging.preparation import MergeOptions
from tp_tools.merging.rank_names import RankChoice
from tp_tools.merging.summary import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.alignment.alignment import Mode
    from tp_tools.caller import PathLike
    from tp_tools.merging.job_output import Format


class Merged(Struct, frozen=True):
    """What `tp_tools.merge` did.

    Attributes:
        output: the file that was written.
        numbers: the object of `tp-tools merge --summary json`: ranks with their clocks, matches,
            and what was written.
    """

    output: str
    numbers: dict[str, Any]

    def _repr_html_(self) -> str:
        """Return the ranks and their clocks as a table, for notebooks."""
        rows = [[rank[name] for name in _SHOWN] for rank in self.numbers["ranks"]]
        return notebook.paragraph(f"Wrote {self.output}.") + notebook.table(_SHOWN, rows)


_SHOWN = ("rank", "file", "aligned_by", "offset_ns", "drift_ppb", "residual_ns", "collectives")
"""What a notebook shows of each rank."""


def merge(
    inputs: PathLike | Iterable[PathLike],
    output: PathLike | None = None,
    *,
    align: Mode = "auto",
    gpu_only: bool = False,
    exclude: Iterable[str] = (),
    start_ns: int | None = None,
    end_ns: int | None = None,
    links: bool = True,
    short_names: bool = False,
    ranks: Iterable[int] | None = None,
    allow_missing: bool = False,
    profile: str | None = None,
    stage: str | None = None,
    format: Format = "trace",  # noqa: A002  as the option is called
    ranks_per_file: int | None = None,
    verify: bool = False,
    force: bool = False,
    jobs: int | None = None,
    engine: str | None = None,
) -> Merged:
    """Merge the ranks of a job into one trace: each repaired, all on one clock.

    Args:
        inputs: traces, folders, globs or URLs, in any order.
        output: the file to write, JSON or .pftrace by its suffix; None for FOLDER.merged.json.gz in
            the current folder.
        align: the common clock: "auto", "collectives", "base" or "none".
        gpu_only: whether only what runs on GPUs is written, with its annotations.
        exclude: categories that are left out.
        start_ns: only what ends after this time, ns from the first event of all ranks.
        end_ns: only what begins before this time, likewise.
        links: whether arrows join the ranks of a collective.
        short_names: whether kernels get names that can be read.
        ranks: numbers of the ranks that are read and written; None for all.
        allow_missing: whether ranks of the job may have no file.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.
        format: "trace", or "archive" for a zip of the repaired ranks.
        ranks_per_file: with "archive": ranks of an archive at most; `output` is a folder of
            archives, with index.html and index.json. None for one archive.
        verify: whether the merge, or each rank of an archive, is loaded and proven; not .pftrace.
        force: whether an existing output is replaced.
        jobs: ranks worked on at a time; None for one per core.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.

    Raises:
        tp_tools.errors.UsageError: the output exists, or options contradict each other.
        tp_tools.errors.InputError: a file cannot be used, or the files are not the ranks of one
            job.
        tp_tools.errors.OutputError: the output cannot be written.
        tp_tools.errors.VerificationError: a rank does not hold what it should.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    names = paths(inputs)
    kind = "folder" if ranks_per_file else format
    target = in_current_folder(names, MERGED[kind]) if output is None else os.fspath(output)
    how = MergeOptions(
        align=align,
        choice=RankChoice(profile, stage, allow_missing, _numbered(ranks)),
        gpu_only=gpu_only,
        excluded=frozenset(exclude),
        start_ns=start_ns,
        end_ns=end_ns,
        links=links,
        engine=engine,
        short_names=short_names,
    )
    kept = KeptWarnings()
    plan, counts = job_output.merge(
        JobOptions(names, target, how, format, verify, jobs, force, ranks_per_file=ranks_per_file),
        kept,
    )
    kept.warn_caller()
    return Merged(target, numbers(plan, counts))


def _numbered(ranks: Iterable[int] | None) -> tuple[range, ...]:
    """Return the numbers of ranks as a choice has them.

    Raises:
        UsageError: no rank is wanted.
    """
    if ranks is None:
        return ()
    numbers = tuple(range(number, number + 1) for number in ranks)
    if not numbers:
        raise UsageError("ranks is empty: nothing would be left. None stands for all ranks.")
    return numbers
