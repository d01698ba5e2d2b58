"""Write the ranks as an archive: each repaired, on the common clock, in a trace of its own.

Perfetto v58 and later opens it. Each rank is a machine of its own, so that equal ids stay apart.
All times count from one moment, so that every offset is 0: a manifest holds no drift, and Perfetto
drops what an offset moves before time 0. Format: Perfetto, docs/reference/perfetto-manifest.md,
version 1.
"""

from __future__ import annotations

import zipfile
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tp_tools.merging.output import Counts, placement_of
from tp_tools.merging.write_member import write_member
from tp_tools.processes.worker import FileCall
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tp_tools.merging.preparation import MergePlan
    from tp_tools.merging.ranks import JobRank
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter

MANIFEST = "perfetto_manifest.json"
_BLOCK = 1 << 20
_LARGEST = (1 << 31) - 1  # bytes of a member of a plain zip
_EPOCH = (1980, 1, 1, 0, 0, 0)  # so that the same ranks give the same bytes


def archive(
    plan: MergePlan,
    pool: Pool,
    reporter: Reporter = SILENT,
    *,
    counts: Counts | None = None,
    is_verified: bool = False,
) -> Iterator[bytes]:
    """Write the archive, block by block.

    Args:
        plan: the ranks, read and aligned.
        pool: processes that write the ranks.
        reporter: receives the size of each input in bytes once the rank was written.
        counts: numbers of events that grow with each rank; None if nobody reads them.
        is_verified: whether each member is loaded and compared with what was recorded.

    Raises:
        InputError: a file changed since it was read.
        VerificationError: a member differs from the recorded rank and its repairs.
        EngineError: TraceProcessor failed.
    """
    between = plan.folder / "archive"  # sizes stand before members, and are known behind them
    everything = [(between, range(len(plan.ranks)))]
    for _ in archives(plan, pool, everything, reporter, counts=counts, is_verified=is_verified):
        pass
    with between.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def archives(
    plan: MergePlan,
    pool: Pool,
    groups: Sequence[tuple[Path, Sequence[int]]],
    reporter: Reporter = SILENT,
    *,
    counts: Counts | None = None,
    is_verified: bool = False,
) -> Iterator[Counts]:
    """Write an archive per group of ranks, one after the other, all on the clock of the plan.

    Args:
        plan: the ranks, read and aligned.
        pool: processes that write the ranks.
        groups: the file of each archive, and its ranks as indices into those of the plan.
        reporter: as for `archive`.
        counts: likewise, of all archives.
        is_verified: likewise.

    Yields:
        The numbers of an archive, once it is written.

    Raises:
        InputError, VerificationError, EngineError: as `archive`.
    """
    order = [index for _, members in groups for index in members]
    parts = [plan.spools[index].with_suffix(".part") for index in order]
    short = plan.short_names()
    calls = (
        FileCall(
            partial(
                write_member,
                placement=placement_of(plan, index, 1),
                short_names=short,
                engine=plan.options.engine,
                is_verified=is_verified,
            ),
            reads=(plan.spools[index],),
            returns=(part,),
            inputs=(plan.summaries[index].file,),
        )
        for index, part in zip(order, parts, strict=True)
    )
    written = zip(pool.map_ordered(calls), parts, strict=True)
    counts = counts or Counts()
    for path, members in groups:
        ranks, own = [plan.ranks[index] for index in members], Counts()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            packed.writestr(_member(MANIFEST), msgspec.json.encode(manifest(ranks)))
            for index, rank in zip(members, ranks, strict=True):
                it, part = next(written)
                _add(packed, _name(rank), part)
                for total in (own, counts):
                    total.add(it.events, it.slices, it.flows, it.short_names)
                reporter.advance(plan.summaries[index].file_bytes)
        yield own


def _name(rank: JobRank) -> str:
    return f"rank{rank.rank}.json"


def _add(packed: zipfile.ZipFile, name: str, fragment: Path) -> None:
    """Add a rank's file to the archive, and remove it."""
    is_large = fragment.stat().st_size > _LARGEST
    with packed.open(_member(name), "w", force_zip64=is_large) as member, fragment.open("rb") as it:
        while block := it.read(_BLOCK):
            member.write(block)
    fragment.unlink()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def manifest(ranks: Sequence[JobRank]) -> dict[str, object]:
    """Return the manifest: a machine per rank, and clocks that agree with that of the first."""
    files: list[dict[str, object]] = []
    for rank in ranks:
        entry: dict[str, object] = {"path": _name(rank), "machine": {"name": rank.title}}
        if files:
            entry["clocks"] = {"sync_to": {"file": files[0]["path"]}, "offset_ns": 0}
        files.append(entry)
    return {"perfetto_manifest": {"version": 1, "files": files}}
