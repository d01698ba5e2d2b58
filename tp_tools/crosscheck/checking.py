"""Compare a trace of Kineto with an export of Nsight Systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.crosscheck import figures, losses, matching
from tp_tools.crosscheck.model import KINETO, NSYS, CrossCheck
from tp_tools.formatting import percent, plural
from tp_tools.inspection.inventory import busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.crosscheck.model import Pairs, Recording

LEAST_MATCHED = 0.8
"""Share of the kernels of the recording with fewer that has to be in the other: below it they are
no two runs of one workload."""


def check(kineto: Recording, nsys: Recording) -> CrossCheck:
    """Compare two recordings of one workload.

    Args:
        kineto: what Kineto recorded of one rank.
        nsys: what Nsight Systems recorded of it.

    Returns:
        What was found; where `.cannot` says why not, there are no losses, durations and overlaps.
    """
    chosen = matching.details(kineto, nsys)
    of = matching.codes(kineto, nsys, chosen)
    hopeless = tuple(_hopeless(kineto, nsys))
    pairs = None if hopeless else matching.match(kineto, nsys, *of)
    cannot = hopeless if pairs is None else tuple(_too_few(kineto, nsys, pairs))
    notes = tuple(_notes(kineto, nsys, chosen, pairs if not cannot else None))
    found = CrossCheck(
        files={KINETO: kineto.file, NSYS: nsys.file},
        kernels={KINETO: len(kineto), NSYS: len(nsys)},
        matched=len(pairs.kineto) if pairs else 0,
        moved=pairs.moved if pairs else 0,
        anchors=pairs.anchors if pairs else 0,
        places=pairs.places if pairs else 1,
        uncompared=pairs.uncompared if pairs else 0,
        cannot=cannot,
        notes=notes,
    )
    if cannot or pairs is None:
        return found
    return replace(
        found,
        losses=tuple(losses.losses(kineto, nsys, pairs, of)),
        durations=tuple(figures.durations(kineto, nsys, pairs)),
        busy_ns={
            KINETO: busy(kineto.ts[pairs.kineto], kineto.dur[pairs.kineto]),
            NSYS: busy(nsys.ts[pairs.nsys], nsys.dur[pairs.nsys]),
        },
        overlaps=figures.overlaps(kineto, nsys, pairs),
    )


def _hopeless(kineto: Recording, nsys: Recording) -> Iterator[str]:
    for name, of in (("Kineto's trace", kineto), ("the export of Nsight Systems", nsys)):
        if not len(of) and not of.graphs:
            yield f"{name} has no kernels"
    if nsys.graphs:
        yield (
            f"Nsight Systems recorded {plural(nsys.graphs, 'replay')} of CUDA graphs without their "
            "kernels; record with --cuda-graph-trace=node"
        )


def _too_few(kineto: Recording, nsys: Recording, pairs: Pairs) -> Iterator[str]:
    """Say it where too few kernels match.

    They are counted of the shorter recording, or, where annotations say what both recorded, of the
    shorter stretch from the first match to the last one.
    """
    matched, lengths = len(pairs.kineto), [len(kineto), len(nsys)]
    if pairs.anchors and matched:
        lengths = [int(of.max() - of.min()) + 1 for of in (pairs.kineto, pairs.nsys)]
    share = matched / min(lengths)
    if share < LEAST_MATCHED:
        where = " between the annotations that both have" if pairs.anchors and matched else ""
        yield (
            f"{matched:,} of the {min(lengths):,} kernels of the shorter recording{where} are in "
            f"the other, in the order of launch; {percent(share)}, and below {LEAST_MATCHED:.0%} "
            "the two are no runs of one workload"
        )


def _notes(
    kineto: Recording, nsys: Recording, chosen: list[int], pairs: Pairs | None
) -> Iterator[str]:
    lacking = [name for at, name in enumerate(matching.SHAPE) if at not in chosen]
    if lacking and len(kineto) and len(nsys):
        by = ", ".join(["name", *(matching.SHAPE[at] for at in chosen)])
        yield f"Kernels are told by {by}: not both recordings have {' and '.join(lacking)}."
    if pairs is None:
        return
    if pairs.places > 1:
        yield (
            f"{pairs.places:,} places fit equally: the shorter recording repeats in the longer "
            "one, and no annotation that both have says where it belongs. Numbers by name hold; "
            "which kernels are missing before and after it is a guess."
        )
    if pairs.moved:
        yield (
            f"In another order in the two, as where threads take turns: "
            f"{plural(pairs.moved, 'kernel')}."
        )
    if pairs.uncompared:
        yield (
            "Where the two differ too much to be matched: "
            f"{plural(pairs.uncompared, 'kernel')} of both."
        )
    unfilled = int((kineto.dur == 0).sum()), int((nsys.dur == 0).sum())
    for name, count in zip(("Kineto", "Nsight Systems"), unfilled, strict=True):
        if count:
            yield (
                f"{plural(count, 'kernel')} of {name} without a duration, whose records were never "
                "filled (kineto#109): they count as kernels, not in durations."
            )
