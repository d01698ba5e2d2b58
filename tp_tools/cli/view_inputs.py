"""Make what `tp-tools view` shows of its traces: one file, the report, the lines on repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.cli import fix_summary
from tp_tools.files.sources import source_of
from tp_tools.merging import job_files
from tp_tools.querying import LoadOptions
from tp_tools.repair.summary import summary
from tp_tools.viewer.one_file import one_file
from tp_tools.viewer.startup import MOST_EVENTS, is_overlapping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tp_tools.cli.console import Console
    from tp_tools.files.sources import KeptSources
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.viewer import ViewFile


class Inputs(Struct, frozen=True):
    """The traces to show.

    Attributes:
        traces: files, folders or globs; several are the ranks of a job.
        choice: which profile of several in a folder.
        engine: the TraceProcessor.
        raw: whether files are shown as they are, not as repaired.
    """

    traces: Sequence[str]
    choice: RankChoice
    engine: str | None
    raw: bool


def find(inputs: Inputs, kept: KeptSources | None, console: Console) -> list[str]:
    """List the files of the one trace, or of the ranks of the job; say what lies beside them.

    Args:
        inputs: the traces.
        kept: gives the files, where they are read for a report as well.
        console: receives notes.

    Raises:
        InputError: there is no trace, or one cannot be read.
    """
    job = job_files.find(inputs.traces, inputs.choice, sources=kept.of if kept else source_of)
    job.say_left_out(console)
    return job.files


def trace(
    files: list[str], inputs: Inputs, folder: Path, kept: KeptSources | None, console: Console
) -> str:
    """Return the file to show: the given one, or the ranks of a job, merged.

    Args:
        files: the traces.
        inputs: the engine, and whether files are shown as they are.
        folder: where the merge goes.
        kept: as for `find`.
        console: receives stages, notes and warnings.

    Raises:
        InputError: a trace cannot be used, or the ranks do not fit together.
        EngineError: TraceProcessor failed.
    """
    return one_file(files, folder, LoadOptions(inputs.engine, inputs.raw), console, kept)


def report(files: list[str], engine: str | None, kept: KeptSources, console: Console) -> bytes:
    """Build the page of `tp-tools report` about the trace, or the ranks of the job."""
    from tp_tools.reporting import build, collect  # noqa: PLC0415  only where it is asked for

    data = collect(files, engine, "auto", console, kept=kept)
    with console.stage("drawing"):
        return build.html(data).encode()


def say_repairs(view_file: ViewFile, console: Console) -> None:
    """Print the slices that Perfetto would have hidden, and the repairs."""
    if view_file.analysis is not None:
        for line in fix_summary.lines(view_file.analysis, summary(view_file.analysis)):
            console.say(line)
        if is_overlapping(view_file.analysis) and len(view_file.analysis.trace) > MOST_EVENTS:
            console.say("The button Overlaps at the bottom of the UI lists each overlap.")
