"""Write one rank as a trace of its own on the common clock, in a worker: a member of an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.merging.place_rank import on_common_clock
from tp_tools.merging.read_rank import load_rank
from tp_tools.repair import verify_json
from tp_tools.repair.analysis import Analysis
from tp_tools.trace.gpu_names import with_gpu_names
from tp_tools.trace.model import is_phase
from tp_tools.trace.plan import Retimed
from tp_tools.trace.renaming import is_renamed
from tp_tools.trace.slices import slices
from tp_tools.writing.json.writer import rewrite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace import Plan, Slices, Trace


class MemberCounts(Struct, frozen=True):
    """Numbers of what was written of a rank, as in `output.Counts`."""

    events: int
    slices: int
    flows: int
    short_names: int


def write_member(
    spool: Path,
    fragment: Path,
    placement: RankPlacement,
    short_names: Mapping[str, str],
    engine: str | None,
    *,
    is_verified: bool,
) -> MemberCounts:
    """Write a rank with the repairs of `fix`, its times on the common clock.

    Args:
        spool: the temporary file that holds the rank.
        fragment: the temporary file that becomes the member.
        placement: its clock, and the time that timestamps count from.
        short_names: new name by name, of kernels; empty for none.
        engine: the TraceProcessor that verifies; None for the default.
        is_verified: whether to load the member and compare it with what was recorded.

    Raises:
        InputError: the file changed since it was read.
        VerificationError: the member differs from the trace and its plan.
        EngineError: TraceProcessor failed.
    """
    stored = load_rank(spool)
    trace, name = stored.trace, stored.source.name
    plan = with_gpu_names(trace, replace(stored.plan, short_names=short_names))
    new_trace, new_plan = _retimed(trace, plan, placement)
    with fragment.open("wb") as file:
        file.writelines(rewrite(stored.source, new_trace, new_plan))
    if is_verified:
        analyzed = Analysis(
            new_trace,
            slices(new_trace),
            np.zeros(len(stored.table), np.int64),
            [],
            new_plan,
            _NOTHING,
        )
        verify_json.verify(fragment, f"{name}, on the common clock", analyzed, engine)
    return _counts(trace, new_plan, stored.table)


_NOTHING = np.zeros(0, np.int64)


def _retimed(trace: Trace, plan: Plan, placement: RankPlacement) -> tuple[Trace, Plan]:
    """Return the trace with times on the common clock, and the plan that writes them."""
    new_trace, new_plan = on_common_clock(trace, plan, placement)
    new_dur = is_phase(trace, "X") & (new_trace.dur != trace.dur)
    return new_trace, replace(
        new_plan, retimed=Retimed(placement.start_ns - placement.base_ns, new_dur)
    )


def _counts(trace: Trace, plan: Plan, table: Slices) -> MemberCounts:
    """Count what a rank has once its plan is carried out."""
    is_kept = np.ones(len(trace), np.bool_)
    is_kept[[*plan.untimed, *plan.flows.left_out]] = False
    return MemberCounts(
        events=int(is_kept.sum()),
        slices=len(table),
        flows=int((is_kept & is_phase(trace, "f")).sum()) + len(plan.flows.arrows),
        short_names=int(is_renamed(trace, plan.short_names).sum()),
    )
