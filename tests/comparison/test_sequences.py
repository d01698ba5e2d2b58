"""Matching of launch sequences: the fewest edits, a cap, and names by their place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.comparison.sequences import Matches, match, renamed

CODES = st.lists(st.integers(0, 3), max_size=24)


def codes(values: list[int]) -> np.ndarray:
    """An array of codes."""
    return np.array(values, np.int64)


def common(a: list[int], b: list[int]) -> int:
    """The length of the longest common subsequence, by the textbook's table."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


@given(CODES, CODES)
def test_matches_are_a_longest_common_subsequence(a: list[int], b: list[int]) -> None:
    """Equal codes, in order, as many as there can be."""
    found = match(codes(a), codes(b))
    assert found is not None
    assert len(found.a) == len(found.b) == common(a, b)
    assert [a[i] for i in found.a] == [b[j] for j in found.b]
    assert all(np.diff(found.a) > 0)
    assert all(np.diff(found.b) > 0)


@given(CODES, CODES, st.integers(0, 10))
def test_the_cap_bounds_the_edits(a: list[int], b: list[int], most: int) -> None:
    """Nothing is matched beyond it, and all is up to it."""
    edits = len(a) + len(b) - 2 * common(a, b)
    assert (match(codes(a), codes(b), most) is None) == (edits > most)


@given(CODES, CODES)
def test_hunks_and_matches_are_all_places(a: list[int], b: list[int]) -> None:
    """Every place of either sequence is matched, or in one hunk."""
    found = match(codes(a), codes(b))
    assert found is not None
    hunks = list(found.hunks(len(a), len(b)))
    assert sorted([*found.a.tolist(), *(i for it, _ in hunks for i in it)]) == [*range(len(a))]
    assert sorted([*found.b.tolist(), *(j for _, it in hunks for j in it)]) == [*range(len(b))]


def test_long_periodic_sequences() -> None:
    """8,000 launches of layers, a kernel of each layer exchanged and a layer more."""
    layer = [*range(40)]
    a = layer * 200
    b = [99 if it == 7 else it for it in layer] * 201
    found = match(codes(a), codes(b))
    assert found is not None
    assert len(found.a) == 39 * 200


NAMES = ["gemm_a", "norm", "gemm_a", "act"]


def of_names(a: list[str], b: list[str]) -> Matches:
    """Matches of names."""
    known = {name: code for code, name in enumerate(dict.fromkeys([*a, *b]))}
    found = match(codes([known[it] for it in a]), codes([known[it] for it in b]))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (["gemm_b", "norm", "gemm_b", "act"], {"gemm_a": "gemm_b"}),
        (["gemm_b", "norm", "gemm_a", "act"], {}),  # one of two launches
        (["gemm_b", "norm", "gemm_b", "act", "gemm_b"], {}),  # a third one elsewhere
        (["norm", "act"], {}),  # gone
        (["gemm_b", "gemm_c", "norm", "gemm_b", "gemm_c", "act"], {}),  # split in two
    ],
)
def test_renamed_by_place(after: list[str], expected: dict[str, str]) -> None:
    """A name is another's if it stands where that stood, nearly always, and nowhere else."""
    kinds = dict.fromkeys([*NAMES, *after], "compute")
    assert renamed(NAMES, after, kinds, of_names(NAMES, after)) == expected


def test_a_copy_is_no_renamed_kernel() -> None:
    """The kind has to be the same."""
    after = ["Memcpy", "norm", "Memcpy", "act"]
    kinds = dict.fromkeys(NAMES, "compute") | {"Memcpy": "copy"}
    assert renamed(NAMES, after, kinds, of_names(NAMES, after)) == {}
