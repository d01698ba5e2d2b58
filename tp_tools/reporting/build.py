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
    modules,
    overview,
    page,
    phases,
    python_lines,
    quality,
    steps,
    strip,
    verdict,
    waits,
)
from tp_tools.reporting.commands import Commands
from tp_tools.reporting.labels import Labels
from tp_tools.reporting.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.model import Tile


def html(data: ReportData) -> str:
    """Build the page.

    Returns:
        HTML; equal data gives equal text.

    Raises:
        UsageError: plotly or Jinja2 is not installed.
    """
    labels, diagnosis, places = Labels(data), findings.diagnosis(data), Places(data)
    sections = [
        findings.section(diagnosis, places),
        overview.section(data),
        gpu_time.section(data, labels),
        verdict.section(data, labels),
        families.section(data, labels),
        kernels.section(data, labels, places),
        modules.section(data),
        python_lines.section(data),
        efficiency.section(data, labels),
        gaps.section(data, labels, places),
        waits.section(data, labels),
        steps.section(data, labels),
        phases.section(data, labels),
        memory.section(data, labels),
        collectives.section(data, labels, places),
        quality.hidden_section(data),
        quality.clocks_section(data),
    ]
    head = page.Head(
        overview.title(data),
        overview.introduction(data),
        diagnosis.summary,
        strip.figure(data, labels, places),
        _tiles(findings.tiles(diagnosis), overview.tiles(data, labels)),
        f"tp-tools {version('tp-tools')}",
    )
    commands = Commands([member.file for member in data.members])
    return page.page(head, sections, data.sql, commands)


def _tiles(faults: Iterable[Tile], numbers: Iterable[Tile]) -> list[Tile]:
    """Return the faults, and the key numbers that none of them says."""
    first = list(faults)
    return [*first, *(it for it in numbers if it.label not in {tile.label for tile in first})]
