"""One clock for all ranks: base times first, then what the collectives that ranks share say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tp_tools.alignment import match, match_by_time
from tp_tools.alignment.clock import (
    Clock,
    Readings,
    common_ends,
    fit,
    residuals,
)
from tp_tools.alignment.collectives import UNKNOWN
from tp_tools.alignment.connected import LEAST, connected_ranks
from tp_tools.alignment.match import UNCERTAIN
from tp_tools.alignment.same_host import same_host_ranks
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.alignment.collectives import Collectives
    from tp_tools.alignment.match import Matches, Pool
    from tp_tools.trace.model import Ints

Mode = Literal["auto", "collectives", "base", "none"]

BY_COLLECTIVES = "collectives"
BY_HOST = "host"
BY_BASE = "base"
UNALIGNED = "none"

_NEAR_NS = (2_000, 50_000)  # how far apart the ends of one collective may lie, at least and at most
_NEAR_SCALES = 8


@dataclass(frozen=True)
class Member:
    """A rank, as the common clock sees it.

    Attributes:
        collectives: what it shares with others.
        middle_ns: the middle of its trace, ns since the epoch on its own clock.
        host: the machine's name; "" if the trace does not say.
        replica: ranks of different replicas share no process groups.
    """

    collectives: Collectives
    middle_ns: int
    host: str = ""
    replica: int = 0


@dataclass(frozen=True)
class Aligned:
    """How a rank came onto the common clock.

    Attributes:
        clock: its relation to it.
        how: BY_COLLECTIVES, BY_HOST (as another rank on its machine), BY_BASE or UNALIGNED.
        why: what kept it from being aligned by collectives; empty if nothing did.
        used: matched collectives that its clock was fitted to, or could have been.
        residual_ns: median of |its end of a collective - the collective's end|; None without any.
        residual_p95_ns: the 95th percentile of that.
    """

    clock: Clock
    how: str
    why: str
    used: int
    residual_ns: int | None
    residual_p95_ns: int | None


@dataclass(frozen=True)
class Alignment:
    """All ranks on one clock.

    Attributes:
        ranks: in the order in which they were given.
        pool: their collectives.
        matches: which of them are one.
    """

    ranks: list[Aligned]
    pool: Pool
    matches: Matches


def align(members: Sequence[Member], mode: Mode) -> Alignment:
    """Matches the collectives of all ranks and fits their clocks to them.

    Args:
        members: the ranks, the one whose clock is to be the common one first.
        mode: "auto" takes base times where collectives cannot say better, "collectives" insists
            on them; "base" and "none" leave the clocks as they are.

    Raises:
        InputError: the mode insists, and a rank shares too little with the others.
    """
    pool = match.pool([it.collectives for it in members], [it.replica for it in members])
    start = [Clock(at_ns=it.middle_ns) for it in members]
    state = _State(pool, start, np.full(len(members), UNKNOWN))
    state.match()
    if mode in ("base", "none"):
        asked = BY_BASE if mode == "base" else UNALIGNED
        state.clocks, state.part = start, np.full(len(members), UNKNOWN)
        return _stated(state, [asked] * len(members), [""] * len(members))
    how, why = state.judge(start)
    state.clocks, follows = same_host_ranks(state.clocks, state.part, [it.host for it in members])
    for rank, other in follows.items():
        if how[rank] == BY_BASE:
            how[rank] = BY_HOST
            why[rank] += f"; moved as rank {other} on its machine"
    if mode == "collectives" and (lost := [i for i, it in enumerate(how) if it != BY_COLLECTIVES]):
        raise InputError(
            f"{len(lost)} of {len(members)} ranks cannot be aligned by collectives: "
            f"{why[lost[0]]}. --align auto takes their base times."
        )
    return _stated(state, how, why)


class _State:
    """What is known by now.

    Attributes:
        pool: all collectives.
        clocks: by rank.
        part: by rank: ranks of one part were fitted together; UNKNOWN for those that were not.
        matches: of the collectives.
    """

    def __init__(self, pool: Pool, clocks: list[Clock], part: Ints) -> None:
        self.pool, self.clocks, self.part = pool, clocks, part
        self.matches: Matches = match.matches_by_identity(pool)

    def match(self) -> None:
        """By identity, then by order on the clocks that follow from that, then by count."""
        pool, certain = self.pool, self.matches
        self._fit(certain.readings(pool))
        rest = np.flatnonzero((pool.identity == UNKNOWN) & pool.synchronising)
        ordered = match.Matches(np.full(len(pool), -1, np.int64), [], [])
        if len(rest):
            found = self._by_order(rest)
            ordered.of[rest] = found.of
            ordered = match.Matches(ordered.of, found.method, found.confidence)
        open_rows = (ordered.of < 0) & (pool.identity == UNKNOWN)
        counted = match_by_time.matches_by_count(pool, open_rows)
        self.matches = match.concatenate_matches(pool, [certain, ordered, counted])
        self._fit(self.matches.readings(pool))

    def _by_order(self, rows: Ints) -> Matches:
        pool = self.pool
        sub = match.Pool(*(getattr(pool, name)[rows] for name in match.Pool.__dataclass_fields__))
        part = np.where(self.part == UNKNOWN, -2 - np.arange(len(self.part)), self.part)
        laying = match_by_time.register_ranks(sub, self.clocks, part)
        laid = Readings(sub.rank, laying.entry, laying.end).where(laying.entry >= 0)
        # the clocks so far, with what laying out found; readings are on those clocks already
        near, end = _NEAR_NS[1], laying.end
        if len(laid.rank):
            known = [Clock() for _ in self.clocks]
            finer = self._fitted(laid, known)
            end = common_ends(Readings(sub.rank, laying.entry, laying.end), finer)
            off = np.abs(residuals(laid, finer))
            scale = int(np.median(off[off > 0])) if off.any() else 0
            near = int(np.clip(_NEAR_SCALES * scale, *_NEAR_NS))
        return match_by_time.matches_by_time(laying, end, near)

    def _fitted(self, readings: Readings, clocks: list[Clock]) -> list[Clock]:
        """Clocks fitted to the readings, part by part."""
        chosen, part = connected_ranks(readings, len(clocks))
        for number in np.unique(part[part >= 0]).tolist():
            inside = chosen & (part[readings.rank] == number)
            clocks = fit(readings.where(inside), clocks)
        return clocks

    def _fit(self, readings: Readings) -> None:
        """Fits the clocks from scratch, and notes which ranks were fitted together."""
        _, self.part = connected_ranks(readings, len(self.clocks))
        self.clocks = self._fitted(readings, self.clocks)

    def judge(self, start: list[Clock]) -> tuple[list[str], list[str]]:
        """How each rank is aligned, and why not better; fits that do not help are taken back."""
        readings = self.matches.readings(self.pool)
        chosen, part = connected_ranks(readings, len(start))
        count = np.bincount(readings.rank, minlength=len(start))
        how = [BY_BASE] * len(start)
        unsure = self._unsure(len(start))
        why = [_too_few(*pair) for pair in zip(count.tolist(), unsure, strict=True)]
        for number in np.unique(part[part >= 0]).tolist():
            mine = readings.where(chosen & (part[readings.rank] == number))
            helps = self._helps(mine, start)
            for rank in np.flatnonzero(part == number).tolist():
                how[rank] = BY_COLLECTIVES if helps else BY_BASE
                why[rank] = "" if helps else "base times fit as well or better"
                if not helps:
                    self.clocks[rank] = start[rank]
        for rank in np.flatnonzero(part < 0).tolist():
            self.clocks[rank] = start[rank]
        self.part = part
        return how, why

    def _unsure(self, ranks: int) -> list[bool]:
        """By rank: whether some of its collectives have a match that is uncertain."""
        vague = np.array([it == UNCERTAIN for it in self.matches.confidence] + [False], np.bool_)
        found = vague[self.matches.of] & (self.matches.of >= 0)
        return [rank in self.pool.rank[found] for rank in range(ranks)]

    def _helps(self, readings: Readings, start: list[Clock]) -> bool:
        """Whether a fit to half of the collectives predicts the other half better than nothing."""
        fitted_half = readings.collective % 2 == 0
        trained = self._fitted(readings.where(fitted_half), self.clocks)
        tested = readings.where(~fitted_half)
        if not len(tested.rank):
            return False
        by_fit = np.abs(residuals(tested, trained))
        by_base = np.abs(residuals(tested, start))
        return bool(np.median(by_fit) < np.median(by_base))


def _too_few(count: int, unsure: bool) -> str:  # noqa: FBT001
    """Why a rank with so many sure matches, and perhaps others, is not aligned by them."""
    if count:
        return f"only {count} collectives are surely those of other ranks, {LEAST} are needed"
    if unsure:
        return (
            "collectives could be matched in other ways as well: neither Comms Id nor Seq tells "
            "them apart, nor do the times between them"
        )
    return "no collective is surely one with another rank's"


def _stated(state: _State, how: list[str], why: list[str]) -> Alignment:
    readings = state.matches.readings(state.pool)
    off = np.abs(residuals(readings, state.clocks)) if len(readings.rank) else readings.end
    ranks = []
    for rank, clock in enumerate(state.clocks):
        mine = off[readings.rank == rank]
        middle, most = (
            (int(np.percentile(mine, 50)), int(np.percentile(mine, 95)))
            if len(mine)
            else (None, None)
        )
        ranks.append(Aligned(clock, how[rank], why[rank], len(mine), middle, most))
    return Alignment(ranks, state.pool, state.matches)
