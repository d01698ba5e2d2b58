"""Write a diagnosis for people: as plain text, or as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools.formatting import lines, middle, percent, plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tp_tools.diagnosis.model import Diagnosis, Evidence, Finding

_INDENT = "   "
_WIDEST = 60
"""Characters of a value of a row at most; JSON has all of it."""


def plain(diagnosis: Diagnosis, width: int, view: str | None = None) -> Iterator[str]:
    """Yield lines of text.

    Args:
        diagnosis: the diagnosis.
        width: characters of a line at most, for all but single long words and commands.
        view: the command that opens the trace, which then shows the place of a finding; None where
            there is no one command.
    """
    yield from lines(diagnosis.summary, width)
    if not diagnosis.gpu_ns:
        return
    yield from lines(time_line(diagnosis), width)
    for number, finding in enumerate(diagnosis.findings, 1):
        yield ""
        cost = cost_line(diagnosis, finding)
        yield f"{number}. {finding.title}{f': {cost}' if cost else ''}"
        for head, text in _paragraphs(diagnosis, finding):
            yield from lines(f"{head}{text}", width, _INDENT, _INDENT + " " * len(head))
        if view is not None and (at := at_option(diagnosis, finding)):
            yield f"{_INDENT}     {view} {at}"
    if diagnosis.left_out:
        yield ""
        yield f"{plural(diagnosis.left_out, 'smaller finding')} left out."


def markdown(diagnosis: Diagnosis, view: str | None = None) -> Iterator[str]:
    """Yield lines of Markdown; arguments as for `plain`."""
    yield f"**{_escape(diagnosis.summary)}**"
    if not diagnosis.gpu_ns:
        return
    yield ""
    yield _escape(time_line(diagnosis))
    for number, finding in enumerate(diagnosis.findings, 1):
        yield ""
        cost = cost_line(diagnosis, finding)
        yield f"{number}. **{_escape(finding.title)}**{f': {cost}' if cost else ''}"
        for head, text in _paragraphs(diagnosis, finding):
            yield ""
            yield f"{_INDENT}{head}{_escape(text)}"
        if view is not None and (at := at_option(diagnosis, finding)):
            yield ""
            yield f"{_INDENT}`{view} {at}`"
    if diagnosis.left_out:
        yield ""
        yield f"{plural(diagnosis.left_out, 'smaller finding')} left out."


def time_line(diagnosis: Diagnosis) -> str:
    """Say how much GPU time there is and what the GPUs did with it."""
    parts = ", ".join(
        f"{name} {percent(ns / diagnosis.gpu_ns)}" for name, ns in diagnosis.parts.items() if ns
    )
    whole = f"{span(diagnosis.gpu_ns)} of {plural(diagnosis.gpus, 'GPU')}"
    return f"GPU time from first to last work: {whole}: {parts}."


def cost_line(diagnosis: Diagnosis, finding: Finding) -> str:
    """Say what a finding costs: 1.2 ms, 35.3 % of the GPU time; empty if it costs none."""
    share = diagnosis.share(finding)
    if share is None or finding.cost_ns is None:
        return ""
    return f"{span(finding.cost_ns)}, {percent(share)} of the GPU time"


def evidence_line(evidence: Evidence) -> str:
    """Write a row of evidence: tp-tools query idle: cause=cpu, idle_ns=6360; 1 more row of 9 ns."""
    rest = f"; {plural(evidence.others, 'more row')} of {span(evidence.others_ns)}"
    return f"{evidence.command()}: {_cells(evidence.row)}{rest if evidence.others_ns else ''}"


def place_line(finding: Finding, start_ns: int | None = None) -> str:
    """Say where a finding can be seen; empty if in no single place.

    Args:
        finding: the finding.
        start_ns: start of the trace, ns, from which times count; None to give them as they are.
    """
    place = finding.place
    if place is None:
        return ""
    on = "" if place.rank is None else f"rank {place.rank}, "
    begins = f"ts {place.ts}" if start_ns is None else f"{span(place.ts - start_ns)} from the start"
    return f"{on}{begins}, for {span(place.dur)}: {place.what}"


def at_option(diagnosis: Diagnosis, finding: Finding) -> str:
    """Write the option of `tp-tools view` that shows the place of a finding; empty without one."""
    if finding.place is None or diagnosis.start_ns is None:
        return ""
    whole, rest = divmod(max(finding.place.ts - diagnosis.start_ns, 0), 10**6)
    return f"--at {whole}.{rest:06d}ms"


def _paragraphs(diagnosis: Diagnosis, finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield (head, text) of what is said of a finding."""
    yield "", finding.says
    for doubt in finding.doubts:
        yield "But: ", doubt
    yield "Next: ", finding.next_step
    for evidence in finding.evidence:
        yield "From: ", evidence_line(evidence)
    if place := place_line(finding, diagnosis.start_ns):
        yield "See: ", place


def _cells(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_cell(value)}" for key, value in row.items() if value is not None)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return middle(str(value), _WIDEST)


def _escape(text: str) -> str:
    """Escape what Markdown reads as markup in names of kernels, but not code in backticks."""
    pieces = text.split("`")
    marks = str.maketrans({mark: f"\\{mark}" for mark in "<>*_[]"})
    return "`".join(
        piece if index % 2 else piece.translate(marks) for index, piece in enumerate(pieces)
    )
