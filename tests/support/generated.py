"""Jobs from `fixtures/generate_ranks.py` as the tests of matching and clocks want them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fixtures.generate_ranks import Job, Wishes, generate, structure
from tp_tools.alignment.alignment import Member, align
from tp_tools.alignment.collectives import UNKNOWN, Collectives
from tp_tools.alignment.match import UNCERTAIN, members

if TYPE_CHECKING:
    from tp_tools.alignment.alignment import Alignment

STEP = Path(__file__).parents[2] / "fixtures" / "pdl_decode.json.gz"


def job(**wishes: object) -> Job:
    """A job that runs the decode step of the fixture, as collectives only."""
    return generate(structure(STEP), Wishes(**{"only_collectives": True, **wishes}))  # type: ignore[arg-type]


def table(made: Job, rank: int) -> Collectives:
    """Collectives that `find_collectives` would find in the file of a rank."""
    it, said, group = made.ranks[rank], made.wishes.args, made.group(rank)
    rows = np.flatnonzero(it.number >= 0)
    number, count = it.number[rows], len(rows)
    known = said != "none"
    unknown = np.full(count, UNKNOWN)
    return Collectives(
        event=rows,
        kind=["all_reduce"] * count,
        group=[str(group) if known else ""] * count,
        description=[""] * count,
        members=[""] * count,
        size=np.full(count, made.wishes.ranks // made.wishes.groups) if known else unknown,
        seq=number if said in {"seq", "comms_id"} else unknown,
        comms_id=[f"{group}-{n}" if said == "comms_id" else "" for n in number.tolist()],
        stream=np.array([made.step[work].stream for work in it.work[rows].tolist()]),
        nbytes=np.full(count, 16_384) if known else unknown,
        dtype=[""] * count,
        recognised=["args" if known else "name"] * count,
        ts=it.ts[rows],
        end=it.stop[rows],
    )


def ranks(made: Job, hosts: list[str] | None = None) -> list[Member]:
    """All ranks of a job, as `align` takes them."""
    return [
        Member(
            table(made, rank),
            int(it.ts[0] + it.stop[-1]) // 2 if len(it.ts) else 0,
            hosts[rank] if hosts else "",
        )
        for rank, it in enumerate(made.ranks)
    ]


@dataclass(frozen=True)
class Verdict:
    """How far an alignment is from the truth.

    Attributes:
        offset_ns: the largest error of a clock in the middle of its rank's trace.
        drift_ppm: the largest error of a drift.
        right, wrong: matches that claim to be sure, of one collective or of several.
        uncertain: matches that do not.
        alone: collectives of a rank that were recorded elsewhere too, and not matched.
    """

    offset_ns: int
    drift_ppm: float
    right: int
    wrong: int
    uncertain: int
    alone: int


def verdict(made: Job, alignment: Alignment) -> Verdict:
    """Compares with the truth, all ranks as seen from rank 0."""
    errors, drifts = [], []
    for rank, aligned in enumerate(alignment.ranks):
        middle = np.array([aligned.clock.at_ns])
        said, true = aligned.clock.common(middle), made.as_rank0(rank, middle)
        errors.append(abs(int(said[0] - true[0])))
        drift = (1 + made.ranks[0].drift) / (1 + made.ranks[rank].drift) - 1
        drifts.append(abs(aligned.clock.drift_ppt / 1e12 - drift) * 1e6)
    truth = [
        (made.group(rank), number)
        for rank, it in enumerate(made.ranks)
        for number in it.number[it.number >= 0].tolist()
    ]
    matches = alignment.matches
    right = wrong = 0
    for number, rows in enumerate(members(matches)):
        if matches.confidence[number] != UNCERTAIN:
            one = len({truth[row] for row in rows.tolist()}) == 1
            right, wrong = right + one, wrong + (not one)
    seen: dict[tuple[int, int], int] = {}
    for it in truth:
        seen[it] = seen.get(it, 0) + 1
    alone = sum(seen[truth[row]] > 1 for row in np.flatnonzero(matches.of < 0).tolist())
    uncertain = matches.confidence.count(UNCERTAIN)
    return Verdict(max(errors), max(drifts), right, wrong, uncertain, alone)


@cache
def nameless(count: int) -> Verdict:
    """What is found of a job of 100 steps whose kernels have no args: its clocks, its matches."""
    made = job(ranks=count, steps=100, seed=2)
    return verdict(made, align(ranks(made), "auto"))


def write_rank(folder: Path, name: str, events: list[dict[str, object]], **header: object) -> Path:
    """Writes a small trace; returns its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"schemaVersion": 1, **header, "traceEvents": events})
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path
