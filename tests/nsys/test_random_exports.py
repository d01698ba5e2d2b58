"""Queries of the library answer on random exports what independent SQL says of the tables.

`python -m tools.random_exports 200` makes more of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.random_exports.comparing import differences
from tools.random_exports.making import export
from tools.random_exports.truth import truth

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("seed", range(8))
def test_the_library_answers_what_the_tables_hold(seed: int, tmp_path: Path) -> None:
    """Kernels, streams, launches and their arrows, copies, waits and ranges."""
    assert differences(seed, tmp_path) == []


def test_exports_are_not_empty(tmp_path: Path) -> None:
    """Each kind of row occurs in some of them: an answer is not right because nothing was asked."""
    found = [truth(export(seed, tmp_path / f"{seed}.sqlite")) for seed in range(8)]
    for kind in found[0]:
        assert sum(sum(rows[kind].values()) for rows in found) > 20, kind
