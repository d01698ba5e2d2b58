"""Write a job as several archives on the clock of all its ranks, with an index of them."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct

from tp_tools.files import output_folder
from tp_tools.merging import archive_index
from tp_tools.merging.archive import archives
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.merging.output import Counts
    from tp_tools.merging.preparation import MergePlan
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter

_NAMES = re.compile(r"ranks-\d+-\d+\.zip|index\.(html|json)")
"""Names of all files in such a folder."""

_DIGITS = 4


def check(name: str, *, force: bool) -> None:
    """Check that the folder can be written: `output_folder.check`."""
    output_folder.check(name, _NAMES, force=force)


class _Group(Struct, frozen=True):
    """The ranks of an archive, as indices into those of the plan, and the name of its file."""

    file: str
    members: list[int]


def write(
    plan: MergePlan,
    pool: Pool,
    name: str,
    most: int,
    reporter: Reporter = SILENT,
    *,
    counts: Counts,
    is_verified: bool = False,
) -> None:
    """Write the folder: archives, then `index.json` and `index.html`.

    Args:
        plan: the ranks, read and aligned.
        pool: processes that write the ranks.
        name: the folder.
        most: ranks of an archive at most.
        reporter: receives the size of each input in bytes once the rank was written.
        counts: numbers of events that grow with each rank.
        is_verified: whether each rank is loaded and compared with what was recorded.

    Raises:
        InputError: a file changed since it was read.
        OutputError: the folder cannot be written.
        VerificationError: a rank differs from what was recorded and its repairs.
        EngineError: TraceProcessor failed.
    """
    groups = [
        _Group(_file_name(plan, members), members)
        for members in divided([read.host for read in plan.summaries], most)
    ]
    with output_folder.written(name) as folder:
        targets = [(folder / group.file, group.members) for group in groups]
        entries = []
        done = archives(plan, pool, targets, reporter, counts=counts, is_verified=is_verified)
        for group, (path, members), of in zip(groups, targets, done, strict=True):
            entries.append(
                archive_index.Entry(
                    group.file, path.stat().st_size, of.events, of.slices, _ranks(plan, members)
                )
            )
        index = archive_index.Index(
            len(plan.ranks),
            plan.missing,
            plan.options.align,
            plan.first_ns,
            plan.alignment.groups,
            entries,
        )
        (folder / "index.json").write_bytes(msgspec.json.format(msgspec.json.encode(index)) + b"\n")
        (folder / "index.html").write_text(archive_index.page(index), encoding="utf-8")


def divided(hosts: Sequence[str], most: int) -> list[list[int]]:
    """Divide ranks into groups: those of one machine together where they fit, the lowest first.

    Args:
        hosts: machine of each rank; "" where it is not known: such a rank goes with its neighbours.
        most: ranks of a group at most; a machine with more is divided.

    Returns:
        The indices of the ranks of each group, ascending.
    """
    nodes = defaultdict[object, list[int]](list)
    for rank, host in enumerate(hosts):
        nodes[host or rank].append(rank)
    groups: list[list[int]] = []
    for node in nodes.values():
        for first in range(0, len(node), most):
            part = node[first : first + most]
            if not groups or len(groups[-1]) + len(part) > most:
                groups.append([])
            groups[-1].extend(part)
    return [sorted(group) for group in groups]


def _file_name(plan: MergePlan, members: list[int]) -> str:
    """Name an archive by its lowest and its highest rank."""
    first, last = (plan.ranks[index].rank for index in (members[0], members[-1]))
    return f"ranks-{first:0{_DIGITS}}-{last:0{_DIGITS}}.zip"


def _ranks(plan: MergePlan, members: Sequence[int]) -> list[archive_index.Rank]:
    """Describe the ranks of an archive; times count from the first event of the job."""
    found = []
    for index in members:
        rank, read = plan.ranks[index], plan.summaries[index]
        span = [it for it in (read.first_ns, read.last_ns) if it is not None]
        aligned = plan.alignment.ranks[index]
        times = (aligned.clock.common(np.array(span, np.int64)) - plan.first_ns).tolist()
        first, last = times or (None, None)
        name, host = Path(rank.file).name, read.host or None
        how = aligned.how
        found.append(archive_index.Rank(rank.rank, rank.title, name, host, first, last, how))
    return found
