"""Prove that Perfetto shows the slices of a file: each one with its time and name, and no other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from tp_tools import engine
from tp_tools.columns import indices_of, iterate_rows
from tp_tools.errors import VerificationError
from tp_tools.progress import SILENT
from tp_tools.repair import verify_flows
from tp_tools.repair.cut_slices import cut_slices, cut_text
from tp_tools.repair.ids import plan_of_ids
from tp_tools.repair.verify_flows import comparable
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.slices import slices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.progress import Reporter
    from tp_tools.repair.shown import Answer
    from tp_tools.repair.verify_flows import Launches
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints


class SliceKeys(Struct, frozen=True):
    """What tells slices apart; row i of all columns is a slice.

    Attributes:
        numbers: int64 (slices,) each, the start first, ns, then the duration, ns, and what else.
        name: int (slices,), index in `names`.
        names: names as `comparable` returns them; several may be equal.
    """

    numbers: tuple[Ints, ...]
    name: Ints
    names: list[str]

    def counted(self) -> Counter[tuple[Any, ...]]:
        """Count the slices of each key: its numbers and its name."""
        rows = iterate_rows(*self.numbers, self.name)
        return Counter((*numbers, self.names[name]) for *numbers, name in rows)

    def in_order(self, number_of: dict[str, int]) -> tuple[Ints, ...]:
        """Return the numbers and a number of the name, sorted by them.

        Args:
            number_of: the number of each name so far; grows by new ones.
        """
        codes = [number_of.setdefault(text, len(number_of)) for text in self.names]
        columns = (*self.numbers, np.array(codes, np.int64)[self.name])
        order = np.lexsort(columns[::-1])
        return tuple(column[order] for column in columns)


LISTING = "verifying: listing slices and arrows"
"""Stage in which what has to be shown is made."""

COMPARING = "verifying: comparing slices and arrows"
"""Stage in which it is compared with what is shown."""


def prove_shown(
    name: str, written: SliceKeys, launches: Launches, answer: Answer, reporter: Reporter = SILENT
) -> None:
    """Prove that Perfetto shows all that is in a file of Chrome JSON, and nothing else.

    Args:
        name: the name of the file, for messages.
        written: `written_keys` of it.
        launches: the flows that have to be there.
        answer: what TraceProcessor shows of it.
        reporter: receives stages of the work, and notes.

    Raises:
        VerificationError: a slice or a flow of a launch is not shown, or shown wrongly.
        EngineError: TraceProcessor failed.
    """
    shown = answer.get(reporter)
    with reporter.stage(COMPARING):
        _check_whole(name, shown.losses)
        names = [*map(comparable, shown.names)]
        check_slices(name, SliceKeys((shown.ts, shown.dur), shown.name, names), written)
        verify_flows.check(name, shown.arrows, launches, None)
        say_losses(name, shown.losses, reporter)


def written_keys(name: str, result: Trace, reporter: Reporter) -> SliceKeys:
    """Return the start, duration and name of each slice of a text, as Perfetto reads it.

    Args:
        name: the name of the file, for messages.
        result: its events, as they were read from the text.
        reporter: receives a warning of slices that Perfetto ends sooner.
    """
    table = slices(result)
    end = table.end[:]
    cut = cut_slices(result, table, plan_of_ids(result), result.ts != UNTIMED)
    if cut.sooner:
        reporter.warn(f"{name}: {cut_text(cut.sooner)}.")
    here = indices_of(table.event, cut.ends)
    end[here] = [cut.ends[event] for event in table.event[here].tolist()]
    unended = np.setdiff1d(np.array([*cut.ends], np.int64), table.event)
    ends = np.array([cut.ends[event] for event in unended.tolist()], np.int64)
    instants = np.flatnonzero(is_phase(result, "iIR") & (result.ts != UNTIMED))
    ts = np.concatenate([table.ts[:], result.ts[unended], result.ts[instants]])
    end = np.concatenate([end, ends, result.ts[instants]])
    event = np.concatenate([table.event, unended, instants])
    return SliceKeys((ts, end - ts), result.name[event], [*map(comparable, result.names)])


def _check_whole(name: str, losses: Mapping[str, int]) -> None:
    """Check that TraceProcessor dropped no slice."""
    lost = [f"{n} x {stat}" for stat, n in losses.items() if engine.drops_slices(stat)]
    if lost:
        what = f"TraceProcessor lost data on loading: {', '.join(lost)}"
        raise VerificationError(f"{name}: {what}. The result was not kept.")


def check_slices(name: str, shown: SliceKeys, planned: SliceKeys) -> None:
    """Check that TraceProcessor shows the planned slices, and no other.

    Raises:
        VerificationError: it does not.
    """
    number_of = dict[str, int]()
    sides = zip(shown.in_order(number_of), planned.in_order(number_of), strict=True)
    if not all(np.array_equal(actual, wanted) for actual, wanted in sides):
        lost, added = planned.counted(), shown.counted()
        lost, added = lost - added, added - lost
        missing, extra = lost.total(), added.total()
        example = next(iter(lost), next(iter(added), None))
        raise failed(
            name, f"{missing} slices are not shown and {extra} are shown wrongly, as {example}"
        )


def say_losses(name: str, losses: Mapping[str, int], reporter: Reporter) -> None:
    """Print what TraceProcessor lost of the flows and E events as recorded; no slice is lost."""
    lost = ", ".join(f"{count} x {stat}" for stat, count in losses.items())
    if lost:
        reporter.say(f"{name}: no slice is lost; TraceProcessor counts of the input's own: {lost}.")


def failed(name: str, what: str) -> VerificationError:
    """Return the error for a file that differs from the plan; `what` describes the difference."""
    return VerificationError(f"{name}: {what}. The result was not kept; without --verify it is.")
