"""Define a diagnosis: findings with their numbers, evidence, places and next steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from tp_tools import notebook
from tp_tools.formatting import percent, span

if TYPE_CHECKING:
    from collections.abc import Mapping


INFO = "info"
"""Stands for the query of numbers that no query has."""


class Evidence(Struct, frozen=True):
    """A row that a finding rests on.

    Attributes:
        query: name of the query in the library; `INFO` where the numbers are of `tp-tools info`.
        row: some of its columns, by name, as the query returns them.
        others: other rows of the query that count to the same number.
        others_ns: what they add to it, ns.
    """

    query: str
    row: Mapping[str, Any]
    others: int = 0
    others_ns: int = 0

    def command(self) -> str:
        """Return the command that prints the row, without the names of the traces."""
        return "tp-tools info" if self.query == INFO else f"tp-tools query {self.query}"


class Place(Struct, frozen=True):
    """A place in the timeline where a finding can be seen.

    Attributes:
        rank: rank; None in the trace of one rank.
        ts: its start, ns of the trace (of several ranks: of their merge).
        dur: its duration, ns.
        what: what is there: "before ncclDevKernel_AllReduce".
    """

    rank: int | None
    ts: int
    dur: int
    what: str


class Finding(Struct, frozen=True):
    """Something that costs time, or that the trace does not show right.

    Attributes:
        kind: the rule that found it, such as "data loading".
        title: a name for people: "Waiting for data".
        says: what was found, with its numbers.
        next_step: what to do about it.
        cost_ns: GPU time that it takes, ns; no ns is counted in two findings. None: it takes none.
        evidence: the rows that carry it.
        place: where it can be seen; None where no single place stands for it.
        doubts: why the numbers may mean less than they say.
        is_fault: whether something is wrong; False for computing.
        weight: of a finding without a cost, the share, 0 to 1, that its rule's threshold is about:
            of the GPU time, or of hidden kernels that of the time of all kernels.
    """

    kind: str
    title: str
    says: str
    next_step: str
    cost_ns: int | None
    evidence: tuple[Evidence, ...]
    place: Place | None = None
    doubts: tuple[str, ...] = ()
    is_fault: bool = True
    weight: float | None = None


class Diagnosis(Struct, frozen=True):
    """The findings on a trace, or on the ranks of a job.

    Attributes:
        summary: one sentence that stands for all.
        gpu_ns: time of all GPUs, each from its first to its last work, summed, ns.
        gpus: how many GPUs.
        parts: gpu_ns by what the GPUs did, ns: compute, communication, waiting (for a rank),
            copies, idle.
        findings: at most five: faults, most time first, then what computes, then kernels that
            use little of the GPU, then hidden kernels.
        left_out: how many findings more there were.
        start_ns: start of the trace, ns, as the times of places count; None if unknown.
    """

    summary: str
    gpu_ns: int
    gpus: int
    parts: Mapping[str, int]
    findings: tuple[Finding, ...] = ()
    left_out: int = 0
    start_ns: int | None = None

    def share(self, finding: Finding) -> float | None:
        """Return the share of the GPU time that a finding costs, 0 to 1; None if it costs none."""
        if finding.cost_ns is None or not self.gpu_ns:
            return None
        return finding.cost_ns / self.gpu_ns

    def _repr_html_(self) -> str:
        """Return the findings as a table, for notebooks."""
        rows = [
            (
                number,
                it.title,
                None if it.cost_ns is None else span(it.cost_ns),
                None if (share := self.share(it)) is None else percent(share),
                " ".join((it.says, *it.doubts)),
                it.next_step,
            )
            for number, it in enumerate(self.findings, 1)
        ]
        columns = ("", "finding", "GPU time", "share", "says", "next")
        return notebook.paragraph(self.summary) + (notebook.table(columns, rows) if rows else "")

    def as_object(self) -> dict[str, Any]:
        """Return the diagnosis as an object for JSON; times are ns."""
        return {
            "summary": self.summary,
            "gpu_ns": self.gpu_ns,
            "gpus": self.gpus,
            "parts": dict(self.parts),
            "findings": [
                {**to_builtins(it), "percent": _percent(self.share(it))} for it in self.findings
            ],
            "left_out": self.left_out,
            "start_ns": self.start_ns,
        }


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 3)
