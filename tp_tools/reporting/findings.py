"""Build the first section of a page: what made the traces slow, as `tp-tools diagnose` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.alignment.alignment import BY_BASE, UNALIGNED
from tp_tools.diagnosis import Numbers, TraceFacts, judge
from tp_tools.diagnosis.model import INFO
from tp_tools.diagnosis.text import cost_line, place_line, time_line
from tp_tools.formatting import percent, plural
from tp_tools.reporting.model import Figure, Section, Tile
from tp_tools.reporting.tables import duration, micro

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.diagnosis import Diagnosis, Finding
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.places import Places

KEY = "diagnosis"

PANELS = {
    "data loading": "waits",
    "synchronisation": "waits",
    "memory": "gaps",
    "set-up": "gaps",
    "launches": "gaps",
    "waits": "gaps",
    "unknown": "gaps",
    "copies": "time",
    "waiting": "collectives",
    "communication": "collectives",
    "pipeline": "verdict",
    "compute": "kernels",
    "tensor cores": "kernels",
    "far from the peak": "efficiency",
    "few blocks": "efficiency",
    "hidden kernels": "hidden",
}
"""The section of the page with the details of a finding, by the kind of the finding."""


def diagnosis(data: ReportData) -> Diagnosis:
    """Judge the rows of a report."""
    facts = []
    merged = data.merge["ranks"] if data.merge is not None else []
    unaligned = {it["rank"] for it in merged if it["aligned_by"] in {BY_BASE, UNALIGNED}}
    for member in data.members:
        stated, defects = member.info.metadata, member.info.defects
        facts.append(
            TraceFacts(
                member.rank,
                stated.world_size if stated is not None else None,
                defects.hidden if defects is not None else None,
                tuple(stated.options) if stated is not None else (),
                member.rank not in unaligned,
                member.unknown_devices,
            )
        )
    return judge(Numbers(data.results, facts))


def section(found: Diagnosis, places: Places) -> Section:
    """Build the section: a figure per finding."""
    title = "What made it slow"
    if not found.gpu_ns:
        return Section(KEY, title, found.summary, stays=True)
    left_out = ""
    if found.left_out:
        left_out = f" {plural(found.left_out, 'smaller finding')} left out."
    return Section(
        KEY,
        title,
        f"{time_line(found)} No time is counted in two findings.{left_out}",
        [
            _figure(found, places, number, finding)
            for number, finding in enumerate(found.findings, 1)
        ],
    )


def _figure(found: Diagnosis, places: Places, number: int, finding: Finding) -> Figure:
    cost = cost_line(found, finding)
    place, view = place_line(finding), None
    if finding.place is not None:
        view = places.at(finding.place.rank, finding.place.ts)
        if view is not None:  # it says when
            on = "" if finding.place.rank is None else f"rank {finding.place.rank}, "
            place = f"{on}{finding.place.what}, for {duration(finding.place.dur)}"
    see = [("See", f"{place}.")] if place else []
    queries = dict.fromkeys(it.query for it in finding.evidence if it.query != INFO)
    return Figure(
        f"finding-{number}",
        f"{number}. {finding.title}{f': {cost}' if cost else ''}",
        micro(finding.says),
        queries=tuple(queries),
        command="" if queries else "tp-tools info TRACES",
        notes=finding.doubts,
        panel=PANELS[finding.kind],
        view=view or "",
        is_words=True,
        lines=[("Next", micro(finding.next_step.replace("`", ""))), *see],
    )


def tiles(found: Diagnosis) -> Iterator[Tile]:
    """Yield a key number for each fault that costs time."""
    for finding in found.findings:
        share = found.share(finding)
        if finding.is_fault and share is not None:
            yield Tile(finding.title, percent(share), "of the GPU time", KEY)
