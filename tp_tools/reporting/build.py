"""Build the report: from the data to the HTML page."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from tp_tools.reporting import (
    collectives,
    efficiency,
    families,
    findings,
    gaps,
    gpu_time,
    kernels,
    memory,
    overview,
    page,
    phases,
    quality,
    steps,
    verdict,
    waits,
)
from tp_tools.reporting.labels import Labels

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData


def html(data: ReportData) -> str:
    """Build the page.

    Returns:
        HTML; equal data gives equal text.

    Raises:
        UsageError: plotly is not installed.
    """
    labels, diagnosis = Labels(data), findings.diagnosis(data)
    sections = [
        findings.section(diagnosis),
        overview.section(data),
        gpu_time.section(data, labels),
        *verdict.sections(data, labels),
        *families.sections(data, labels),
        kernels.section(data, labels),
        *efficiency.sections(data, labels),
        gaps.section(data, labels),
        *waits.sections(data, labels),
        steps.section(data, labels),
        *phases.sections(data, labels),
        *memory.sections(data, labels),
        collectives.section(data, labels),
        quality.hidden_section(data),
        quality.clocks_section(data),
    ]
    generator = f"tp-tools {version('tp-tools')}"
    tiles = [*findings.tiles(diagnosis), *overview.tiles(data, labels)]
    return page.page(
        overview.title(data),
        overview.introduction(data),
        tiles,
        sections,
        sql=data.sql,
        generator=generator,
    )
