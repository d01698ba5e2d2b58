"""Read the inputs of a merge, and say what is wrong with files that hold no rank."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import InputError
from tp_tools.files import Source, temporary
from tp_tools.files.foreign import refuse_foreign
from tp_tools.merging import preparation
from tp_tools.repair import protobuf

if TYPE_CHECKING:
    from tp_tools.merging import MergeOptions, MergePlan
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter


def prepare(
    files: list[str],
    options: MergeOptions,
    pool: Pool,
    reporter: Reporter,
    *,
    folder: Path,
) -> MergePlan:
    """Read the ranks; refuse those that were converted to .pftrace with advice."""
    try:
        with temporary.full_disk_named():
            return preparation.prepare(files, options, pool, reporter, folder=folder)
    except InputError as error:
        for file in files:
            refuse_foreign(file, by_perfetto=False)
            if protobuf.is_protobuf(Source(Path(file), file)):
                raise InputError(
                    f"{file}: is a Perfetto trace. Ranks are merged from the Chrome JSON that the "
                    "profiler wrote: give that."
                ) from error
        raise
