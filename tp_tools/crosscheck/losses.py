"""Say which kernels one recording lacks, and which known loss that is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.crosscheck.model import KINETO, NSYS, Loss
from tp_tools.crosscheck.settling import calls_between, runs, slides

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tp_tools.crosscheck.model import Ints, Pairs, Recording

BEFORE, AFTER, RECORDS, NEITHER, BEGIN = "before", "after", "records", "neither", "begin"

REASONS = {
    (KINETO, BEFORE): "before Kineto's recording: nothing of them is in it",
    (
        KINETO,
        BEGIN,
    ): "at the begin of Kineto's recording: it has calls without their kernels there. "
    "Kineto drops kernels that start before its window (pytorch#192021) and buffers of the warm-up "
    "(kineto#1255, kineto#1268)",
    (KINETO, AFTER): "after Kineto's recording: nothing of them is in it",
    (KINETO, RECORDS): "lost records of Kineto: it has calls without their kernels there "
    "(parcagpu#23: times of 0 after millions of records; full buffers)",
    (KINETO, NEITHER): "neither kernel nor call in Kineto: its run did not launch them, or both "
    "records are lost",
    (NSYS, BEFORE): "before the recording of Nsight Systems (--delay, a capture range)",
    (NSYS, BEGIN): "at the begin of the recording of Nsight Systems: it has calls without their "
    "kernels there",
    (NSYS, AFTER): "after the recording of Nsight Systems (--duration, a capture range)",
    (NSYS, RECORDS): "lost records of Nsight Systems: it has calls without their kernels there "
    "(its diagnostics say where events were lost)",
    (NSYS, NEITHER): "neither kernel nor call in Nsight Systems: its run did not launch them, or "
    "both records are lost",
}
"""What is known of a loss, by the profiler that lacks the kernels and the reason."""


def losses(kineto: Recording, nsys: Recording, pairs: Pairs, of: tuple[Ints, Ints]) -> list[Loss]:
    """Return what each recording lacks of the other, in order; at least one kernel is matched.

    Args:
        kineto: one recording.
        nsys: the other.
        pairs: what both have.
        of: codes of the kernels of each, as they were matched.
    """
    one, other = (pairs.kineto, pairs.nsys), (pairs.nsys, pairs.kineto)
    barriers = [{cut[side] for cut in pairs.cuts} for side in (0, 1)]
    return [
        *_missing(KINETO, nsys, kineto, other, of[1], barriers[1]),
        *_missing(NSYS, kineto, nsys, one, of[0], barriers[0]),
    ]


def _missing(  # noqa: PLR0917  the two sides of one question
    where: str,
    full: Recording,
    lacking: Recording,
    pairs: tuple[Ints, Ints],
    codes: Ints,
    barriers: Collection[int],
) -> Iterator[Loss]:
    """Yield the runs of kernels of one recording that the other lacks."""
    order = np.argsort(pairs[0], kind="stable")
    own, other = pairs[0][order], pairs[1][order]
    gaps, lost = runs(len(full), own)
    for begin, end in gaps:
        at = int(np.searchsorted(own, begin))
        # the matches around it, as places in the recording that lacks it
        before = int(other[at - 1]) if at else -1
        after = int(other[at]) if at < len(other) else len(lacking)
        [calls] = calls_between(lacking, np.array([before]), np.array([after])).tolist()
        is_last = after >= len(lacking)
        reason = _reason(end - begin, calls, is_first=before < 0, is_last=is_last)
        left, right = slides(codes, lost, (begin, end), barriers)
        yield Loss(
            where,
            reason,
            end - begin,
            int(full.dur[begin:end].sum()),
            dict(Counter(full.names[begin:end]).most_common()),
            begin,
            int(full.ts[begin]),
            calls,
            1 + left + right if reason == NEITHER else 1,
        )


def _reason(count: int, calls: int, *, is_first: bool, is_last: bool) -> str:
    if is_first:
        return BEGIN if calls >= count else BEFORE
    if calls >= count:
        return RECORDS
    return AFTER if is_last else NEITHER
