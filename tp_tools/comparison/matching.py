"""Match the launch sequences of two sides, and find kernels that were renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from tp_tools.comparison import sequences

if TYPE_CHECKING:
    from tp_tools.comparison.model import Side
    from tp_tools.comparison.sequences import Matches


class Matched(Struct, frozen=True):
    """What the launch sequences of two sides have in common.

    Attributes:
        renamed: names in B by name and kind in A.
        common: the matches; None where a side has no sequence, or they differ too much.
    """

    renamed: dict[tuple[str, str], str] = field(default_factory=dict)
    common: Matches | None = None


def match(a: Side, b: Side) -> Matched:
    """Match the launch sequences of two sides."""
    if a.launches is None or b.launches is None:
        return Matched()
    names = a.launches.names, b.launches.names
    codes = {name: code for code, name in enumerate(dict.fromkeys([*names[0], *names[1]]))}
    one, other = (np.array([codes[it] for it in of], np.int64) for of in names)
    common = sequences.match(one, other)
    if common is None:
        return Matched()
    kinds = {**a.launches.kinds, **b.launches.kinds}
    found = sequences.renamed(*names, kinds, common)
    return Matched({(old, kinds[old]): new for old, new in found.items()}, common)
