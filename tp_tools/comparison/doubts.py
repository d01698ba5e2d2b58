"""Say why two sides cannot be compared, and what their numbers do not say by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.comparison.model import KERNEL, OP
from tp_tools.formatting import percent, plural, short_span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tp_tools.comparison.matching import Matched
    from tp_tools.comparison.model import Change, Side

_MOST = 0.5
"""A share that stands for all: of launches in graphs, of launches with another grid."""

_FEW = 0.02
"""A share of the time of a step that is not worth a note."""

_PRODUCTS = ("PyTorch", "CUDA", "driver", "HIP")


def cannot(
    a: Side, b: Side, changes: Sequence[Change], matched: Matched, least: float
) -> Iterator[str]:
    """Yield why the sides cannot be compared; nothing where they can.

    Args:
        a: one side.
        b: the other.
        changes: their rows.
        matched: what their launch sequences have in common.
        least: share of the time of kernels (without GPU work, of ops) that has to be of those that
            both sides have.
    """
    level = KERNEL if any(it.key.level == KERNEL for it in changes) else OP
    rows = [it for it in changes if it.key.level == level]
    both = [it for it in rows if it.count_a and it.count_b]
    shares = [
        sum(getattr(it, of) for it in both) / whole
        for of in ("mean_a", "mean_b")
        if (whole := sum(getattr(it, of) for it in rows))
    ]
    if shares and min(shares) >= least:
        return
    if not shares:
        yield "neither side has GPU work or ops in a step"
        return
    noun = "kernel" if level == KERNEL else "op"
    yield f"only {percent(min(shares))} of the time of {noun}s is of {noun}s that both sides have"
    yield from _reasons(a, b, matched)
    names = min(sum(getattr(it, of) > 0 for it in rows) for of in ("count_a", "count_b"))
    if len(both) < _MOST * names:
        of_all = f"{len(both):,} of {plural(len(rows), noun)} by name"
        yield f"both sides have {of_all}: perhaps another model"


def notes(a: Side, b: Side, matched: Matched) -> Iterator[str]:
    """Yield what a reader of the numbers has to know."""
    yield from (f"{reason[0].upper()}{reason[1:]}." for reason in _reasons(a, b, matched))
    for which, side in (("A", a), ("B", b)):
        whole = side.mean_ns(side.step) * side.samples
        if side.facts.outside_ns > _FEW * whole:
            yield (
                f"{which}: {short_span(round(side.facts.outside_ns))} of GPU work is of no step "
                "and left out."
            )
        for phase, steps in side.facts.left_out.items():
            yield (
                f"{which}: {plural(steps, 'step')} of phase {phase or 'unknown'} left out: those "
                f"of phase {side.facts.phase or 'unknown'} are compared."
            )
    if (few := min(a.samples, b.samples)) == 1:
        unit = "step" if a.facts.unit == b.facts.unit == "step" else "sample"
        yield f"A side with {few} {unit} says nothing about noise: no difference is tested."
    for product in _PRODUCTS:
        one, other = (it.facts.versions.get(product) for it in (a, b))
        if one and other and one != other:
            yield f"{product}: {one} in A, {other} in B."


def _reasons(a: Side, b: Side, matched: Matched) -> Iterator[str]:
    """Yield the facts that differ between the sides as wholes: GPU, ranks, unit, graphs, grids."""
    if a.facts.gpu and b.facts.gpu and a.facts.gpu != b.facts.gpu:
        yield f"another GPU: {a.facts.gpu} in A, {b.facts.gpu} in B"
    if a.facts.ranks != b.facts.ranks:
        yield f"{plural(a.facts.ranks, 'rank')} in A, {b.facts.ranks} in B"
    if a.facts.unit != b.facts.unit:
        yield f"A has the unit {a.facts.unit}, B the unit {b.facts.unit}"
    if a.launches is None or b.launches is None:
        return
    shares = [it.launches.graph_share for it in (a, b) if it.launches is not None]
    if (min(shares) < _MOST) != (max(shares) < _MOST):
        yield (
            f"{percent(shares[0])} of launches are of graphs in A, {percent(shares[1])} in B: CUDA "
            "graphs are on in one of them"
        )
    if matched.common is None:
        return
    grids = [
        (a.launches.grids[i], b.launches.grids[j])
        for i, j in zip(matched.common.a.tolist(), matched.common.b.tolist(), strict=True)
    ]
    known = [(one, other) for one, other in grids if one is not None and other is not None]
    differing = sum(one != other for one, other in known)
    if known and differing >= _MOST * len(known):
        yield (
            f"{percent(differing / len(known))} of the launches that match have another grid: "
            "perhaps other shapes"
        )
