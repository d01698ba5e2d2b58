"""Prove that Perfetto shows the slices of a file: each one with its time and name, and no other."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tp_tools import engine, library
from tp_tools.columns import indices_of
from tp_tools.errors import VerificationError
from tp_tools.progress import BUILDING, SILENT
from tp_tools.repair.cut_slices import cut_slices, cut_text
from tp_tools.repair.ids import plan_of_ids
from tp_tools.repair.verify_flows import comparable
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.slices import slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source
    from tp_tools.progress import Reporter
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints

SliceT = TypeVar("SliceT")
"""The key that tells slices apart."""


@contextmanager
def loaded(
    source: Source, result: Trace, engine_name: str | None, reporter: Reporter = SILENT
) -> Iterator[Processor]:
    """Load a file of Chrome JSON, and prove that Perfetto shows all slices in its text, no other.

    Args:
        source: the file.
        result: its events, as they were read from the text.
        engine_name: the TraceProcessor to load it with.
        reporter: receives stages of the work, and notes.

    Yields:
        The loaded file, to compare its arrows.

    Raises:
        VerificationError: a slice is not shown, or shown wrongly.
        EngineError: TraceProcessor failed.
    """
    name = source.name
    with reporter.stage(f"verifying: loading {name}", source.size(), BUILDING) as stage:
        tp = engine.load(
            source.blocks(stage),
            source=name,
            engine=engine_name,
            size=result.text_size(),
            reporter=stage,
            allow_loss=True,  # of events that are no slices: say_losses names it
        )
    with tp, reporter.stage("verifying: comparing slices and arrows"):
        _check_whole(name, tp)
        _compare_slices(name, result, tp, reporter)
        yield tp
        say_losses(name, tp, reporter)


def _check_whole(name: str, tp: Processor) -> None:
    """Check that TraceProcessor dropped no slice."""
    lost = [f"{n} x {stat}" for stat, n in engine.losses(tp).items() if engine.drops_slices(stat)]
    if lost:
        what = f"TraceProcessor lost data on loading: {', '.join(lost)}"
        raise VerificationError(f"{name}: {what}. The result was not kept.")


def _compare_slices(name: str, result: Trace, tp: Processor, reporter: Reporter) -> None:
    """Check that TraceProcessor shows each slice of the file, and no other."""
    answer = engine.run_file(tp, library.check("slices"))
    shown = Counter((ts, dur, comparable(text)) for ts, dur, _, text in answer.rows)
    table = slices(result)
    end = table.end[:]
    cut = cut_slices(result, table, plan_of_ids(result), result.ts != UNTIMED)
    if cut.sooner:
        reporter.warn(f"{name}: {cut_text(cut.sooner)}.")
    here = indices_of(table.event, cut.ends)
    end[here] = [cut.ends[event] for event in table.event[here].tolist()]
    expected_slices = Counter(_keys(result, table.event, table.ts[:], end))
    unended = np.setdiff1d(np.array([*cut.ends], np.int64), table.event)
    ends = np.array([cut.ends[event] for event in unended.tolist()], np.int64)
    expected_slices.update(_keys(result, unended, result.ts[unended], ends))
    instants = np.flatnonzero(is_phase(result, "iIR") & (result.ts != UNTIMED))
    expected_slices.update(_keys(result, instants, result.ts[instants], result.ts[instants]))
    check_shown(name, shown, expected_slices)


def check_shown(name: str, shown: Counter[SliceT], planned: Counter[SliceT]) -> None:
    """Check that TraceProcessor shows the planned slices, and no other.

    Raises:
        VerificationError: it does not.
    """
    if shown != planned:
        lost, added = planned - shown, shown - planned
        missing, extra = lost.total(), added.total()
        example = next(iter(lost), next(iter(added), None))
        raise failed(
            name, f"{missing} slices are not shown and {extra} are shown wrongly, as {example}"
        )


def _keys(result: Trace, event: Ints, ts: Ints, end: Ints) -> list[tuple[int, int, str]]:
    """Return (ts, dur, name) of events."""
    names = [comparable(text) for text in result.names]
    return [
        (start, stop - start, names[code])
        for start, stop, code in zip(
            ts.tolist(), end.tolist(), result.name[event].tolist(), strict=True
        )
    ]


def say_losses(name: str, tp: Processor, reporter: Reporter) -> None:
    """Print what TraceProcessor lost of the flows and E events as recorded; no slice is lost."""
    lost = ", ".join(f"{count} x {stat}" for stat, count in engine.losses(tp).items())
    if lost:
        reporter.say(f"{name}: no slice is lost; TraceProcessor counts of the input's own: {lost}.")


def failed(name: str, what: str) -> VerificationError:
    """Return the error for a file that differs from the plan; `what` describes the difference."""
    return VerificationError(f"{name}: {what}. The result was not kept; without --verify it is.")
