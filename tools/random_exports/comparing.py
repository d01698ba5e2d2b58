"""Compare what the library answers on an export with what its tables say."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import tp_tools
from tools.random_exports.making import export
from tools.random_exports.truth import truth

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from tools.random_exports.truth import Rows

ANSWERS = {
    "kernels": ("rank", "name", "count", "total_ns"),
    "streams": ("rank", "events", "total_ns"),
    "launches": ("rank", "ts", "launch_ts"),
    "copies": ("rank", "kind", "count", "bytes", "total_ns"),
}
"""Columns of queries of the library that are compared."""


def _answers(path: Path) -> dict[str, Rows]:
    """Return the same by the library and from the slices of the trace."""
    frames = tp_tools.query_all(["kernels", "streams", "launches", "copies"], path)
    kernels = frames["kernels"]
    frames["kernels"] = kernels[kernels["kind"] != "copy"]
    found = {name: _rows(frames[name], columns) for name, columns in ANSWERS.items()}
    copies: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for rank, kind, *numbers in found["copies"].elements():
        sums = copies[rank, kind]
        sums[:] = [a + b for a, b in zip(sums, numbers, strict=True)]
    found["copies"] = Counter((*key, *sums) for key, sums in copies.items())
    slices = tp_tools.query("SELECT category, ts, dur, name FROM slice WHERE dur >= 0", path)
    for name, category in (("waits", "cuda_sync"), ("ranges", "user_annotation")):
        found[name] = _rows(slices[slices["category"] == category], ("ts", "dur", "name"))
    arrows = "SELECT a.ts AS call, b.ts AS work FROM flow JOIN slice AS a ON a.id = slice_out "
    arrows += "JOIN slice AS b ON b.id = slice_in"
    found["arrows"] = _rows(tp_tools.query(arrows, path), ("call", "work"))
    return found


def _rows(frame: pd.DataFrame, columns: Iterable[str]) -> Rows:
    """Count the rows of some columns; NULL is None."""
    chosen = frame[[*columns]].astype(object)
    return Counter(chosen.where(chosen.notna(), None).itertuples(index=False, name=None))


def differences(seed: int, folder: Path) -> list[str]:
    """Compare the answers on the export of a seed.

    Returns:
        A line for each query that differs: its name, and rows of the export and of the library.
    """
    path = export(seed, folder / f"random_{seed}.sqlite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tp_tools.InputWarning)  # that ranks are counted
        answers = _answers(path)
    return [
        f"{seed}: {name}: export {sorted((rows - answers[name]).items(), key=str)[:3]}, "
        f"library {sorted((answers[name] - rows).items(), key=str)[:3]}"
        for name, rows in truth(path).items()
        if rows != answers[name]
    ]
