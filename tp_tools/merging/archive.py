"""Write the ranks as an archive: their traces untouched, their clocks in a manifest.

Perfetto v58 and later opens it. Each rank is a machine of its own, so that equal ids stay apart;
a clock has an offset there and no drift, and nothing is repaired. Format: Perfetto,
docs/reference/perfetto-manifest.md, version 1.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tp_tools.files import Source
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.merging.preparation import MergePlan
    from tp_tools.progress import Reporter

MANIFEST = "perfetto_manifest.json"
_BLOCK = 1 << 20
_LARGE = 64 << 20  # bytes on disk that may be more than 2 GiB of text
_EPOCH = (1980, 1, 1, 0, 0, 0)  # so that the same ranks give the same bytes


def archive(prepared: MergePlan, between: Path, reporter: Reporter = SILENT) -> Iterator[bytes]:
    """Write the archive, block by block.

    Args:
        prepared: the ranks and their clocks.
        between: path for a temporary file; Perfetto needs sizes in front of the members, which are
            known once these are compressed.
        reporter: receives the number of input bytes read.

    Raises:
        InputError: a trace cannot be read.
    """
    names = [f"rank{rank.rank}.json" for rank in prepared.ranks]
    with zipfile.ZipFile(between, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr(_member(MANIFEST), msgspec.json.encode(manifest(prepared, names)))
        for rank, name in zip(prepared.ranks, names, strict=True):
            source = Source(Path(rank.file), rank.file)
            large = source.size() > _LARGE
            with packed.open(_member(name), "w", force_zip64=large) as member:
                for block in source.blocks(reporter):
                    member.write(block)
    with between.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def manifest(prepared: MergePlan, names: list[str]) -> dict[str, object]:
    """Return the manifest: a machine per rank, with the offset of its clock to the first rank's.

    Timestamps in the files count from their base times, which Perfetto does not read, so the
    offsets include these. An offset is exact in the middle of the rank's trace.
    """
    first = prepared.alignment.ranks[0].clock
    shift = first.offset_ns + prepared.summaries[0].base_ns
    files: list[dict[str, object]] = []
    for place, (rank, name) in enumerate(zip(prepared.ranks, names, strict=True)):
        clock = prepared.alignment.ranks[place].clock
        later = clock.offset_ns + prepared.summaries[place].base_ns - shift
        entry: dict[str, object] = {"path": name, "machine": {"name": rank.title}}
        if place:
            entry["clocks"] = {"sync_to": {"file": names[0]}, "offset_ns": later}
        files.append(entry)
    return {"perfetto_manifest": {"version": 1, "files": files}}
