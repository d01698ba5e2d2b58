"""The whole report: from answers to a page."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from tp_tools.report import exchanges, gpu, idle, job, kernels, page, steps, trust
from tp_tools.report.labels import Labels

if TYPE_CHECKING:
    from tp_tools.report.gather import Answers


def html(answers: Answers) -> str:
    """The page, as text; the same answers give the same text.

    Raises:
        UsageError: the package that draws is not installed.
    """
    labels = Labels(answers)
    sections = [
        job.job(answers),
        gpu.time(answers, labels),
        kernels.kernels(answers, labels),
        idle.gaps(answers, labels),
        steps.steps(answers, labels),
        exchanges.exchanges(answers, labels),
        trust.hidden(answers),
        trust.clocks(answers),
    ]
    generator = f"tp-tools {version('tp-tools')}"
    tiles = job.tiles(answers, labels)
    return page.page(
        job.title(answers), job.lead(answers), tiles, sections, sql=answers.sql, generator=generator
    )
