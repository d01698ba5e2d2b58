"""Align all ranks: start from base times, and improve them by the collectives that ranks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct

from tp_tools.alignment import match, match_by_time
from tp_tools.alignment.base_times import EndSpreads, end_spreads
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
from tp_tools.alignment.rank_rows import rows_by_rank
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

_CLEARLY = 0.5  # residuals of fitted clocks, as a share of those of base times that are far apart


class Member(Struct, frozen=True):
    """A rank to align.

    Attributes:
        collectives: its collectives.
        middle_ns: the middle of its trace, ns since the epoch on its own clock.
        host: name of its machine; "" if the trace does not give it.
        replica: number of its replica; ranks of different replicas share no process groups.
    """

    collectives: Collectives
    middle_ns: int
    host: str = ""
    replica: int = 0


class Aligned(Struct, frozen=True):
    """The clock of a rank, and how it was found.

    Attributes:
        clock: the map from its time to common time.
        how: BY_COLLECTIVES, BY_HOST (as another rank on its machine), BY_BASE or UNALIGNED.
        why: reason why it is not aligned by collectives, for users; "" if it is.
        used: number of matched collectives that its clock was, or could be, fitted to.
        residual_ns: median of |its end of a collective - the collective's end|; None without any.
        residual_p95_ns: 95th percentile of the same.
    """

    clock: Clock
    how: str
    why: str
    used: int
    residual_ns: int | None
    residual_p95_ns: int | None


class Alignment(Struct, frozen=True):
    """All ranks on one clock.

    Attributes:
        ranks: clocks of the ranks, in the order in which these were given.
        pool: collectives of all ranks.
        matches: which of these are the same collective.
        groups: number of groups of ranks fitted each in itself; between them base times stand.
    """

    ranks: list[Aligned]
    pool: Pool
    matches: Matches
    groups: int


def align(members: Sequence[Member], mode: Mode) -> Alignment:
    """Match the collectives of all ranks and fit their clocks to them.

    Args:
        members: the ranks; the clock of the first one is the common clock.
        mode: "auto" keeps base times where collectives give nothing better, "collectives" fails
            there; "base" and "none" change no clock.

    Raises:
        InputError: in mode "collectives", a rank shares too few collectives with the others.
    """
    pool = match.pool(
        [member.collectives for member in members], [member.replica for member in members]
    )
    start = [Clock(at_ns=member.middle_ns) for member in members]
    hosts = [member.host for member in members]
    state = _State(pool, start, np.full(len(members), UNKNOWN), hosts)
    state.match()
    if mode in ("base", "none"):
        unchanged = BY_BASE if mode == "base" else UNALIGNED
        state.clocks, state.component = start, np.full(len(members), UNKNOWN)
        return _alignment(state, [unchanged] * len(members), [""] * len(members))
    how, why = state.choose(start)
    state.clocks, follows = same_host_ranks(state.clocks, state.component, hosts)
    for rank, other in follows.items():
        if how[rank] == BY_BASE:
            how[rank] = BY_HOST
            why[rank] += f"; moved as rank {other} on its machine"
    if mode == "collectives" and (
        unaligned := [rank for rank, method in enumerate(how) if method != BY_COLLECTIVES]
    ):
        raise InputError(
            f"{len(unaligned)} of {len(members)} ranks cannot be aligned by collectives: "
            f"{why[unaligned[0]]}. --align auto takes their base times."
        )
    return _alignment(state, how, why)


class _State:
    """The clocks and matches found so far.

    Attributes:
        pool: collectives of all ranks.
        clocks: clock of each rank.
        component: int (ranks,), equal for ranks fitted together; UNKNOWN for others.
        hosts: name of each rank's machine; "" if it is unknown.
        matches: matches of the collectives.
    """

    def __init__(self, pool: Pool, clocks: list[Clock], component: Ints, hosts: list[str]) -> None:
        self.pool, self.clocks, self.component, self.hosts = pool, clocks, component, hosts
        self.matches: Matches = match.matches_by_identity(pool)

    def match(self) -> None:
        """Match by identity, then by time on the clocks fitted to these matches, then by count."""
        pool, certain = self.pool, self.matches
        self._fit(certain.readings(pool))
        anonymous = np.flatnonzero((pool.identity == UNKNOWN) & pool.synchronising)
        timed = match.Matches(np.full(len(pool), -1, np.int64), [], [])
        if len(anonymous):
            found = self._match_by_time(anonymous)
            timed.of[anonymous] = found.of
            timed = match.Matches(timed.of, found.method, found.confidence)
        unmatched = (timed.of < 0) & (pool.identity == UNKNOWN)
        counted = match_by_time.matches_by_count(pool, unmatched, self.clocks)
        self.matches = match.concatenate_matches(pool, [certain, timed, counted])
        self._fit(self.matches.readings(pool))

    def _match_by_time(self, rows: Ints) -> Matches:
        """Match collectives without identity by their times on the clocks so far.

        Args:
            rows: their rows in the pool.
        """
        pool = self.pool
        sub = match.Pool(*(getattr(pool, name)[rows] for name in match.Pool.__struct_fields__))
        alone = -2 - np.arange(len(self.component))
        component = np.where(self.component == UNKNOWN, alone, self.component)
        registered = match_by_time.register_ranks(sub, self.clocks, component)
        readings = Readings(sub.rank, registered.entry, registered.end)
        matched = readings.where(registered.entry >= 0)
        near, end = registered.near, registered.end
        if len(matched.rank):
            # the readings are on the clocks that registration found, so corrections start at zero
            finer = self._fitted(matched, [Clock() for _ in self.clocks])
            end = common_ends(readings, finer)
            off = np.abs(residuals(matched, finer))
            cluster = registered.cluster[registered.entry >= 0]
            near = {c: match_by_time.tolerance(off[cluster == c], most) for c, most in near.items()}
        return match_by_time.matches_by_time(registered, end, near)

    def _fitted(self, readings: Readings, clocks: list[Clock]) -> list[Clock]:
        """Return the clocks fitted to the readings, component by component."""
        chosen, component = connected_ranks(readings, len(clocks))
        for number in np.unique(component[component >= 0]).tolist():
            inside = chosen & (component[readings.rank] == number)
            clocks = fit(readings.where(inside), clocks)
        return clocks

    def _fit(self, readings: Readings) -> None:
        """Fit the clocks to the readings, and store which ranks were fitted together."""
        _, self.component = connected_ranks(readings, len(self.clocks))
        self.clocks = self._fitted(readings, self.clocks)

    def choose(self, start: list[Clock]) -> tuple[list[str], list[str]]:
        """Choose between fitted clocks and base times, component by component.

        Args:
            start: clocks of base times, which replace fitted ones that predict no better.

        Returns:
            `how` and `why` of each rank, see `Aligned`.
        """
        pool, readings = self.pool, self.matches.readings(self.pool)
        chosen, component = connected_ranks(readings, len(start))
        count = np.bincount(readings.rank, minlength=len(start))
        how = [BY_BASE] * len(start)
        uncertain = self._has_uncertain_matches(len(start))
        why = [_too_few(*row) for row in zip(count.tolist(), uncertain, strict=True)]
        begins = pool.ts[self.matches.readable(pool)]
        for number in np.unique(component[component >= 0]).tolist():
            rows = chosen & (component[readings.rank] == number)
            reason = self._reason_for_base(readings.where(rows), begins[rows], start)
            for rank in np.flatnonzero(component == number).tolist():
                how[rank], why[rank] = BY_BASE if reason else BY_COLLECTIVES, reason
                if reason:
                    self.clocks[rank] = start[rank]
        for rank in np.flatnonzero(component < 0).tolist():
            self.clocks[rank] = start[rank]
        self.component = component
        return how, why

    def _has_uncertain_matches(self, ranks: int) -> list[bool]:
        """Tell for each rank whether some of its collectives have an uncertain match."""
        is_uncertain = np.array(
            [confidence == UNCERTAIN for confidence in self.matches.confidence] + [False], np.bool_
        )
        found = is_uncertain[self.matches.of] & (self.matches.of >= 0)
        return (np.bincount(self.pool.rank[found], minlength=ranks) > 0).tolist()  # type: ignore[no-any-return]

    def _reason_for_base(self, readings: Readings, begins: Ints, start: list[Clock]) -> str:
        """Return the reason why base times are kept, for users; "" if the fitted clocks are better.

        Args:
            readings: ends of the collectives of one component.
            begins: int64 (readings,), their begins, ns since the epoch on the rank's clock.
            start: clocks of base times.
        """
        began = common_ends(Readings(readings.rank, readings.collective, begins), start)
        spreads = end_spreads(readings.collective, began, common_ends(readings, start))
        hosts = {self.hosts[rank] for rank in np.unique(readings.rank).tolist()}
        if spreads.is_explained(one_machine=len(hosts) == 1 and "" not in hosts):
            return str(spreads)
        return "" if self._predicts_better(readings, start, spreads) else _AS_GOOD

    def _predicts_better(self, readings: Readings, start: list[Clock], spreads: EndSpreads) -> bool:
        """Tell whether a fit to half of the collectives predicts the others better than `start`."""
        is_fitted = readings.collective % 2 == 0
        fitted = self._fitted(readings.where(is_fitted), self.clocks)
        tested = readings.where(~is_fitted)
        if not len(tested.rank):
            return False
        by_fit = float(np.median(np.abs(residuals(tested, fitted))))
        by_base = float(np.median(np.abs(residuals(tested, start))))
        return by_fit < by_base * (_CLEARLY if spreads.is_large() else 1)


_AS_GOOD = "base times fit as well or better"


def _too_few(count: int, has_uncertain: bool) -> str:  # noqa: FBT001
    """Return the reason why a rank is not aligned by collectives, for users.

    Args:
        count: number of its certain matches.
        has_uncertain: whether it has uncertain matches.
    """
    if count:
        return f"only {count} collectives are surely those of other ranks, {LEAST} are needed"
    if has_uncertain:
        return (
            "collectives could be matched in other ways as well: neither Comms Id nor Seq tells "
            "them apart, nor do the times between them"
        )
    return "no collective is surely one with another rank's"


def _alignment(state: _State, how: list[str], why: list[str]) -> Alignment:
    """Build the result, with the residuals of each rank."""
    readings = state.matches.readings(state.pool)
    off = np.abs(residuals(readings, state.clocks)) if len(readings.rank) else readings.end
    ranks, rows = [], rows_by_rank(readings.rank)
    for rank, clock in enumerate(state.clocks):
        of_rank = off[rows.get(rank, [])]
        median, p95 = (
            (int(np.percentile(of_rank, 50)), int(np.percentile(of_rank, 95)))
            if len(of_rank)
            else (None, None)
        )
        ranks.append(Aligned(clock, how[rank], why[rank], len(of_rank), median, p95))
    fitted = np.array(how) == BY_COLLECTIVES
    return Alignment(ranks, state.pool, state.matches, len(np.unique(state.component[fitted])))
