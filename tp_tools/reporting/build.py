"""The whole report: from answers to a page."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from tp_tools.reporting import (
    collectives,
    gaps,
    gpu_time,
    kernels,
    overview,
    page,
    quality,
    steps,
)
from tp_tools.reporting.labels import Labels

if TYPE_CHECKING:
    from tp_tools.reporting.data import Answers


def html(answers: Answers) -> str:
    """The page, as text; the same answers give the same text.

    Raises:
        UsageError: the package that draws is not installed.
    """
    labels = Labels(answers)
    sections = [
        overview.job(answers),
        gpu_time.time(answers, labels),
        kernels.kernels(answers, labels),
        gaps.gaps(answers, labels),
        steps.steps(answers, labels),
        collectives.exchanges(answers, labels),
        quality.hidden(answers),
        quality.clocks(answers),
    ]
    generator = f"tp-tools {version('tp-tools')}"
    tiles = overview.tiles(answers, labels)
    return page.page(
        overview.title(answers),
        overview.introduction(answers),
        tiles,
        sections,
        sql=answers.sql,
        generator=generator,
    )
