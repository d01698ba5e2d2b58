"""Convert exports of profilers to the traces of the ranks that they hold, for a merge.

An export is converted once, into temporary files: a merge reads each rank several times. Nsight
Systems records all processes of a machine into one file: each that uses a GPU is a rank.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tp_tools import nsys
from tp_tools.files import Source, exports, foreign
from tp_tools.files.databases import opened
from tp_tools.files.gzip_parts import gzip
from tp_tools.files.kept import KeptSource
from tp_tools.files.sources import is_rereadable, source_of
from tp_tools.merging.ranks import some
from tp_tools.processes.pool import ALONE
from tp_tools.processes.worker import FileCall
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tp_tools.nsys import ExportRanks
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter


class ExportSources(Struct, frozen=True):
    """The trace files of a merge: profiles of XLA are converted when they are first read, only.

    Attributes:
        folder: where their texts go, and other temporary files.
    """

    folder: Path
    _profiles: dict[str, KeptSource] = field(default_factory=dict)

    def of(self, file: str) -> Source:
        """Return the trace file of a path, of a profile the same object each time."""
        source = source_of(file)
        if not source.is_profile():
            return source
        return self._profiles.setdefault(file, KeptSource.of(source, self.folder, most=0))

    def read(self, file: str) -> Source:
        """Return the trace file of a path, of a profile one whose text is kept already."""
        source = self.of(file)
        if isinstance(source, KeptSource):
            source.keep()
            return source
        return source_of(file, is_whole=True)


def converted(
    files: Sequence[str], pool: Pool, sources: ExportSources, reporter: Reporter = SILENT
) -> list[Source]:
    """Return the traces to merge: of an export those of its ranks, of other files themselves.

    Args:
        files: paths of traces.
        pool: processes that convert the exports; a cluster looks for them, and this one converts.
        sources: gives each file to read.
        reporter: receives notes on ranks that no export states, and on what is left out.

    Raises:
        InputError: an export is damaged.
    """
    here = ALONE if pool.is_elsewhere else pool
    looks = (
        FileCall(partial(_is_database, file), inputs=(file,), keeps_inputs=True) for file in files
    )
    looking = (pool if pool.is_elsewhere else ALONE).map_ordered(looks)
    databases = [file for file, is_one in zip(files, looking, strict=True) if is_one]
    found = {file: _ranks(file) for file in databases}
    ranks = _counted_on(found, reporter)
    calls = [
        partial(_convert, file, held.of, sources.folder / f"export{place}")
        for place, (file, held) in enumerate(ranks.items())
    ]
    made = dict(zip(ranks, here.map_ordered(calls), strict=True)) if calls else {}
    return [source for file in files for source in made.get(file) or [sources.read(file)]]


def _is_database(file: str) -> bool:
    if Path(file).is_dir():
        return True
    return is_rereadable(file) and foreign.is_database(source_of(file))


def _ranks(file: str) -> ExportRanks:
    """Return the ranks of an export; none of one that is no more than one trace."""
    with opened(file) as database:
        if not nsys.is_export(database, file):
            return nsys.ExportRanks({})
        return nsys.ranks(database, file)


def _counted_on(found: dict[str, ExportRanks], reporter: Reporter) -> dict[str, ExportRanks]:
    """Number ranks that no export states from file to file; say so, and what is left out."""
    numbered, counted, first = dict(found), [], 0
    for file, held in found.items():
        if held.note:
            reporter.say(f"{file}: {held.note}")
            counted.append(file)
            of = {process: first + rank for process, rank in held.of.items()}
            numbered[file] = replace(held, of=of)
            first += len(of)
        if held.others:
            names = some(held.others)
            reporter.say(f"{file}: left out: processes that use no GPU: {names}.")
    if len(counted) > 1:
        names = some(Path(file).name for file in counted)
        reporter.say(f"Ranks are counted on from file to file, in this order: {names}.")
    return numbered


def _convert(file: str, ranks: dict[int, int], start: Path) -> list[Source]:
    """Write the text of each rank of an export into a file.

    Args:
        file: path of the export.
        ranks: the rank of each process, by its globalPid; none to convert the export as it is.
        start: path of the files, without their ends.
    """
    with opened(file) as database:
        if not ranks:
            return [_written(exports.text(database, file), start.with_suffix(".json.gz"), file)]
        made = []
        for process, rank in sorted(ranks.items(), key=lambda it: it[1]):
            path = start.with_name(f"{start.name}-{rank}.json.gz")
            with closing(nsys.read_rank(database, file, process, rank)) as text:
                made.append(_written(text, path, f"{file} rank{rank}"))
        return made


def _written(blocks: Iterable[bytes], path: Path, name: str) -> Source:
    with path.open("wb") as out:
        out.writelines(gzip(blocks))
    return Source(path, name)
