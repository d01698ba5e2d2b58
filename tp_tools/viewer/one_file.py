"""Make one file of what is to be shown: a trace is it already, the ranks of a job are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.library.header import Header
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions, job_loader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tp_tools.files.sources import KeptSources
    from tp_tools.progress import Reporter


def one_file(
    files: Sequence[str],
    folder: Path,
    how: LoadOptions,
    reporter: Reporter = SILENT,
    kept: KeptSources | None = None,
) -> str:
    """Return the only file, or write all ranks of a job into one.

    Args:
        files: the files of a job.
        folder: where the merge goes.
        how: options of loading.
        reporter: receives stages, notes and warnings.
        kept: gives the files, where they are read for something else as well.

    Raises:
        UsageError: `how.raw` is set, and there are several files.
        InputError: a trace cannot be used, or the ranks do not fit together.
        EngineError: TraceProcessor failed.
    """
    if len(files) == 1:
        return files[0]
    merged = folder / "job.json"
    header = Header("", "", "job", None)
    job_loader.write(list(files), header, how, merged, reporter=reporter, kept=kept)
    return str(merged)
