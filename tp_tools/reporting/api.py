"""Offer the report as a function of the Python API.

import tp_tools

tp_tools.report("traces/", "report.html")
"""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.caller import KeptWarnings, paths
from tp_tools.files import output as outputs
from tp_tools.files import temporary
from tp_tools.files.sources import kept_sources
from tp_tools.querying import api
from tp_tools.reporting import build, plots, templates
from tp_tools.reporting.collection import collect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.alignment.alignment import Mode
    from tp_tools.caller import PathLike

_HEIGHT = 800
"""Height of the page in a notebook, in pixels."""


class Report(Struct, frozen=True):
    """A page of tables and plots; a notebook shows it.

    Attributes:
        html: the page, which needs no network.
    """

    html: str

    def _repr_html_(self) -> str:
        """Return the page in a frame, for notebooks."""
        page = html.escape(self.html)
        return f'<iframe srcdoc="{page}" width="100%" height="{_HEIGHT}"></iframe>'


def report(
    traces: PathLike | Iterable[PathLike],
    output: PathLike | None = None,
    *,
    align: Mode = "auto",
    force: bool = False,
    profile: str | None = None,
    stage: str | None = None,
    engine: str | None = None,
    captures: PathLike | Iterable[PathLike] = (),
    jobs: int | None = None,
) -> Report:
    """Make one page of tables and plots of a trace, or of the ranks of a job.

    It wants plotly and Jinja2: pip install plotly jinja2.

    Args:
        traces: files, folders, globs, URLs. Several traces are the ranks of one job.
        output: the .html file to write; None for none.
        align: the common clock of several ranks, as for `tp_tools.merge`.
        force: whether an existing output is replaced.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.
        engine: the TraceProcessor, as for `tp_tools.open_trace`.
        captures: traces of captured CUDA graphs, or folders of these, as for `tp_tools.query`.
        jobs: processes that work on a large trace, or on the ranks of a job; None for one per core,
            up to four.

    Raises:
        tp_tools.errors.UsageError: the output exists, or plotly or Jinja2 is not installed.
        tp_tools.errors.InputError: a trace cannot be used, or the ranks do not fit together.
        tp_tools.errors.OutputError: the output cannot be written.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    target = None if output is None else os.fspath(output)
    if target is not None:
        outputs.check(target, force=force, suffixes=outputs.PAGE_SUFFIXES)
    plots.graph_objects()  # before any work is done
    templates.environment()
    warned = KeptWarnings()
    folder = None if target is None else outputs.folder_of(target)
    with temporary.in_folder(folder), kept_sources() as kept:
        files = api.find_files(traces, profile, stage, warned, kept.of).files
        if target is not None:
            outputs.refuse_input(target, files)
        data = collect(files, engine, align, warned, paths(captures), kept=kept, jobs=jobs)
    page = build.html(data)
    if target is not None:
        with outputs.written(target, [page.encode()]):
            pass
    warned.warn_caller()
    return Report(page)
